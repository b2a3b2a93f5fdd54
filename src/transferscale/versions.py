"""Ground floor: one integer a verb, part of every spec.

Raise the integer of a verb in the commit that changes the numbers it writes; Snakemake then reruns that verb and
what follows. ``models`` counts for every verb that builds or runs a network. Golden tests fail when numbers move and
the integer did not (docs/design, rule 8).
"""

STAGE_VERSION: dict[str, int] = {
    "models": 1,
    "corpus synth": 4,
    "corpus index": 3,
    "corpus clips": 3,
    "corpus controls": 2,
    "corpus card": 3,
    "pretrain rung": 4,
    "pretrain ledger": 2,
    "medical simulate": 1,
    "medical fetch": 1,
    "medical index": 3,
    "medical view": 3,
    "medical split": 2,
    "medical audit": 1,
    "medical corpus": 2,
    "pretrain import": 1,
    "transfer features": 2,
    "transfer baseline": 2,
    "transfer fit": 3,
    "transfer collect": 1,
    "transfer behave": 2,
    "transfer continual": 2,
    "scaling behaviour": 1,
    "scaling gain": 5,
    "scaling checkpoints": 2,
    "scaling ladder": 1,
    "scaling curves": 2,
    "scaling fit": 1,
    "scaling compare": 1,
    "scaling isoflop": 1,
    "scaling predict": 2,
    "scaling hindsight": 2,
    "scaling plan": 1,
    "scaling transitions": 1,
    "report build": 6,
}
