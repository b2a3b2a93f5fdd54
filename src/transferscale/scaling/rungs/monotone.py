"""Whether held-out loss falls with size at equal clips, and with clips at equal size; what rises, and by how much.

A rise counts where it is larger than noise: than Student's 97.5 % quantile times its standard error. In size, the
noise is the spread of log loss between seeds of one size and rung; along a trunk it is the spread of the step itself
between seeds, which is smaller, since what a seed did better stays. Both are pooled over all sizes that have several
seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from transferscale.scaling.fits.student import critical
from transferscale.scaling.rungs.ladder import Rows

SIZE, CLIPS = "size", "clips"


@dataclass(frozen=True)
class Noise:
    """Standard deviation of a single run in the logarithm, and its degrees of freedom; 0 without replicates."""

    sd: float
    freedom: int


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


def steps(rows: Rows) -> list[Step]:
    """All steps of every family of the `ladder` table, in size at equal clips and in clips at equal size."""
    out: list[Step] = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        out += _in_size(family, own)
        out += _in_clips(family, own)
    return out


def pooled(groups: Iterable[Sequence[float]]) -> Noise:
    """Standard deviation within groups, pooled."""
    squares, freedom = 0.0, 0
    for group in groups:
        if len(group) > 1:
            squares += float(np.var(group) * len(group))
            freedom += len(group) - 1
    return Noise(float(np.sqrt(squares / freedom)) if freedom else 0.0, freedom)


def _in_size(family: str, rows: Rows) -> list[Step]:
    losses: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        losses.setdefault((row["rung"], row["depth"]), []).append(float(np.log(row["heldout_loss"])))
    noise, out = pooled(losses.values()), []
    for rung in sorted({rung for rung, _ in losses}):
        depths = sorted(depth for at, depth in losses if at == rung)
        for small, large in pairwise(depths):
            a, b = losses[rung, small], losses[rung, large]
            out.append(Step(family, SIZE, rung, small, large, *_change(a, b, noise)))
    return out


def _change(a: Sequence[float], b: Sequence[float], noise: Noise) -> tuple[float, float | None]:
    """Difference of means and how far noise reaches."""
    change = float(np.mean(b) - np.mean(a))
    return change, _limit(noise, 1 / len(a) + 1 / len(b))


def _limit(noise: Noise, share: float) -> float | None:
    return critical(0.05, noise.freedom) * noise.sd * float(np.sqrt(share)) if noise.freedom else None


def _in_clips(family: str, rows: Rows) -> list[Step]:
    trunks: dict[tuple[int, str], dict[int, float]] = {}
    for row in rows:
        curve = trunks.setdefault((row["depth"], row["trunk"]), {})
        curve[row["rung"]] = float(np.log(row["heldout_loss"]))
    changes: dict[tuple[int, int, int], list[float]] = {}
    for (depth, _), curve in trunks.items():
        for before, after in pairwise(sorted(curve)):
            changes.setdefault((depth, before, after), []).append(curve[after] - curve[before])
    noise = pooled(changes.values())
    return [
        Step(family, CLIPS, depth, before, after, float(np.mean(own)), _limit(noise, 1 / len(own)))
        for (depth, before, after), own in sorted(changes.items())
    ]


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
    """Change of log loss from the first to the last size or budget, the mean of all lines."""
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


def summary(found: Sequence[Step]) -> list[Falls]:
    """Counts by family and direction."""
    out = []
    for family, along in dict.fromkeys((one.family, one.along) for one in found):
        own = [one for one in found if (one.family, one.along) == (family, along)]
        lines: dict[int, list[Step]] = {}
        for one in own:
            lines.setdefault(one.at, []).append(one)
        # Of a line in size the noise of the sizes between cancels, so that this errs to the wide side.
        limits = [float(np.sqrt(sum((one.limit or 0.0) ** 2 for one in line))) for line in lines.values()]
        out.append(
            Falls(
                family,
                along,
                len(own),
                sum(one.rises for one in own),
                sum(one.beyond for one in own),
                own[0].limit is not None,
                float(np.mean([sum(one.change for one in line) for line in lines.values()])),
                # Lines share their trunks or their data, so that their mean is no surer than one of them.
                None if own[0].limit is None else float(np.mean(limits)),
            )
        )
    return out


def by_family(falls: Sequence[Falls]) -> Mapping[str, list[Falls]]:
    """The counts of every family."""
    out: dict[str, list[Falls]] = {}
    for one in falls:
        out.setdefault(one.family, []).append(one)
    return out
