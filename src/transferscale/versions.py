"""Ground floor: one integer a verb, part of every spec.

Raise the integer of a verb in the commit that changes the numbers it writes; Snakemake then reruns that verb and
what follows. ``models`` counts for every verb that builds or runs a network. Golden tests fail when numbers move and
the integer did not (docs/design, rule 8).
"""

STAGE_VERSION: dict[str, int] = {
    "models": 1,
    "corpus synth": 1,
    "corpus index": 1,
    "corpus clips": 1,
    "corpus card": 1,
    "pretrain rung": 1,
    "medical simulate": 1,
    "medical index": 1,
    "medical view": 1,
    "medical split": 1,
    "transfer features": 1,
    "transfer baseline": 1,
    "transfer fit": 1,
    "scaling gain": 2,
    "scaling curves": 1,
    "scaling fit": 1,
    "scaling compare": 1,
    "scaling plan": 1,
    "scaling transitions": 1,
    "report build": 2,
}
