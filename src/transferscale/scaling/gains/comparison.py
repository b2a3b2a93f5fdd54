"""An arm against one reference at one label count: the columns of the `gains` table that any table can give."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from transferscale.scaling.gains.cells import Cell
from transferscale.scaling.gains.effective_data import EffectiveData, effective_data
from transferscale.scaling.gains.nadeau_bengio import CorrectedTest, corrected_t_test
from transferscale.scaling.gains.pairs import Pair, paired
from transferscale.scaling.gains.scores import Evaluation
from transferscale.scaling.gains.verdict import negligible, p_value, verdict, words
from transferscale.study.detectable import CORRELATION, DETECTABLE, detectable_gain

# What the smallest detectable gain stated beforehand rests on.
ASSUMPTION = (
    "80 % power at two-sided 5 %, if the arm varies as much as the reference over new subjects, draws and seeds "
    f"and correlates {CORRELATION} with it"
)

# Scores that vary less do not vary: their differences are rounding.
ROUNDING = 1e-12


def detectable_beforehand(reference: Evaluation[Cell]) -> float | None:
    """Smallest detectable gain over a reference, from its own predictions alone.

    Assumed is an arm that varies as much as the reference over new subjects, draws and seeds, and is correlated
    with it by one half (``study.detectable``). None where the reference does not vary, as a constant prediction.
    """
    error = float(reference.values.std(ddof=1))
    return detectable_gain(error) if error > ROUNDING else None


def beforehand_sentence(curve: Sequence[Evaluation[Cell]]) -> str:
    """What could be detected over a reference at its label counts, under :data:`ASSUMPTION`."""
    name, metric = curve[0].cell.arm, curve[0].metric
    found = [
        f"{'not to be told' if (smallest := detectable_beforehand(one)) is None else f'{smallest:.2g}'} "
        f"at n = {one.cell.n_labels}"
        for one in curve
    ]
    return f"smallest detectable gain in {metric} over {name}, from {name} alone: {', '.join(found)}"


def in_words(row: Mapping[str, Any], claims: int) -> str:
    """The verdict of a row of gains in words; Holm's correction is over ``claims`` claims."""
    return words(
        row["verdict"],
        small=negligible(row["low90"], row["high90"], row["sesoi"]),
        detectable=row["detectable"],
        p_holm=row["p_holm"],
        claims=claims,
    )


def compare(
    arm: Evaluation[Cell],
    reference: Evaluation[Cell],
    curve: Sequence[Evaluation[Cell]],
    sesoi: float | None,
) -> dict[str, Any]:
    """Gain, intervals, cross-check, effective data and verdict.

    Parameters
    ----------
    arm, reference
        The same metric of two cells of one task at one label count.
    curve
        The reference at all its label counts, by rising number of subjects; ``reference`` is among them.
    sesoi
        Smallest effect size of interest; None when none was declared.

    Raises
    ------
    UserError
        If the two were not tested on the same subjects, folds and draws.
    """
    pair = paired(arm, reference)
    estimate = pair.arm_value - pair.reference_value
    low, low90, high90, high = (float(q) for q in np.quantile(pair.gains, [0.025, 0.05, 0.95, 0.975]))
    found = verdict(low, high, low90, high90, sesoi)
    warnings = _resampling(pair)
    test = _cross_check(pair, warnings)
    if test is not None:
        checked = verdict(test.low, test.high, test.low90, test.high90, sesoi)
        if checked != found:
            warnings.append(
                f"the corrected resampled t-test disagrees: '{checked}' where the crossed bootstrap says '{found}' "
                f"({test.low:+.3g} to {test.high:+.3g}; with few folds it is the more cautious of the two)"
            )
    transferred = _transferred(pair, curve, estimate, warnings)
    return {
        "metric": arm.metric,
        "n_subjects": len(arm.cell.subjects),
        "n_draws": len(np.unique(pair.columns[:, 1])),
        "n_seeds": len(np.unique(pair.columns[:, 2])),
        "arm_value": pair.arm_value,
        "reference_value": pair.reference_value,
        "detectable_before": detectable_beforehand(reference),
        "detectable": DETECTABLE * float(pair.gains.std(ddof=1)),
        "estimate": estimate,
        "low": low,
        "high": high,
        "low90": low90,
        "high90": high90,
        "p_value": p_value(pair.gains),
        "p_holm": None,
        "nb_low": None if test is None else test.low,
        "nb_high": None if test is None else test.high,
        "nb_p_value": None if test is None else test.p_value,
        **_effective_columns(transferred),
        "sesoi": sesoi,
        "verdict": found,
        "warnings": warnings,
    }


