"""The laws on published learning curves (Alabdulmohsin et al. 2022, arXiv:2209.06640)."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from transferscale.scaling.fit import fit, rmsle

ROOT = Path(__file__).parents[2]
FOLDER = (
    Path(os.environ.get("TRANSFERSCALE_DATA", ROOT / "../shared/data"))
    / "scaling"
    / "revisiting_neural_scaling_laws"
)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent; set TRANSFERSCALE_DATA"),
]
# Mean error on the held-out tail of each domain's curves, of the authors' own fit of y = b x^c (their M1).
PUBLISHED = {"IC": 0.1107, "NMT": 0.2493, "LM": 0.0157, "BB": 0.0184}


@pytest.fixture(scope="module")
def curves() -> dict[tuple[str, ...], list[dict[str, str]]]:
    found: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for name in ("benchmark.vision.csv", "benchmark.lang.csv"):
        with (FOLDER / name).open() as stream:
            for row in csv.DictReader(stream):
                found[row["Domain"], row["Task"], row["Model"]].append(row)
    return found


def _points(rows: list[dict[str, str]], part: str) -> tuple[np.ndarray, np.ndarray]:
    own = [row for row in rows if row["Training"] == part]
    return np.array([float(r["Seen Examples"]) for r in own]), np.array([float(r["Loss"]) for r in own])


def test_the_power_law_extrapolates_as_published(curves: dict) -> None:
    errors = defaultdict(list)
    for (domain, *_), rows in curves.items():
        found = fit(*_points(rows, "1"), "power", bootstrap=0)
        x, y = _points(rows, "0")
        errors[domain].append(rmsle(np.log(found.curve(x)[0]), np.log(y)))
    assert {domain: round(float(np.mean(e)), 4) for domain, e in errors.items()} == PUBLISHED


def test_a_floor_never_fits_worse_than_none(curves: dict) -> None:
    for rows in curves.values():
        x, y = _points(rows, "1")
        without, floor = (fit(x, y, law, bootstrap=0) for law in ("power", "power-floor"))
        if without.params["c"] > 0:
            assert floor.objective <= without.objective * (1 + 1e-6)
