"""The examples run as their pages say."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import find_peaks

from transferscale.medical.add.add import add
from transferscale.study.load import load_dataset


@pytest.fixture
def ecg(root, tmp_path, monkeypatch):
    """The folder that the example writes."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, root / "examples/ecg/make.py", "ecg"], check=True)
    return tmp_path / "ecg"


def test_electrocardiograms_become_a_dataset_without_a_reader_of_their_own(ecg):
    added = add("ecg", ["rhythm"])
    dataset = load_dataset(added.file)
    assert (dataset.recordings.tr_s, dataset.view.kind) == (0.02, "roi")
    assert dataset.clean.high_pass_hz is None  # 0.01 Hz is a limit for haemodynamics
    assert added.problem == ""
    assert added.checked.tasks["rhythm"].subjects == {"irregular": 20, "regular": 20}


def test_the_planted_rhythm_tells_the_groups_apart(ecg):
    spread = []
    for i in range(1, 41):
        lead = np.loadtxt(ecg / f"sub-{i:02d}_ecg.csv", delimiter=",", skiprows=1)[:, 1]
        beats, _ = find_peaks(lead, distance=15, prominence=0.4 * np.ptp(lead))
        low, middle, high = np.quantile(np.diff(beats), [0.25, 0.5, 0.75])
        spread.append((high - low) / middle)
    assert min(spread[1::2]) > max(spread[::2])
