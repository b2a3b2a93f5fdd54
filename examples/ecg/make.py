"""Forty simulated people's electrocardiograms: eight leads, two groups, a table. No person was recorded.

Not fMRI, and no reader of its own: a table of people and a matrix (samples x leads) a person is all it takes.

    python examples/ecg/make.py ecg                   # writes ecg/participants.tsv and ecg/sub-01_ecg.csv ...
    transferscale medical add ecg --target rhythm     # reads them, writes config/datasets/ecg.yaml

Planted: in the group ``irregular`` the time from beat to beat varies by 25 % (SD) and the P wave is missing, as in
atrial fibrillation; in the group ``regular`` it varies by 3 %. ``age`` says nothing.
"""

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

PEOPLE, RATE_HZ, SECONDS = 40, 50, 30
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
# Waves of a beat: seconds from the R peak, width in seconds, height; the first is the P wave.
WAVES = (
    (-0.18, 0.025, 0.15),
    (-0.03, 0.01, -0.12),
    (0.0, 0.012, 1.0),
    (0.035, 0.012, -0.2),
    (0.25, 0.05, 0.3),
)
# How strongly each lead sees the common beat.
GAINS = np.array([0.6, 1.0, -0.4, 0.3, 0.8, 1.1, 1.0, 0.8])
NOISE = 0.08


def person(rng: np.random.Generator, irregular: bool) -> Float:
    """Eight leads of one person (samples, leads)."""
    times = np.arange(RATE_HZ * SECONDS) / RATE_HZ
    beat_s = rng.uniform(0.7, 1.0)
    spread = 0.25 if irregular else 0.03
    beats = np.cumsum(beat_s * np.clip(rng.normal(1, spread, int(2 * SECONDS / beat_s)), 0.4, 2))
    waves = WAVES[1:] if irregular else WAVES
    heart = sum(
        height * np.exp(-0.5 * ((times[:, None] - beats - at) / width) ** 2).sum(axis=1)
        for at, width, height in waves
    )
    wander = 0.2 * np.sin(2 * np.pi * (0.25 * times + rng.random()))
    leads = np.outer(heart, GAINS * rng.normal(1, 0.1, len(LEADS))) + wander[:, None]
    return np.asarray(leads + NOISE * rng.standard_normal(leads.shape))


def main(folder: Path) -> None:
    """Write the table, a JSON with the sampling rate, and a matrix a person."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["participant_id\tage\trhythm"]
    for i in range(PEOPLE):
        rng = np.random.default_rng([0, i])
        name, irregular = f"sub-{i + 1:02d}", bool(i % 2)
        rows.append(f"{name}\t{rng.integers(40, 80)}\t{'irregular' if irregular else 'regular'}")
        np.savetxt(
            folder / f"{name}_ecg.csv",
            person(rng, irregular),
            "%.4f",
            ",",
            header=",".join(LEADS),
            comments="",
        )
        (folder / f"{name}_ecg.json").write_text(json.dumps({"SamplingFrequency": RATE_HZ}) + "\n")
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/ecg/make.py FOLDER")
    main(Path(sys.argv[1]))
