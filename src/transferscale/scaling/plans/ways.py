"""The ways to a target score by one arm: the cheapest, and the frontier of pretraining compute and subjects.

An arm that was pretrained has a law of compute and labelled subjects, one that was not a power law of the
subjects. A way starts at the smallest scale that was measured (less might do, which is said) and ends at a
stated multiple of the largest; what lies beyond the data says so, and a scale whose exponent is not identified
is not extrapolated at all. All of it is repeated in every draw.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import BOOTSTRAP
from transferscale.scaling.fits.identification import identified
from transferscale.scaling.metrics import Reals
from transferscale.scaling.plans.cost import Prices, Rate
from transferscale.scaling.plans.requirement import Surface, between, ends, surface
from transferscale.scaling.plans.target import Target

# How far beyond the largest measured scale a plan goes unless told otherwise.
BEYOND = 10.0
# Label counts that are tried at most, for a law of compute and subjects and for one of subjects alone.
COUNTS, COUNTS_ALONE = 160, 2000
# Levels of compute that a frontier shows within the data and beyond.
WITHIN, OUTSIDE = 6, 2
# A share of the draws up to the first settles that a target is not reached, from the second that it is.
NEVER, ALWAYS = 0.025, 0.975

REACHABLE, NOT_REACHABLE, NOT_IDENTIFIED = "reachable", "not reachable in range", "not identified"
LEAST, INSIDE, FRONTIER = "least", "least within the data", "frontier"


@dataclass(frozen=True)
class Runs:
    """Runs of one arm: pretraining FLOPs (0 for none), labelled subjects and score, each of shape (runs,)."""

    arm: str
    flops: Reals
    subjects: Reals
    score: Reals
    cluster: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def pretrained(self) -> bool:
        """Whether any run was."""
        return bool((self.flops > 0).any())


@dataclass(frozen=True)
class Question:
    """What is asked of a plan.

    Attributes
    ----------
    rate, prices
        With a rate compute is told in hours too; with prices the cheapest way is found, else the frontier
        alone.
    law
        Law of pretraining compute and labelled subjects.
    beyond
        How many times the largest measured scale a plan may use; 1 for no extrapolation.
    most_subjects
        Subjects that can be labelled at most.
    bootstrap, seed
        Draws of the fits, and their seed.
    names
        How compute and subjects are called in sentences.
    """

    target: Target
    rate: Rate | None = None
    prices: Prices | None = None
    law: str = "finetune"
    beyond: float = BEYOND
    most_subjects: float | None = None
    bootstrap: int = BOOTSTRAP
    seed: int = 0
    names: tuple[str, str] = ("flops", "subjects")


@dataclass(frozen=True)
class Amount:
    """A number with its 95 % interval; None where it is not known, infinite where it lies beyond the range."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Way:
    """One way to the target: so much pretraining and so many labelled subjects.

    Attributes
    ----------
    kind
        The cheapest way, the cheapest within the data, or a point of the frontier.
    status
        Reachable, not reachable in range, or not identified; only what is reachable has values.
    reached
        Share of the draws in which the target is reached within the range; None without draws.
    extrapolated
        Factor by which compute or subjects, whichever is farther out, lie beyond the largest measured; 1 within.
    bound
        '<=' where the least compute or the fewest subjects that were measured are used: less might do.
    """

    kind: str
    flops: Amount
    hours: Amount
    subjects: Amount
    cost: Amount
    status: str
    reached: float | None
    extrapolated: float
    bound: str


@dataclass(frozen=True)
class Option:
    """An arm, and what it takes to reach the target with it; ``refused`` says why nothing could be fitted.

    ``costs`` and ``fewest`` hold the least cost (None without prices) and the fewest subjects of the frontier,
    in the fit and in every draw, shapes (1 + draws,).
    """

    arm: str
    pretrained: bool
    surface: Surface | None = None
    ways: tuple[Way, ...] = ()
    refused: str = ""
    costs: Reals | None = field(default=None, repr=False)
    fewest: Reals | None = field(default=None, repr=False)

    def way(self, kind: str) -> Way | None:
        """The way of that kind."""
        return next((way for way in self.ways if way.kind == kind), None)

    @property
    def warnings(self) -> list[str]:
        """What must be said of the arm's law, and of how far it is trusted."""
        if self.surface is None:
            return []
        names = [name for i, name in enumerate(self.surface.scales) if not self.surface.known(i)]
        far = [f"'{name}' is not extrapolated, as its exponent is not identified" for name in names]
        return [*self.surface.fit.warnings, *far]

    @property
    def frontier(self) -> list[Way]:
        """Subjects needed at each level of compute."""
        return [way for way in self.ways if way.kind == FRONTIER]


def option(runs: Runs, question: Question) -> Option:
    """Fit an arm and find its ways to the target.

    Raises
    ------
    UserError
        If it cannot be fitted, or more subjects were labelled in every run than there can be.
    """
    # Unnamed clusters of different arms have nothing in common, so they must not share their draws.
    own = question.seed if runs.cluster is not None else zlib.crc32(f"{question.seed}/{runs.arm}".encode())
    found = surface(
        [runs.flops, runs.subjects],
        question.names,
        runs.score,
        question.target,
        law=question.law,
        cluster=runs.cluster,
        bootstrap=question.bootstrap,
        seed=own,
        notes=runs.notes,
    )
    counts = _counts(found, question)
    ways: list[Way] = []
    costs = None
    if question.prices is not None:
        ways, costs = _cheapest(found, question, question.prices, counts)
    shown = _levels(found, question.beyond)
    needed = _whole(found.needed(1, counts, shown, question.target))
    subjects = np.where(needed <= _whole(_trusted(found, question, 1)), needed, np.inf)
    for at, level in enumerate(shown):
        flops, never = np.full(len(subjects), level), _never(found, needed[:, at])
        ways.append(_way(FRONTIER, found, question, flops, subjects[:, at], counts[0], never))
    return Option(runs.arm, runs.pretrained, found, tuple(ways), costs=costs, fewest=subjects.min(1))


