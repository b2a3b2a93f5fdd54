"""What the rungs before the last foretell of the last one, before it is looked at.

Two kinds of law predict: the surface L(N, D) of a family, from all sizes, and the curve of each size along its own
rungs, with a floor and without. Beside them stand two guesses that need no law, which they must beat: that a size
stays at the loss of its last rung, and that nothing gets better than the best so far.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import BOOTSTRAP, Fit, fit
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.metrics import Reals
from transferscale.scaling.rungs.ladder import Row, Rows, ladder
from transferscale.scaling.rungs.repeats import ONCE, epochs
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table

SURFACE, CURVE, LAST, BEST = "surface", "depth curve", "last value", "best small"
# Laws of the curve of one size: with a floor and without one they are different claims.
CURVES = ("power", "power-floor")


@dataclass(frozen=True)
class Prediction:
    """The loss that is foretold of one size at the last rung.

    ``low`` and ``high`` are the 95 % interval of one new run, None without three trunks or more; ``law`` is empty for a
    guess, ``n`` counts the checkpoints that were fitted, ``epochs_fitted`` is how often they saw their clips at most.
    """

    family: str
    depth: int
    rung: int
    params_encoder: int
    clips_seen: int
    predictor: str
    law: str
    value: float
    low: float | None
    high: float | None
    n: int
    trunks: int
    epochs_fitted: float
    warnings: list[str]


def predictions(
    earlier: Rows, rung: int, clips: int, bootstrap: int = BOOTSTRAP
) -> tuple[list[Prediction], list[Fit], list[str]]:
    """Predict the last rung of every size.

    Parameters
    ----------
    earlier
        Rows of the `ladder` table; those of rung ``rung`` or later have no say.
    rung, clips
        The last rung and its budget in clips seen.
    bootstrap
        Resamples of every fit.

    Returns
    -------
    predictions, fits, refused
        The fits that were used, and a sentence for each that could not be made.
    """
    found: list[Prediction] = []
    fits: list[Fit] = []
    refused: list[str] = []
    before = [row for row in earlier if row["rung"] < rung]
    for family in dict.fromkeys(row["family"] for row in before):
        own = [row for row in before if row["family"] == family]
        sizes = {depth: [row for row in own if row["depth"] == depth] for depth in _depths(own)}
        empty = {
            depth: Prediction(
                family,
                depth,
                rung,
                rows[0]["params_encoder"],
                clips,
                *("", "", 0.0, None, None, 0, 0),
                max(map(epochs, rows)),
                _repeats(own, clips),
            )
            for depth, rows in sizes.items()
        }
        try:
            surface = _fit(own, ["params_encoder", "clips_seen"], "chinchilla", {"family": family}, bootstrap)
            fits.append(surface)
            at = np.array([[rows[0]["params_encoder"], clips] for rows in sizes.values()], dtype=np.float64)
            found += _of(surface, SURFACE, at, [*empty.values()], own)
        except UserError as error:
            refused.append(f"{family}, {SURFACE}: {error}")
        for law in CURVES:
            for depth, rows in sizes.items():
                try:
                    curve = _fit(
                        rows, ["clips_seen"], law, {"family": family, "depth": str(depth)}, bootstrap
                    )
                except UserError as error:
                    refused.append(f"{family}, depth {depth}, {law}: {error}")
                    continue
                fits.append(curve)
                found += _of(curve, CURVE, np.array([[float(clips)]]), [empty[depth]], rows)
        best = min(row["heldout_loss"] for row in own)
        for depth, rows in sizes.items():
            top = max(row["rung"] for row in rows)
            ended = [row["heldout_loss"] for row in rows if row["rung"] == top]
            last = float(np.exp(np.mean(np.log(ended))))
            for name, value in ((LAST, last), (BEST, best)):
                found.append(replace(empty[depth], predictor=name, value=value))
    return found, fits, refused


def _repeats(rows: Rows, clips: int) -> list[str]:
    """A warning where the last rung will see its clips more often than those it is foretold from.

    Only where these repeat them too: else it is not known from them how many different clips there are.
    """
    most, unique = max(map(epochs, rows)), max(row["clips_unique"] for row in rows)
    if most <= ONCE or clips / unique <= most:
        return []
    return [
        f"the last rung sees {unique} clips {clips / unique:.1f} times, those before it up to {most:.1f} times: a law "
        "that counts every clip as new may foretell too low a loss"
    ]


def _depths(rows: Rows) -> list[int]:
    return sorted({row["depth"] for row in rows})


def _fit(rows: Rows, x: Sequence[str], law: str, group: dict[str, str], bootstrap: int) -> Fit:
    return fit(
        np.array([[row[name] for name in x] for row in rows], dtype=np.float64),
        np.array([row["heldout_loss"] for row in rows]),
        law,
        cluster=[row["trunk"] for row in rows],
        outcome=Outcome(),
        bootstrap=bootstrap,
        names=(x, "heldout_loss"),
        group=group,
    )


def _of(one: Fit, predictor: str, at: Reals, of: Sequence[Prediction], rows: Rows) -> Iterator[Prediction]:
    """The predictions of a fit at places (places, variables), of one size each."""
    values, ends = one.predict(at), one.new_run(at)
    trunks = len({row["trunk"] for row in rows})
    for i, size in enumerate(of):
        yield replace(
            size,
            predictor=predictor,
            law=one.law,
            value=float(values[i]),
            low=None if ends is None else float(ends[0][i]),
            high=None if ends is None else float(ends[1][i]),
            n=one.n,
            trunks=trunks,
            warnings=[*size.warnings, *one.warnings],
        )


def run(study: Study, checkpoints: Path, out: Path) -> None:
    """Write the `rung_prediction` table of a study from the checkpoints of its earlier rungs.

    Raises
    ------
    UserError
        If the table holds checkpoints of the last rung, which would make the prediction worthless.
    """
    watch = Stopwatch()
    last = study.rung("last")
    rows = ladder(read_table(checkpoints, "checkpoints").to_pylist())
    late = next((row for row in rows if row["rung"] >= last), None)
    if late is not None:
        raise UserError(
            f"{checkpoints}: holds checkpoints of rung {late['rung']}, the one to predict; gather the rungs before it "
            "with `transferscale scaling checkpoints --before-last`"
        )
    found, fits, refused = predictions(_known(rows), last, study.pretrain.budgets.at(last))
    write_table(out, "rung_prediction", [asdict(one) for one in found])
    write_provenance(out, watch, fits=[one.as_json() for one in fits], left_out=refused)


def _known(rows: Rows) -> list[Row]:
    """Rows whose loss is a number above zero, of which a law takes the logarithm."""
    return [row for row in rows if row["heldout_loss"] is not None and row["heldout_loss"] > 0]


def observed(rows: Sequence[dict[str, Any]], predicted: Sequence[Row]) -> dict[tuple[str, int], list[float]]:
    """Losses of every predicted (family, depth) among rows of the `ladder` table, one a trunk."""
    places = {(one["family"], one["depth"], one["rung"]) for one in predicted}
    out: dict[tuple[str, int], list[float]] = {}
    for row in _known(rows):
        if (row["family"], row["depth"], row["rung"]) in places:
            out.setdefault((row["family"], row["depth"]), []).append(float(row["heldout_loss"]))
    return out