def _resampling(pair: Pair) -> list[str]:
    """What the interval does not cover."""
    warnings = []
    for cell, used, other in (
        (pair.arm.cell, pair.kept, pair.reference.cell),
        (pair.reference.cell, pair.partner, pair.arm.cell),
    ):
        left = len(cell.columns) - len(set(used.tolist()))
        if left:
            warnings.append(
                f"{left} of {len(cell.columns)} combinations of repeat, draw and seed of {cell.who} are left out: "
                f"{other.who} lacks them"
            )
    for word, column in (("draw", 1), ("seed", 2)):
        if len(np.unique(pair.columns[:, column])) == 1 and not _all_labelled(pair, word):
            warnings.append(f"one {word}: the interval is for this {word} and does not cover new ones")
    return warnings


def _all_labelled(pair: Pair, word: str) -> bool:
    """Whether there is nothing to draw."""
    return word == "draw" and pair.arm.cell.n_labels == "all"


def _cross_check(pair: Pair, warnings: list[str]) -> CorrectedTest | None:
    """The corrected resampled t-test over the folds; what it cannot use goes to ``warnings``."""
    share = pair.test_share
    if share == 1:
        warnings.append("no corrected resampled t-test: the subjects were tested in one fold")
        return None
    gains = pair.fold_gains
    scored = np.isfinite(gains)
    # A fold that a column does not have is no fold left out.
    folds = np.unique(pair.arm.cell.fold)
    there = np.stack([(pair.arm.cell.fold[:, pair.kept] == fold).any(0) for fold in folds])
    left = int((there & ~scored).sum())
    if left:
        warnings.append(
            f"the corrected resampled t-test leaves out {left} of {int(there.sum())} folds, "
            f"in which {pair.arm.metric} is not defined (a class is missing, or there are too few subjects)"
        )
    return corrected_t_test(gains[scored], share / (1 - share))


def _transferred(
    pair: Pair, curve: Sequence[Evaluation[Cell]], estimate: float, warnings: list[str]
) -> EffectiveData | None:
    own = pair.arm.cell.n_train
    counts = np.array([point.cell.n_train for point in curve])
    if len(curve) < 2 or not np.isfinite([own, *counts]).all():
        return None
    values = np.stack([point.values for point in curve], 1)
    at = next(i for i, point in enumerate(curve) if point.cell.n_labels == pair.reference.cell.n_labels)
    rise = values[:, -1] - values[:, 0]
    if not np.quantile(rise, 0.025) > 0:
        warnings.append(
            f"{pair.reference.cell.who} does not measurably improve from {counts[0]:.3g} to {counts[-1]:.3g} "
            "labelled subjects: on so flat a curve a gain can hardly be told in subjects"
        )
    return effective_data(
        counts, np.array([point.value for point in curve]), values, at, estimate, pair.gains, own
    )


def _effective_columns(found: EffectiveData | None) -> dict[str, Any]:
    if found is None:
        names = ("data", "low", "high", "open")
        nothing = [f"effective_{name}" for name in names]
        return dict.fromkeys([*nothing, "multiplier", "multiplier_low", "multiplier_high", "bound"])
    return {
        "effective_data": found.value,
        "effective_low": found.low,
        "effective_high": found.high,
        "effective_open": _open(found),
        "multiplier": found.multiplier,
        "multiplier_low": found.multiplier_low,
        "multiplier_high": found.multiplier_high,
        "bound": found.bound,
    }


def _open(found: EffectiveData) -> str:
    """Ends of the interval that lie at the end of the curve."""
    if found.open_low and found.open_high:
        return "both"
    return "low" if found.open_low else "high" if found.open_high else ""
