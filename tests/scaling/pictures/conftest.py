"""A broken curve whose last points are held out, fitted once."""

import numpy as np
import pytest

from transferscale.scaling.fits.fit import Fit, fit

BREAK = 2e4


@pytest.fixture(scope="session")
def broken() -> Fit:
    """A broken law with a break at 20,000, and three points held out."""
    x = np.geomspace(1e3, 1e6, 19)
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(len(x)))
    y = 4 * x**-0.05 * (1 + (x / BREAK) ** 5) ** -0.06 * noise
    held = np.arange(len(x)) >= len(x) - 3
    return fit(x, y, "broken", held=held, bootstrap=60, names=(("params",), "loss"), group={"task": "age"})
