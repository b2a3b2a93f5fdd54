"""Table `behaviour`: scores under every condition, and how much worse they are than on clean recordings."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from transferscale.conditions import plain
from transferscale.errors import UserError
from transferscale.scaling.behaviour.cells import ConditionCell
from transferscale.scaling.gains.pairs import paired
from transferscale.scaling.gains.scores import Evaluation, evaluate
from transferscale.scaling.gains.study_cells import CellKey, score_rows
from transferscale.scaling.metrics import CALIBRATION, LOWER_IS_BETTER, Reals
from transferscale.study.behaviour import SEVERITIES
from transferscale.study.study import Study


def rows(study: Study, cells: Sequence[ConditionCell]) -> list[dict[str, Any]]:
    """Rows of the `behaviour` table, cell by cell; metrics are the task's own and those of calibration.

    A corruption costs, in the same resamples of subjects, draws and seeds, the difference to the clean recordings of
    the same test subjects; so do sites. Subjects of another dataset are resampled apart from those of the task's own.

    Raises
    ------
    UserError
        If a condition has no clean predictions of the same read-outs to be held against.
    """
    clean: dict[tuple[CellKey, str], Evaluation[ConditionCell]] = {}
    found = []
    for cell in sorted(cells, key=lambda cell: not cell.clean):
        metrics: list[str] = [study.task(cell.dataset, cell.task).metric]
        metrics += CALIBRATION if cell.probability is not None else ()
        for metric in metrics:
            one = evaluate(cell, metric)
            if cell.clean:
                clean[cell.key, metric] = one
            elif (cell.key, metric) not in clean:
                raise UserError(
                    f"{cell.where}: {cell.who}, {cell.read_out}, n = {cell.n_labels} has no clean predictions beside "
                    "it; run `transferscale transfer behave` again"
                )
            found.append((one, _row(study, one, clean[cell.key, metric])))
    return [row for _, row in sorted(found, key=lambda pair: (pair[0].cell.place, pair[0].metric))]


def _row(study: Study, one: Evaluation[ConditionCell], clean: Evaluation[ConditionCell]) -> dict[str, Any]:
    cell = one.cell
    lost: dict[str, Any] = dict.fromkeys(("drop", "drop_low", "drop_high"))
    if not cell.clean:
        drop, drawn = _drop(one, clean)
        low, high = np.quantile(drawn, [0.025, 0.975])
        lost = {"drop": drop, "drop_low": float(low), "drop_high": float(high)}
    return {
        **score_rows([one])[0],
        "condition": cell.condition,
        "severity": cell.severity,
        "amount": amount(study, cell.condition, cell.severity),
        "clean": clean.value,
        **lost,
    }


def _drop(one: Evaluation[ConditionCell], clean: Evaluation[ConditionCell]) -> tuple[float, Reals]:
    """How much worse than clean, and the same in every resample."""
    worse = 1 if one.metric in LOWER_IS_BETTER else -1
    if one.cell.elsewhere:
        return worse * (one.value - clean.value), worse * (one.values - clean.values)
    pair = paired(one, clean)
    return worse * (pair.arm_value - pair.reference_value), worse * pair.gains


def amount(study: Study, condition: str, severity: int) -> float | None:
    """What a severity is of; None where a condition has no amount."""
    asked = plain(condition)
    if match := re.fullmatch(r"corrupt:(\w+)", asked):
        return SEVERITIES[match[1]][severity - 1]
    if asked == "attack" and study.behaviour is not None:
        return study.behaviour.radii[severity - 1]
    return None
