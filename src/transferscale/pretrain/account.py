"""What a rung cost on this machine: time, energy and memory, summed over its attempts."""

from pathlib import Path
from typing import Any

import torch

from transferscale.artefacts import Stopwatch, read_json, resident_peak_mb, write_json
from transferscale.pretrain.energy import EnergyMeter


class Account:
    """Costs of a rung; kept in its workspace, so that an attempt adds to those before it.

    What passes between the last save and a kill is lost: a minute at most.

    Parameters
    ----------
    path
        Where the costs are kept.
    watch
        Runs since the attempt began.
    """

    def __init__(self, path: Path, device: torch.device, threads: int, watch: Stopwatch) -> None:
        self.path, self.device, self.watch = path, device, watch
        self.meter = EnergyMeter(device, threads)
        self.before: dict[str, Any] = read_json(path) if path.exists() else {}

    def totals(self) -> dict[str, Any]:
        """Costs so far: seconds, joules, megabytes of the device's memory (resident memory of a CPU run)."""
        before, joules = self.before, self.meter.sample()
        return {
            "attempts": before.get("attempts", 0) + 1,
            "wall_s": round(before.get("wall_s", 0.0) + self.watch.seconds, 3),
            "energy_j": None if joules is None else round((before.get("energy_j") or 0.0) + joules, 1),
            "energy_source": self.meter.source,
            "peak_memory_mb": round(max(before.get("peak_memory_mb", 0.0), peak_memory_mb(self.device)), 1),
        }

    def keep(self) -> None:
        """Keep the costs so far for the next attempt."""
        write_json(self.path, self.totals())


def peak_memory_mb(device: torch.device) -> float:
    """Most memory used so far, MB: of the GPU, else the resident memory of this process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device) / 2**20)
    return resident_peak_mb()
