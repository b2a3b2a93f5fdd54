"""The tables `behaviour` and `continual` of a study, from the predictions of its `behaviour` section."""

from pathlib import Path

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.conditions import plain
from transferscale.scaling.behaviour import conditions, sequences
from transferscale.scaling.behaviour.cells import ConditionCell, read_conditions
from transferscale.scaling.gains.bootstrap import RESAMPLES
from transferscale.study.study import Study
from transferscale.tables import write_table


def run(study: Study, predictions: Path, behaviour: Path, continual: Path) -> None:
    """Write both tables; without rows where the study asks for none.

    Raises
    ------
    UserError
        If predictions are missing, or do not belong together.
    """
    watch = Stopwatch()
    asked: list[ConditionCell] = []
    learned: list[ConditionCell] = []
    for cell in read_conditions(predictions):
        (learned if plain(cell.condition).startswith(sequences.CONDITION) else asked).append(cell)
    tables = {behaviour: ("behaviour", conditions.rows(study, asked))}
    tables[continual] = ("continual", sequences.rows(study, learned))
    for path, (name, rows) in tables.items():
        write_table(path, name, rows)
        write_provenance(path, watch, resamples=RESAMPLES, rows=len(rows))
