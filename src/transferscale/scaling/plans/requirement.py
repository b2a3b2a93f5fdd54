"""How much of a scale it takes to reach a target, by a fitted law and in every draw of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import Fit, fit
from transferscale.scaling.metrics import Reals
from transferscale.scaling.plans.target import Target

# A curve of this many different scales gets a law with a floor; one of fewer, down to three, a power law.
WITH_FLOOR, FEWEST_SCALES = 4, 3
# Scales at which a law is evaluated, in each decade; between them its logarithm is interpolated.
PER_DECADE = 20
# Draws that are evaluated at a time, which bounds memory.
CHUNK = 64


@dataclass(frozen=True)
class Surface:
    """The error of an arm over one or two scales, one of which may be the same in all runs.

    ``fixed`` holds the value of each scale that does not vary, else None; the law is one of the others.
    """

    fit: Fit = field(repr=False)
    scales: tuple[str, ...]
    fixed: tuple[float | None, ...]
    least: tuple[float, ...]
    largest: tuple[float, ...]

    @property
    def draws(self) -> int:
        """Number of draws; 0 where the fit has no intervals."""
        return 0 if self.fit.resampled is None else len(self.fit.resampled)

    def known(self, scale: int) -> bool:
        """Whether the exponent of a scale is identified; a scale that does not vary has none."""
        if self.fixed[scale] is not None:
            return True
        one = sum(value is None for value in self.fixed) == 1
        return self.fit.identified["c" if one else ("alpha", "beta")[scale]]

    def needed(self, of: int, grid: Reals, at: Reals, target: Target) -> Reals:
        """How much of scale ``of`` it takes at each value ``at`` of the other one.

        Parameters
        ----------
        grid
            Values of scale ``of`` that may be used, rising.
        at
            Values of the other scale, shape (values,); ignored where there is none.

        Returns
        -------
        needed
            Shape (1 + draws, values), the fit itself first: ``grid[0]`` where less might do, infinite where
            the target is not reached on the grid.
        """
        theta = self.fit.theta[None]
        if self.fit.resampled is not None:
            theta = np.concatenate([theta, self.fit.resampled])
        mesh = np.meshgrid(at, grid, indexing="ij")
        columns = {of: mesh[1], 1 - of: mesh[0]}
        free = [i for i, value in enumerate(self.fixed) if value is None]
        log_x = np.log(np.stack([columns[i].ravel() for i in free], -1))
        out = [
            reach(
                grid,
                self.fit.form.log_value(theta[i : i + CHUNK], log_x).reshape(-1, len(at), len(grid)),
                target.log_error,
            )
            for i in range(0, len(theta), CHUNK)
        ]
        return np.concatenate(out)


def surface(
    columns: Sequence[Reals],
    names: Sequence[str],
    score: Reals,
    target: Target,
    *,
    law: str,
    cluster: Sequence[str] | None,
    bootstrap: int,
    seed: int,
    notes: Sequence[str] = (),
) -> Surface:
    """Fit the law of an arm: ``law`` where two scales vary, a power law (with a floor) where one does.

    Parameters
    ----------
    columns, names
        One or two scales, each of shape (runs,), and what they are called. A scale that does not vary may
        be 0.

    Raises
    ------
    UserError
        If no scale varies, or there are too few different ones.
    """
    fixed = tuple(float(column[0]) if np.ptp(column) == 0 else None for column in columns)
    free = [i for i, value in enumerate(fixed) if value is None]
    if not free:
        told = " and ".join(f"'{name}' {value:g}" for name, value in zip(names, fixed, strict=True))
        raise UserError(f"all runs have {told}; a law needs several")
    x = np.stack([columns[i] for i in free], -1)
    form, notes = law, list(notes)
    if len(free) == 1:
        scales = len(np.unique(x))
        if scales < FEWEST_SCALES:
            raise UserError(
                f"'{names[free[0]]}' has {scales} different values; a curve needs {FEWEST_SCALES}"
            )
        form = "power-floor" if scales >= WITH_FLOOR else "power"
        if form == "power":
            notes.append(f"{scales} values of '{names[free[0]]}' allow no floor, so the law is optimistic")
    found = fit(
        x,
        score,
        form,
        cluster=cluster,
        outcome=target.outcome,
        bootstrap=bootstrap,
        seed=seed,
        names=([names[i] for i in free], target.called),
        notes=notes,
    )
    return Surface(
        found,
        tuple(names),
        fixed,
        tuple(float(column.min()) for column in columns),
        tuple(float(column.max()) for column in columns),
    )


def between(least: float, largest: float) -> Reals:
    """Scales from the least to the largest, :data:`PER_DECADE` a decade."""
    if largest <= least:
        return np.array([least])
    return np.geomspace(least, largest, 2 + int(np.ceil(PER_DECADE * np.log10(largest / least))))


def reach(grid: Reals, log_error: Reals, log_target: float) -> Reals:
    """The least scale at which each falling curve reaches the target; infinite where it does not.

    Parameters
    ----------
    grid
        Rising scales, shape (scales,).
    log_error
        Logarithm of the error there, shape (..., scales).
    """
    reached = log_error <= log_target + 1e-12
    upper = reached.argmax(-1)
    lower = np.maximum(upper - 1, 0)
    above = np.take_along_axis(log_error, lower[..., None], -1)[..., 0]
    below = np.take_along_axis(log_error, upper[..., None], -1)[..., 0]
    share = np.clip((above - log_target) / np.where(above > below, above - below, 1.0), 0, 1)
    # A single scale may be 0, of which no logarithm is taken.
    log_grid = np.log(grid) if len(grid) > 1 else np.zeros(1)
    between = np.exp(log_grid[lower] + share * (log_grid[upper] - log_grid[lower]))
    found = np.where(upper == 0, grid[0], between)
    return np.where(reached.any(-1), found, np.inf)


def ends(drawn: Reals) -> tuple[float, float]:
    """95 % interval of draws that may be infinite: values that were drawn, none between them."""
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)