def _trusted(found: Surface, question: Question, scale: int) -> Reals:
    """How far a scale is planned with: beyond the data only where its exponent is identified."""
    return np.array(found.largest[scale] * (question.beyond if found.known(scale) else 1.0))


def _counts(found: Surface, question: Question) -> Reals:
    """Label counts that a plan may use: whole numbers, or the only one that was measured."""
    low, most = found.least[1], question.most_subjects
    if most is not None and most < low:
        raise UserError(f"--subjects {most:g} is below the fewest that were measured, {low:g}")
    if found.fixed[1] is not None:
        return np.array([low])
    high = found.largest[1] * question.beyond
    high = np.floor(high if most is None else min(high, most))
    first = np.ceil(low)
    many = COUNTS if found.fixed[0] is None else COUNTS_ALONE
    return np.unique(np.rint(np.geomspace(first, max(high, first), many)))


def _levels(found: Surface, beyond: float) -> Reals:
    """Levels of compute that the frontier shows."""
    low, high = found.least[0], found.largest[0]
    if found.fixed[0] is not None:
        return np.array([low])
    inside = np.geomspace(low, high, WITHIN)
    if beyond == 1 or not found.known(0):
        return inside
    return np.concatenate([inside, high * np.geomspace(1, beyond, OUTSIDE + 1)[1:]])


def _whole(subjects: Reals) -> Reals:
    """Whole subjects, rounding up what is more than a rounding error."""
    return np.ceil(subjects - 1e-6)


def _cheapest(found: Surface, question: Question, prices: Prices, counts: Reals) -> tuple[list[Way], Reals]:
    """The cheapest way, that within the data where the first is not, and the least cost (1 + draws,)."""
    free = found.fixed[0] is None
    grid = between(found.least[0], found.largest[0] * (question.beyond if free else 1.0))
    flops = found.needed(0, grid, counts, question.target)
    subjects = np.broadcast_to(_whole(counts), flops.shape)
    costs = prices.cost(flops, subjects)
    trusted = _trusted(found, question, 0), _trusted(found, question, 1)
    ways, least_costs = [], []
    for kind, (most_flops, most_subjects) in ((LEAST, trusted), (INSIDE, found.largest)):
        allowed = (flops <= most_flops * (1 + 1e-9)) & (counts <= most_subjects)
        cost = np.where(allowed, costs, np.inf)
        best = cost.argmin(1)[:, None]
        least, *where = (np.take_along_axis(v, best, 1)[:, 0] for v in (cost, flops, subjects))
        compute, many = (np.where(np.isfinite(least), v, np.inf) for v in where)
        never = _never(found, costs.min(1) if kind == LEAST else least)
        ways.append(_way(kind, found, question, compute, many, counts[0], never))
        least_costs.append(least)
    return ways[: 1 + (ways[0].extrapolated > 1)], least_costs[0]


def _never(found: Surface, values: Reals) -> bool:
    """Whether the target is not reached within the whole range: not in the fit, and hardly in any draw."""
    if np.isfinite(values[0]):
        return False
    if not found.draws:
        return found.known(0) and found.known(1)
    return float(np.isfinite(values[1:]).mean()) <= NEVER


def _way(
    kind: str,
    found: Surface,
    question: Question,
    flops: Reals,
    subjects: Reals,
    fewest: float,
    never: bool,
) -> Way:
    """A way from its value in the fit and in every draw, each of shape (1 + draws,)."""
    cost = None if question.prices is None else question.prices.cost(flops, subjects)
    reached = float(np.isfinite(subjects[1:]).mean()) if found.draws else None
    given = kind == FRONTIER
    status = _status(found, subjects if cost is None or given else cost, reached, never)
    known = status == REACHABLE
    compute = Amount(float(flops[0])) if given else _amount(flops, known, found)
    farthest = [1.0]
    for value, largest in (
        (flops[0], found.largest[0]),
        (subjects[0], _whole(np.array(found.largest[1]))),
    ):
        if np.isfinite(value) and largest > 0:
            farthest.append(float(value / largest))
    least_compute = found.fixed[0] is None and not given and flops[0] <= found.least[0]
    smallest = least_compute or subjects[0] <= _whole(np.array(fewest))
    return Way(
        kind=kind,
        flops=compute,
        hours=Amount(*(_hours(question.rate, end) for end in (compute.value, compute.low, compute.high))),
        subjects=_amount(subjects, known, found),
        cost=Amount() if cost is None else _amount(cost, known, found),
        status=status,
        reached=reached,
        extrapolated=max(farthest) if max(farthest) > 1 + 1e-6 else 1.0,
        bound="<=" if known and smallest else "",
    )


def _hours(rate: Rate | None, flops: float | None) -> float | None:
    return None if rate is None or flops is None else rate.hours(flops)


def _status(found: Surface, judged: Reals, reached: float | None, never: bool) -> str:
    if never:
        return NOT_REACHABLE
    there = bool(np.isfinite(judged[0]))
    if reached is None:
        sure = there and found.known(0) and found.known(1)
    else:
        sure = there and reached >= ALWAYS and identified(*ends(judged[1:]))
    return REACHABLE if sure else NOT_IDENTIFIED


def _amount(values: Reals, known: bool, found: Surface) -> Amount:
    low, high = ends(values[1:]) if found.draws else (None, None)
    return Amount(float(values[0]) if known else None, low, high)
