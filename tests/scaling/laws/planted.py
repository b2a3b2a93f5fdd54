"""Every law, with points and parameters at which it shows all that it can do."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.laws import FORMS, MOST_BREAKS
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.laws.base import Law
from transferscale.scaling.metrics import Reals


def grid(*axes: Reals) -> Reals:
    """All combinations of the values of several variables, shape (points, variables)."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], -1)


@dataclass(frozen=True)
class Planted:
    """A law's true parameters and the scales at which it is observed, (points, variables)."""

    form: Law
    natural: Mapping[str, float]
    x: Reals

    @property
    def log_x(self) -> Reals:
        """Logarithm of the scales."""
        return np.log(self.x)

    @property
    def theta(self) -> Reals:
        """The true coordinates."""
        return self.form.coordinates(self.natural)

    @property
    def log_y(self) -> Reals:
        """Logarithm of the outcomes without noise, (points,)."""
        return self.form.log_value(self.theta, self.log_x)


LINE = np.geomspace(1e3, 1e7, 25)[:, None]
LOSS = np.linspace(1.5, 4.5, 20)[:, None]
PLANE = grid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 6))
UNIQUE = grid(np.geomspace(1e9, 1e12, 9), np.geomspace(1e9, 1e10, 3))
CHINCHILLA = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def _broken(breaks: int) -> dict[str, float]:
    places = {1: [1e5], 2: [2e4, 5e5], 3: [8e3, 1e5, 1e6]}.get(breaks, [])
    steep = [0.5, -0.3, 0.4]
    own = {
        f"{name}{i + 1}": value
        for i, place in enumerate(places)
        for name, value in (("c", steep[i]), ("d", place), ("f", 0.15))
    }
    return {"a": 0.05, "b": 3.0, "c0": 0.15, **own}


PLANTED = {
    "power": Planted(law_named("power"), {"b": 3.0, "c": 0.1}, LINE),
    "power-floor": Planted(law_named("power-floor"), {"e": 1.0, "b": 50.0, "c": 0.5}, LINE),
    "m1": Planted(law_named("m1"), {"b": 3.0, "c": -0.1}, LINE),
    "m2": Planted(law_named("m2"), {"e": 1.0, "b": 50.0, "c": -0.5}, LINE),
    "m3": Planted(law_named("m3"), {"b": 20.0, "g": 1e-5, "c": 0.4}, LINE),
    "m4": Planted(law_named("m4"), {"e": 0.2, "b": 300.0, "c": -0.6, "e0": 1.0, "a": 0.8}, LINE),
    **{
        f"broken-{k}": Planted(law_named("broken", breaks=k), _broken(k), np.geomspace(1e3, 1e7, 40)[:, None])
        for k in range(MOST_BREAKS + 1)
    },
    "chinchilla": Planted(law_named("chinchilla", 2), CHINCHILLA, PLANE),
    "chinchilla-C": Planted(
        law_named("chinchilla", 1), {"E": 1.7, "K": 1e3, "gamma": 0.15}, np.geomspace(1e17, 1e22, 12)[:, None]
    ),
    "repeated": Planted(
        law_named("repeated", 3),
        {**CHINCHILLA, "RD": 15.4, "RN": 5.3},
        grid(np.geomspace(1e7, 1e10, 4), np.geomspace(1e9, 1e12, 5), np.array([1e9, 1e10])),
    ),
    "repeated-D": Planted(law_named("repeated", 2), {"E": 1.7, "B": 400.0, "beta": 0.28, "RD": 15.4}, UNIQUE),
    "transfer": Planted(law_named("transfer", 2), {"k": 2e4, "alpha": 0.18, "beta": 0.38}, PLANE),
    "finetune": Planted(law_named("finetune", 2), {"E": 1.2, "A": 60.0, "alpha": 0.12, "beta": 0.1}, PLANE),
    "exp-link": Planted(law_named("exp-link"), {"eps": 0.9, "k": 2.0, "gamma": 0.8}, LOSS),
    "sigmoid-link": Planted(law_named("sigmoid-link"), {"e0": 0.1, "e1": 0.8, "k": 2.5, "m": 3.0}, LOSS),
}
NAMES = sorted(PLANTED)


def planted_forms() -> set[tuple[str, int]]:
    """Name and number of variables of the laws above."""
    return {(one.form.name, len(one.form.variables)) for one in PLANTED.values()}


def known_forms() -> set[tuple[str, int]]:
    """Name and number of variables of every law there is."""
    return {(name, len(form.variables)) for name, forms in FORMS.items() for form in forms}
