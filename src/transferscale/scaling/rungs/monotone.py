"""Whether held-out loss falls with size at equal clips, and with clips at equal size; what rises, and by how much.

A rise counts where it is larger than noise: than Student's 97.5 % quantile times its standard error. In size, the
noise is the spread of log loss between seeds of one size and rung; along a trunk it is the spread of the step itself
between seeds, which is smaller, since what a seed did better stays. Both are estimated rung by rung
(:mod:`~transferscale.scaling.rungs.noise`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from transferscale.scaling.metrics import Reals
from transferscale.scaling.rungs.ladder import Rows
from transferscale.scaling.rungs.noise import Noise, by_rung, pooled

SIZE, CLIPS = "size", "clips"
# In the place of a rung, the noise of a whole trunk.
WHOLE = 0


@dataclass(frozen=True)
class Step:
    """From one size (depth) or budget (rung) to the next: ``change`` of log loss, which should be below 0.

    ``limit`` is how far noise alone reaches, None without replicates.
    """

    family: str
    along: str
    at: int
    start: int
    end: int
    change: float
    limit: float | None

    @property
    def rises(self) -> bool:
        """Whether the loss goes up."""
        return self.change > 0

    @property
    def beyond(self) -> bool:
        """Whether it goes up by more than noise."""
        return self.limit is not None and self.change > self.limit

    @property
    def words(self) -> str:
        """Where the step is."""
        if self.along == SIZE:
            return f"rung {self.at}, depth {self.start} to {self.end}"
        return f"depth {self.at}, rung {self.start} to {self.end}"


@dataclass(frozen=True)
class Falls:
    """How many steps of a family fall along size or clips, rise within noise, and rise beyond it."""

    family: str
    along: str
    steps: int
    rises: int
    beyond: int
    judged: bool
    """Whether replicates tell what noise is."""
    fall: float
    """Change of log loss from the first to the last size or budget: in size the mean over rungs, each weighted by one
    over its noise's variance; in clips the mean over sizes."""
    limit: float | None
    """How far noise alone reaches from first to last; None without replicates."""

    @property
    def share(self) -> float:
        """The same as a share of the first loss."""
        return float(np.expm1(self.fall))

    @property
    def clear(self) -> bool:
        """Whether the loss falls from first to last, by more than noise where that is known."""
        return self.fall < -(self.limit or 0.0)

    @property
    def holds(self) -> bool:
        """Whether the loss clearly falls and no step rises by more than noise."""
        return self.clear and self.beyond == 0


class Runs:
    """Log losses of one family: of every trunk, by rung."""

    def __init__(self, rows: Rows) -> None:
        self.curves: dict[tuple[int, str], dict[int, float]] = {}
        self.clips: dict[int, float] = {}
        for row in rows:
            curve = self.curves.setdefault((row["depth"], row["trunk"]), {})
            curve[row["rung"]] = float(np.log(row["heldout_loss"]))
            self.clips[row["rung"]] = float(row["clips_seen"])
        self.depths = sorted({depth for depth, _ in self.curves})
        self.rungs = sorted({rung for curve in self.curves.values() for rung in curve})
        self.freedom = len(self.curves) - len(self.depths)
        # Rungs that every trunk has: the first and the last are those of the whole change.
        self.shared = [rung for rung in self.rungs if all(rung in curve for curve in self.curves.values())]

    def at(self, rung: int) -> dict[int, list[float]]:
        """Losses of a rung, by size."""
        out: dict[int, list[float]] = {}
        for (depth, _), curve in sorted(self.curves.items()):
            if rung in curve:
                out.setdefault(depth, []).append(curve[rung])
        return out

    def changes(self, before: int, after: int) -> dict[int, list[float]]:
        """Changes from one rung to another, by size."""
        out: dict[int, list[float]] = {}
        for (depth, _), curve in sorted(self.curves.items()):
            if before in curve and after in curve:
                out.setdefault(depth, []).append(curve[after] - curve[before])
        return out

    def mean(self, weights: Reals) -> dict[int, list[float]]:
        """Weighted means over the shared rungs, (rungs,), of every trunk, by size."""
        out: dict[int, list[float]] = {}
        for (depth, _), curve in sorted(self.curves.items()):
            own = np.array([curve[rung] for rung in self.shared])
            out.setdefault(depth, []).append(float(weights @ own))
        return out

    def size_noise(self) -> Noise:
        """Noise of a run at every rung."""
        return by_rung({rung: self.at(rung).values() for rung in self.rungs}, self.clips, self.freedom)

    def clips_noise(self) -> Noise:
        """Noise of a trunk's step between neighbouring rungs, named by the later one."""
        between = {after: self.changes(before, after).values() for before, after in pairwise(self.rungs)}
        return by_rung(between, self.clips, self.freedom) if between else Noise({}, 0)


