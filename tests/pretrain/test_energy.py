"""Energy is read where the machine tells it, and assumed where it does not."""

import time
from pathlib import Path

import pytest
import torch

from transferscale.pretrain.energy import WATTS_A_THREAD, EnergyMeter

CPU = torch.device("cpu")


def counters(folder: Path, *values: int) -> None:
    """CPU packages as Linux shows them, with a domain inside the first."""
    for number, value in enumerate(values):
        for name in (f"intel-rapl:{number}", f"intel-rapl:{number}:0"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "energy_uj").write_text(f"{value}\n")
            (folder / name / "max_energy_range_uj").write_text("1000000000\n")


def test_counters_of_all_packages_are_summed(tmp_path: Path) -> None:
    counters(tmp_path, 5_000_000, 7_000_000)
    meter = EnergyMeter(CPU, 2, tmp_path)
    assert meter.source == "rapl"
    counters(tmp_path, 6_000_000, 9_500_000)
    assert meter.sample() == pytest.approx(3.5)
    assert meter.sample() == pytest.approx(3.5)


def test_a_counter_that_starts_again_is_followed(tmp_path: Path) -> None:
    counters(tmp_path, 999_000_000)
    meter = EnergyMeter(CPU, 1, tmp_path)
    counters(tmp_path, 2_000_000)
    assert meter.sample() == pytest.approx(3.0)


def test_without_counters_each_thread_is_assumed_to_draw_so_many_watts(tmp_path: Path) -> None:
    meter = EnergyMeter(CPU, 4, tmp_path)
    start = meter.last
    assert meter.source == "assumed"
    joules = meter.sample()
    assert joules == pytest.approx(4 * WATTS_A_THREAD * (meter.last - start))
    assert joules <= 4 * WATTS_A_THREAD * (time.monotonic() - start)


def test_counters_that_only_root_may_read_are_not_used(tmp_path: Path) -> None:
    counters(tmp_path, 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert EnergyMeter(CPU, 1, tmp_path).source == "assumed"
