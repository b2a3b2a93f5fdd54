"""Energy of a run: measured where the machine tells it, else a stated assumption.

In this order:

- ``nvml``: power of the GPU's board, sampled through ``torch.cuda`` and summed over time;
- ``rapl``: counters of the CPU packages (Linux powercap), which count whatever else runs on them too;
- ``assumed``: :data:`WATTS_A_THREAD` for each CPU thread of the run;
- ``unknown``: nothing is said of a GPU that does not tell.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
# A 64-core server CPU draws some 280 W at full load, and its memory some 40 W more.
WATTS_A_THREAD = 5.0


@dataclass
class Package:
    """Counter of a CPU package; it starts again from zero at its range."""

    folder: Path
    last: int

    def advance(self) -> float:
        """Joules since the last call."""
        now = _counter(self.folder / "energy_uj")
        passed = now - self.last
        if passed < 0:
            passed += _counter(self.folder / "max_energy_range_uj")
        self.last = now
        return passed / 1e6


class EnergyMeter:
    """Energy since it was made; call :meth:`sample` every few seconds.

    Attributes
    ----------
    source
        ``nvml``, ``rapl``, ``assumed`` or ``unknown``.
    joules
        Up to the last sample; None where it is unknown.
    """

    def __init__(self, device: torch.device, threads: int, powercap: Path = POWERCAP) -> None:
        self.device, self.watts = device, WATTS_A_THREAD * threads
        self.packages = packages(powercap) if device.type == "cpu" else []
        self.source = "rapl" if self.packages else "assumed"
        if device.type == "cuda":
            self.source = "unknown" if _board_watts(device) is None else "nvml"
        self.joules: float | None = None if self.source == "unknown" else 0.0
        self.last = time.monotonic()

    def sample(self) -> float | None:
        """Add what passed since the last call; the joules so far."""
        if self.joules is None:
            return None
        now = time.monotonic()
        passed, self.last = now - self.last, now
        if self.source == "rapl":
            self.joules += sum(package.advance() for package in self.packages)
        else:
            watts = _board_watts(self.device) if self.source == "nvml" else None
            self.joules += passed * (self.watts if watts is None else watts)
        return self.joules


def packages(powercap: Path) -> list[Package]:
    """CPU packages whose counters this user may read (since 2020 often root alone); not the domains within them."""
    found = []
    for folder in sorted(powercap.glob("intel-rapl:*")):
        if folder.name.count(":") == 1:
            try:
                found.append(Package(folder, _counter(folder / "energy_uj")))
            except (OSError, ValueError):
                return []
    return found


def _counter(path: Path) -> int:
    return int(path.read_text())


def _board_watts(device: torch.device) -> float | None:
    """Power of the GPU's board, None where NVML is missing."""
    try:
        return torch.cuda.power_draw(device) / 1000
    except Exception:  # no pynvml, no driver library, or a card that does not tell
        return None