def steps(rows: Rows) -> list[Step]:
    """All steps of every family of the `ladder` table, in size at equal clips and in clips at equal size."""
    return [
        step
        for family, runs in _families(rows)
        for step in (*_in_size(family, runs), *_in_clips(family, runs))
    ]


def summary(rows: Rows) -> list[Falls]:
    """Counts and the whole change, by family and direction."""
    out: list[Falls] = []
    for family, runs in _families(rows):
        for along, found in ((SIZE, [*_in_size(family, runs)]), (CLIPS, [*_in_clips(family, runs)])):
            if not found or not runs.shared:
                continue
            fall, limit = _whole_size(runs) if along == SIZE else _whole_clips(runs)
            rises, beyond = sum(one.rises for one in found), sum(one.beyond for one in found)
            out.append(Falls(family, along, len(found), rises, beyond, limit is not None, fall, limit))
    return out


def _families(rows: Rows) -> Iterator[tuple[str, Runs]]:
    for family in dict.fromkeys(row["family"] for row in rows):
        yield family, Runs([row for row in rows if row["family"] == family])


def _in_size(family: str, runs: Runs) -> Iterator[Step]:
    noise = runs.size_noise()
    for rung in runs.rungs:
        losses = runs.at(rung)
        for small, large in pairwise(losses):
            a, b = losses[small], losses[large]
            limit = noise.reach(rung, 1 / len(a) + 1 / len(b))
            yield Step(family, SIZE, rung, small, large, float(np.mean(b) - np.mean(a)), limit)


def _in_clips(family: str, runs: Runs) -> Iterator[Step]:
    noise = runs.clips_noise()
    for depth in runs.depths:
        for before, after in pairwise(runs.rungs):
            own = runs.changes(before, after).get(depth, [])
            if own:
                limit = noise.reach(after, 1 / len(own))
                yield Step(family, CLIPS, depth, before, after, float(np.mean(own)), limit)


def _whole_size(runs: Runs) -> tuple[float, float | None]:
    """From the smallest to the largest size, and its noise: that of whole trunks, whose rungs go together."""
    noise = runs.size_noise()
    sd = np.array([noise.sd[rung] for rung in runs.shared])
    weights = 1 / sd**2 if (sd > 0).all() else np.ones(len(sd))
    means = runs.mean(weights / weights.sum())
    first, last = means[runs.depths[0]], means[runs.depths[-1]]
    whole = _noise(means)
    return float(np.mean(last) - np.mean(first)), whole.reach(WHOLE, 1 / len(first) + 1 / len(last))


def _whole_clips(runs: Runs) -> tuple[float, float | None]:
    """From the first to the last budget. Sizes share their clips, so that their mean is no surer than one of them."""
    changes = runs.changes(runs.shared[0], runs.shared[-1])
    share = float(np.mean([1 / len(own) for own in changes.values()]))
    return float(np.mean([np.mean(own) for own in changes.values()])), _noise(changes).reach(WHOLE, share)


def _noise(groups: dict[int, list[float]]) -> Noise:
    """Noise of one quantity of a trunk, by size."""
    variance, freedom = pooled(groups.values())
    return Noise({WHOLE: float(np.sqrt(variance))}, freedom)
