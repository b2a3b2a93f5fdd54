"""The tables `behaviour` and `continual` of a study, from the predictions of its `behaviour` section."""

from pathlib import Path

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.scaling.behaviour import conditions, sequences
from transferscale.scaling.behaviour.cells import read_conditions
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
    asked = read_conditions(predictions, lambda condition: not condition.startswith(sequences.CONDITION))
    learned = read_conditions(predictions, lambda condition: condition.startswith(sequences.CONDITION))
    tables = {behaviour: ("behaviour", conditions.rows(study, asked))}
    tables[continual] = ("continual", sequences.rows(study, learned))
    for path, (name, rows) in tables.items():
        write_table(path, name, rows)
        write_provenance(path, watch, resamples=RESAMPLES, rows=len(rows))
