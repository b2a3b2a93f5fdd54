"""Which family to scale: crossovers, multipliers at equal outcome, and the probability of being best at a target.

Every family is fitted by the same law. Draws of the wild cluster bootstrap are paired where families share labels
(the same seed, subject or order of the data) and independent elsewhere, so the spread of a difference is that of the
difference. The mathematics is in :mod:`transferscale.scaling.comparisons.crossover`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.comparisons.crossover import Crossover, Window, crossover, order, outside, p_best
from transferscale.scaling.comparisons.families import AUTO, Family, Fitted, common_outcome, fit_families
from transferscale.scaling.comparisons.multiplier import Multiplier, multiplier
from transferscale.scaling.comparisons.verdict import Setting, verdict
from transferscale.scaling.fits.fit import BOOTSTRAP, STARTS, Fit
from transferscale.scaling.fits.objectives import Objective
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.points import Points
from transferscale.scaling.laws import FORMS
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.laws.base import Law


@dataclass(frozen=True)
class FamilyPair:
    """Two families against each other."""

    families: tuple[str, str]
    crossover: Crossover
    in_range: bool
    """Whether the crossover lies in the range and in the data of both families."""
    p_better: tuple[float, float] | None
    """Probability that each is better than the other at the target."""
    multipliers: tuple[Multiplier, ...]
    verdict: str
    warnings: tuple[str, ...]

    @property
    def overtakes(self) -> str | None:
        """The family that leads beyond the crossover."""
        at = self.crossover.overtakes
        return None if at is None else self.families[at]


@dataclass(frozen=True)
class Comparison:
    """Families of one group compared, with what is needed to draw them."""

    group: dict[str, str]
    x: str
    y: str
    outcome: Outcome
    fits: dict[str, Fit]
    pairs: tuple[FamilyPair, ...]
    window: Window = field(repr=False)
    target: float
    p_none_in_range: float | None
    """Share of draws in which no two families cross within the range."""
    p_better_at_target: dict[str, float | None]
    """Share of draws in which each family is the best of all at the target."""
    verdict: str
    left_out: tuple[str, ...]
    """A sentence for each family that could not be fitted."""

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain JSON values, with the keys of the command line."""
        found = {
            "crossovers": [self._pair_json(pair) for pair in self.pairs],
            "p_none_in_range": self.p_none_in_range,
            "p_better_at_target": self.p_better_at_target,
            "verdict": self.verdict,
        }
        return {"group": self.group, **found} if self.group else found

    def _pair_json(self, pair: FamilyPair) -> dict[str, Any]:
        found = pair.crossover
        return {
            "families": list(pair.families),
            "x": found.x,
            "low": found.low,
            "high": found.high,
            "in_range": pair.in_range,
            "answer": found.answer,
            "overtakes": pair.overtakes,
            "roots": [{"x": root.x, "overtakes": pair.families[root.overtakes]} for root in found.roots],
            "p_roots_in_range": _named(("0", "1", "2 or more"), found.p_roots),
            "p_leads_throughout": _named(pair.families, found.throughout),
            "range": [self.window.low, self.window.high],
            "searched": list(self.window.searched),
            "target": self.target,
            "p_better_at_target": _named(pair.families, pair.p_better),
            "multipliers": [
                {
                    "level": one.level,
                    "x": dict(zip(pair.families, one.at, strict=True)),
                    "ratio": one.ratio,
                    "low": one.low,
                    "high": one.high,
                    "not_reached": list(one.unreached),
                    "factor_outside_data": one.outside,
                }
                for one in pair.multipliers
            ],
            "laws": {name: self.fits[name].law for name in pair.families},
            "outcome": self.outcome.describe(self.y),
            "verdict": pair.verdict,
            "warnings": list(pair.warnings),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the `crossovers` table: one a pair of families and level."""
        out = []
        for pair in self.pairs:
            found, (first, second) = pair.crossover, pair.families
            laws = list(dict.fromkeys(self.fits[name].law for name in pair.families))
            row = {
                "group": ", ".join(f"{name} = {value}" for name, value in self.group.items()),
                "x_column": self.x,
                "y_column": self.y,
                "law": " | ".join(laws),
                "family_a": first,
                "family_b": second,
                "answer": found.answer,
                "overtakes": pair.overtakes,
                "x": found.x,
                "low": found.low,
                "high": found.high,
                "in_range": pair.in_range,
                "p_none_in_range": None if found.p_roots is None else found.p_roots[0],
                "range_low": self.window.low,
                "range_high": self.window.high,
                "target": self.target,
                "p_b_better_at_target": None if pair.p_better is None else pair.p_better[1],
            }
            for one in pair.multipliers:
                at_level = {
                    "level": one.level,
                    "multiplier": one.ratio,
                    "multiplier_low": one.low,
                    "multiplier_high": one.high,
                }
                out.append({**row, **at_level, "verdict": pair.verdict, "warnings": list(pair.warnings)})
        return out


def _named(names: Sequence[str], shares: Sequence[float] | None) -> dict[str, float] | None:
    return None if shares is None else dict(zip(names, shares, strict=True))


def compare(
    points: Mapping[str, Points],
    law: str | Law,
    *,
    breaks: int = 1,
    bounds: tuple[float, float] | None = None,
    target: float | None = None,
    levels: Sequence[float] = (),
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
    objective: Objective | None = None,
    starts: int = STARTS,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    names: tuple[str, str] = ("x", "y"),
    group: Mapping[str, str] | None = None,
    left_out: Sequence[str] = (),
) -> Comparison:
    """Compare families, each fitted by the same law, or with law "auto" by the laws that suit it.

    Points of several families with the same ``pair`` are taken to vary together and are resampled together.
    Without a pair, families are independent. A family with pairs and no clusters is clustered by its pairs.

    Parameters
    ----------
    points
        Points of each family by its name; one variable.
    law, breaks
        As in :func:`transferscale.scaling.fits.fit.fit`.
    bounds
        The range of scales in question; default: from the smallest to the largest scale of any family.
    target
        Scale at which the families are ranked; default: the upper end of the range.
    levels
        Outcomes at which scales are compared; default: see
        :func:`transferscale.scaling.comparisons.multiplier.multiplier`.
    better, ceiling, chance
        Of a loss or a score, such as accuracy; see :func:`transferscale.scaling.fits.outcome.outcome_of`.
    objective, starts, bootstrap, seed
        As in :func:`transferscale.scaling.fits.fit.fit`.
    names, group, left_out
        For the result: names of scale and outcome, the group, and sentences on families left out before.

    Raises
    ------
    UserError
        If an option is wrong, or fewer than two families can be fitted.
    """
    check_options(law, breaks, bounds, target)
    if len(points) < 2:
        found = f"one family, '{next(iter(points))}'" if points else "no family"
        raise UserError("; ".join([f"there is {found}; a comparison needs two", *left_out]))
    # A choice among laws is one among laws that fall with scale.
    form = law_named("power-floor" if law == AUTO else law, 1, breaks) if isinstance(law, str) else law
    group = dict(group or {})
    outcome, remarks = common_outcome(points, form, names[1], better, ceiling, chance)
    errors = [_log_error(level, outcome, names[1]) for level in levels]
    options = {"objective": objective, "starts": starts, "bootstrap": bootstrap, "seed": seed}
    fits, unfitted = fit_families(points, law if law == AUTO else form, outcome, names, group, **options)
    families = {name: Fitted.of(name, one, points[name]) for name, one in fits.items()}
    return compare_fits(
        families,
        outcome,
        bounds=bounds,
        target=target,
        errors=errors,
        draws=bootstrap,
        names=names,
        group=group,
        left_out=[*left_out, *unfitted],
        remarks=lambda a, b: [*remarks, *_of_the_pairing(a, b, points)],
    )


def compare_fits(
    families: Mapping[str, Fitted],
    outcome: Outcome,
    *,
    bounds: tuple[float, float] | None = None,
    target: float | None = None,
    errors: Sequence[float] = (),
    draws: int = BOOTSTRAP,
    names: tuple[str, str] = ("x", "y"),
    group: Mapping[str, str] | None = None,
    left_out: Sequence[str] = (),
    remarks: Callable[[Family, Family], Sequence[str]] = lambda a, b: (),
) -> Comparison:
    """Compare families that are fitted already, all by one law.

    Parameters
    ----------
    families
        Fits by the families' names.
    outcome
        What was fitted in all of them.
    errors
        Log errors at which scales are compared.
    draws
        Resamples of the fits; 0 without intervals.
    remarks
        Sentences on a pair of families.
    bounds, target, names, group, left_out
        As for :func:`compare`.

    Raises
    ------
    UserError
        If there are fewer than two families.
    """
    told = list(left_out)
    if len(families) < 2:
        raise UserError("; ".join(["fewer than two families can be fitted", *told]))
    spans = [one.data for one in families.values()]
    window = Window.of(*(bounds or (min(low for low, _ in spans), max(high for _, high in spans))))
    target = window.high if target is None else target
    found = [Family.of(name, one, window, target) for name, one in families.items()]
    setting = Setting(
        window=window,
        target=target,
        draws=draws,
        data={one.name: one.data for one in found},
        independent={one.name: len(one.labels) for one in found},
    )
    pairs = tuple(_pair(a, b, setting, outcome, errors, remarks(a, b)) for a, b in combinations(found, 2))
    best, shares = _at_target(found)
    return Comparison(
        group=dict(group or {}),
        x=names[0],
        y=names[1],
        outcome=outcome,
        fits={one.name: one.fit for one in found},
        pairs=pairs,
        window=window,
        target=target,
        p_none_in_range=_p_none(found, window),
        p_better_at_target={one.name: None if shares is None else shares[one.name] for one in found},
        verdict=verdict([(one.families, one.crossover) for one in pairs], best, shares, setting, told),
        left_out=tuple(told),
    )


def check_options(
    law: str | Law, breaks: int, bounds: tuple[float, float] | None, target: float | None
) -> None:
    """Refuse options that are wrong whatever the points are.

    Raises
    ------
    UserError
        If the law is unknown or one of several scales, the range is empty or reversed, or the target no scale.
    """
    if isinstance(law, str) and law != AUTO:
        if law in FORMS and all(len(form.variables) > 1 for form in FORMS[law]):
            raise UserError(f"law '{law}' is one of several scales; families are compared by a law of one")
        law_named(law, 1, breaks)
    if bounds is not None:
        low, high = bounds
        if not (np.isfinite(low) and np.isfinite(high) and low > 0):
            raise UserError(f"--range {low:g} {high:g}: scales must be above zero and finite")
        if not low < high:
            raise UserError(f"--range {low:g} {high:g}: the first must lie below the second")
    if target is not None and not (np.isfinite(target) and target > 0):
        raise UserError(f"--target must be a scale above zero, not {target:g}")


def _log_error(level: float, outcome: Outcome, name: str) -> float:
    """A level of the outcome as what curves are in."""
    error = float(outcome.error(np.array(level)))
    if not (np.isfinite(error) and error > 0):
        bound = f"below the ceiling ({outcome.ceiling:g})" if outcome.score else "above zero"
        raise UserError(f"--level {level:g}: a level of '{name}' must lie {bound}")
    return float(np.log(error))


def _pair(
    a: Family, b: Family, setting: Setting, outcome: Outcome, errors: Sequence[float], remarks: Sequence[str]
) -> FamilyPair:
    """Two families against each other."""
    window, names = setting.window, (a.name, b.name)
    drawn = None if a.draws is None or b.draws is None else (a.draws.grid, b.draws.grid)
    found = crossover((a.curve, b.curve), drawn, window)
    if drawn is None and setting.draws:
        found = replace(found, answer="not identified", reason="few clusters", x=None, overtakes=None)
    spans = [(window.low, window.high), a.data, b.data]
    best, shares = _at_target([a, b])
    return FamilyPair(
        families=names,
        crossover=found,
        in_range=found.x is not None and all(outside(found.x, span) <= 1 for span in spans),
        p_better=None if shares is None else (shares[a.name], shares[b.name]),
        multipliers=tuple(
            multiplier((a, b), window, outcome, error) for error in (errors if errors else [None])
        ),
        verdict=verdict([(names, found)], best, shares, setting),
        warnings=(*remarks, *(f"{one.name}: {warning}" for one in (a, b) for warning in one.fit.warnings)),
    )


def _at_target(families: Sequence[Family]) -> tuple[str, dict[str, float] | None]:
    """The best fitted curve at the target, and for each family the probability of being the best there."""
    best = min(families, key=lambda one: one.at_target).name
    drawn = [one.draws.target for one in families if one.draws is not None]
    if len(drawn) < len(families):
        return best, None
    return best, {one.name: float(p) for one, p in zip(families, p_best(np.stack(drawn)), strict=True)}


def _p_none(families: Sequence[Family], window: Window) -> float | None:
    """Share of draws in which no two families cross within the range."""
    drawn = [one.draws.grid for one in families if one.draws is not None]
    if len(drawn) < len(families):
        return None
    inside = slice(window.first, window.last)
    crossed = [np.isfinite(order(a, b, window).at[:, inside]).any(1) for a, b in combinations(drawn, 2)]
    return float(1 - np.any(crossed, axis=0).mean())


def _of_the_pairing(a: Family, b: Family, points: Mapping[str, Points]) -> list[str]:
    """What a reader must know of the clusters that two families share."""
    both = (a, b)
    shared = len(a.labels & b.labels)
    if all(points[one.name].pair is not None for one in both):
        if not shared:
            return [f"{a.name} and {b.name} have no pair in common, so their draws are independent"]
        told = []
        for one in both:
            clusters = len(set(points[one.name].cluster or ()))
            if clusters > len(one.labels):
                told.append(f"{one.name}: its {clusters} clusters share {len(one.labels)} pairs, which count")
        return told
    same = set(points[a.name].cluster or ()) & set(points[b.name].cluster or ())
    if same:
        return [
            f"clusters of {a.name} and {b.name} with the same name ('{min(same)}') were taken to be independent; if "
            "they are not, name them in --pair"
        ]
    return []
