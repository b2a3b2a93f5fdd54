"""What pretraining and labelling cost: FLOPs into hours of a device, hours and subjects into money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.scaling.metrics import Reals


@dataclass(frozen=True)
class Rate:
    """Training FLOPs a second, and where the figure comes from."""

    flops_per_second: float
    source: str

    def hours(self, flops: float) -> float:
        """Hours on that device."""
        return flops / self.flops_per_second / 3600


@dataclass(frozen=True)
class Prices:
    """Price of an hour of the device and of a labelled subject, in one currency, and the device's rate."""

    rate: Rate
    hour: float
    subject: float

    def cost(self, flops: Reals, subjects: Reals) -> Reals:
        """Cost of pretraining and labelling; the compute of the read-out itself is not counted.

        Infinite amounts, which stand for what cannot be reached, cost infinitely much even where they are free.
        """
        reached = np.isfinite(flops) & np.isfinite(subjects)
        compute, labels = np.where(reached, flops, 0.0), np.where(reached, subjects, 0.0)
        cost = compute * (self.hour / self.rate.flops_per_second / 3600) + labels * self.subject
        return np.where(reached, cost, np.inf)


def prices_of(rate: Rate | None, hour: float | None, subject: float | None) -> Prices | None:
    """Prices as a person gives them; None without any.

    Raises
    ------
    UserError
        If one of the two is missing, negative, or both are 0, or there is no FLOP rate.
    """
    if hour is None and subject is None:
        return None
    if hour is None or subject is None:
        given, other = ("--price-subject", "--price-gpu-hour")[:: 1 if hour is None else -1]
        raise UserError(f"{given} needs {other} as well (0 if it costs nothing): costs are compared")
    for name, price in (("--price-gpu-hour", hour), ("--price-subject", subject)):
        if not 0 <= price < float("inf"):
            raise UserError(f"{name} must be a price of at least 0, not {price:g}")
    if hour == subject == 0:
        raise UserError("--price-gpu-hour and --price-subject are both 0, so everything costs the same")
    if rate is None:
        raise UserError("--price-gpu-hour needs the FLOP rate of that GPU: give --flops-per-second")
    return Prices(rate, hour, subject)


def given_rate(flops_per_second: float) -> Rate:
    """A rate that a person gives.

    Raises
    ------
    UserError
        If it is not above 0.
    """
    if not 0 < flops_per_second < float("inf"):
        raise UserError(f"--flops-per-second must be above 0, not {flops_per_second:g}")
    return Rate(flops_per_second, f"{flops_per_second:.3g} FLOP/s as given")


def measured_rate(checkpoints: Sequence[Mapping[str, Any]], folder: Path) -> Rate:
    """Rate of training, pooled over the runs of the largest model.

    Read from the provenance sidecars of ``model.json``: clips a second and seconds of training. The FLOPs of
    a clip are those of the formula.

    Parameters
    ----------
    checkpoints
        Rows of the `checkpoints` table.
    folder
        Results folder of the study, to which their paths are relative.

    Raises
    ------
    UserError
        If a sidecar is missing or says no speed.
    """
    largest = max(row["params_total"] for row in checkpoints)
    own = [row for row in checkpoints if row["params_total"] == largest]
    flops = seconds = 0.0
    devices = set()
    for row in own:
        path = folder / row["path"] / "model.json.prov.json"
        if not path.is_file():
            raise UserError(f"{path}: no such file, so no FLOP rate was measured; give --flops-per-second")
        facts = read_json(path)
        for key in ("train_s", "clips_per_second", "device"):
            if key not in facts:
                raise UserError(
                    f"{path}: key '{key}' is missing, so no FLOP rate was measured; give --flops-per-second"
                )
        flops += row["flops_formula"] / row["clips_seen"] * facts["clips_per_second"] * facts["train_s"]
        seconds += facts["train_s"]
        threads = facts.get("threads", 1)
        devices.add(
            f"cpu, {threads} thread{'s' * (threads != 1)}" if facts["device"] == "cpu" else facts["device"]
        )
    runs = f"{len(own)} run{'s' * (len(own) != 1)}"
    return Rate(
        flops / seconds,
        f"{flops / seconds:.3g} FLOP/s as measured over {runs} of the largest model on {', '.join(sorted(devices))}",
    )
