"""Ground floor: one integer a verb, part of every spec.

Raise the integer of a verb in the commit that changes the numbers it writes; Snakemake then reruns that verb and
what follows. ``models`` counts for every verb that builds or runs a network. Golden tests fail when numbers move and
the integer did not (docs/design, rule 8).
"""

STAGE_VERSION: dict[str, int] = {
    "models": 1,
    "corpus synth": 2,
    "corpus index": 2,
    "corpus clips": 2,
    "corpus controls": 1,
    "corpus card": 2,
    "pretrain rung": 2,
    "pretrain ledger": 1,
    "medical simulate": 1,
    "medical index": 1,
    "medical view": 1,
    "medical split": 1,
    "medical corpus": 1,
    "transfer features": 1,
    "transfer baseline": 1,
    "transfer fit": 1,
    "scaling gain": 2,
    "scaling ladder": 1,
    "scaling curves": 2,
    "scaling fit": 1,
    "scaling compare": 1,
    "scaling isoflop": 1,
    "scaling predict": 1,
    "scaling hindsight": 1,
    "scaling plan": 1,
    "scaling transitions": 1,
    "report build": 3,
}
