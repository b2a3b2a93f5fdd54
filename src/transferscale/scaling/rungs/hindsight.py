"""Whether the last rung came out as foretold: errors of every predictor beside those of the plain guesses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.fits.backtest import rmsle
from transferscale.scaling.rungs.ladder import Row, ladder
from transferscale.scaling.rungs.prediction import BEST, LAST, observed
from transferscale.scaling.rungs.repeats import epochs
from transferscale.tables import read_table, write_table


def tests(predicted: Sequence[Row], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the `rung_test` table: a family and predictor each.

    Parameters
    ----------
    predicted
        Rows of the `rung_prediction` table.
    rows
        Rows of the `ladder` table with the last rung.

    Raises
    ------
    UserError
        If a size that was predicted has no checkpoint at the last rung.
    """
    seen = observed(rows, predicted)
    for one in predicted:
        if (one["family"], one["depth"]) not in seen:
            raise UserError(
                f"family {one['family']}, depth {one['depth']}: predicted, but no checkpoint of rung {one['rung']} is "
                "in the table; gather the checkpoints again"
            )
    out: list[dict[str, Any]] = []
    for key in dict.fromkeys((one["family"], one["predictor"], one["law"]) for one in predicted):
        own = [one for one in predicted if (one["family"], one["predictor"], one["law"]) == key]
        pairs = [(one, value) for one in own for value in seen[one["family"], one["depth"]]]
        told = np.array([one["value"] for one, _ in pairs])
        measured = np.array([value for _, value in pairs])
        bounded = [(one, value) for one, value in pairs if one["low"] is not None]
        family, predictor, law = key
        out.append(
            {
                "family": family,
                "predictor": predictor,
                "law": law,
                "sizes": len(own),
                "runs": len(pairs),
                "rmsle": rmsle(np.log(told), np.log(measured)),
                "relative_error": float(np.mean(np.abs(told / measured - 1))),
                "bias": float(np.exp(np.mean(np.log(told / measured))) - 1),
                "bounded": len(bounded),
                "epochs": max(epochs(row) for row in rows if _tested(row, own)),
                "epochs_fitted": max(one["epochs_fitted"] for one in own),
                "inside": sum(one["low"] <= value <= one["high"] for one, value in bounded),
            }
        )
    return [{**row, "beats_guesses": _beats(row, out)} for row in out]


def _tested(row: Row, predicted: Sequence[Row]) -> bool:
    """Whether a checkpoint is one of those that were foretold."""
    return any(all(row[key] == one[key] for key in ("family", "depth", "rung")) for one in predicted)


def _beats(row: dict[str, Any], every: Sequence[dict[str, Any]]) -> bool | None:
    """Whether a law is nearer than both guesses over the same sizes; None for a guess, and where sizes differ."""
    if row["predictor"] in (LAST, BEST):
        return None
    guesses = [one for one in every if one["family"] == row["family"] and one["predictor"] in (LAST, BEST)]
    if any(one["sizes"] != row["sizes"] for one in guesses):
        return None
    return all(row["rmsle"] < one["rmsle"] for one in guesses)


def run(prediction: Path, checkpoints: Path, out: Path) -> None:
    """Write the `rung_test` table from a prediction and the `checkpoints` table with the last rung."""
    watch = Stopwatch()
    predicted = read_table(prediction, "rung_prediction").to_pylist()
    rows = ladder(read_table(checkpoints, "checkpoints").to_pylist())
    write_table(out, "rung_test", tests(predicted, rows))
    write_provenance(out, watch)
