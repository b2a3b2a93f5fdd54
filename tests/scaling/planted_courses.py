"""Curves with planted breaks."""

from collections.abc import Sequence

import numpy as np

from transferscale.scaling.changes.course import Course, course
from transferscale.scaling.laws.broken import TRANSITION, Broken
from transferscale.scaling.metrics import Reals

BREAK = 1e8


def loss(x: Reals, width: float | None, place: float = BREAK) -> Reals:
    """x^-0.05, and x^-0.6 after a break whose transition takes a factor of ``width``; None: falls to a floor."""
    constants = {"a": 0.3, "b": 2.0 * 1e6**0.2, "c0": 0.2}
    if width is not None:
        f = float(np.log(width) / TRANSITION)
        constants = {"a": 0.0, "b": 2.0, "c0": 0.05, "c1": 0.55, "d1": place, "f1": f}
    law = Broken(int(width is not None))
    return np.exp(law.log_value(law.coordinates(constants), np.log(x)[:, None]))


def planted(
    width: float | None,
    seed: int = 0,
    *,
    places: int = 20,
    clusters: int = 1,
    noise: float = 0.02,
    shared: float = 0.0,
    breaks: Sequence[float] | None = None,
) -> Course:
    """A curve over four decades with noise of each point and of each cluster; ``breaks``: place in each cluster."""
    rng = np.random.default_rng(seed)
    x = np.tile(np.geomspace(1e6, 1e10, places), clusters)
    label = np.repeat(np.arange(clusters), places)
    where = np.full(clusters, BREAK) if breaks is None else np.array(breaks)
    y = np.concatenate([loss(x[label == i], width, float(where[i])) for i in range(clusters)])
    y = y * np.exp(noise * rng.standard_normal(len(x)) + shared * rng.standard_normal(clusters)[label])
    return course(x, y, "loss", "params", label.tolist() if clusters > 1 else None)
