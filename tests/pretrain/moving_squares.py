"""A clip store whose every pixel is arithmetic, so that golden numbers depend on no random generator."""

from pathlib import Path
from typing import Any

import numpy as np

from transferscale.clips.store import ClipWriter
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.tables import write_table

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"


def write_corpus(
    folder: Path, videos: int = 24, clips: int = 2, frames: int = 4, size: int = 16, labels: bool = False
) -> Path:
    """Squares that move at constant speed over a ramp; every fourth video is held out.

    With ``labels`` a clip's label is the size of its square.
    """
    rows, down, across = [], *np.mgrid[:size, :size]
    with ClipWriter(folder / "clips", (frames, size, size), "uint8") as writer:
        for video in range(videos):
            for clip in range(clips):
                number = video * clips + clip
                pixels = np.empty((frames, size, size), np.uint8)
                for frame in range(frames):
                    y, x = (
                        (7 * number + (number % 3) * frame) % size,
                        (5 * number + (number % 5) * frame) % size,
                    )
                    inside = (abs(down - y) < 3 + number % 3) & (abs(across - x) < 4)
                    pixels[frame] = np.where(
                        inside, 40 + 13 * (number % 16), 90 + 3 * across + (number % 4) * down
                    )
                shard, offset = writer.add(pixels)
                split = "heldout" if video % 4 == 0 else "train"
                more = {
                    "motion": 0.1 + number % 3 + number % 5,
                    "label": f"size-{number % 3}" if labels else None,
                }
                rows.append({**row(f"v{video:03d}", clip, shard, offset, split), **more})
    write_table(folder / "clips.parquet", "clips", rows)
    return folder


def row(video: str, clip: int, shard: str, offset: int, split: str, dropped: bool = False) -> dict[str, Any]:
    """A row of table ``clips``."""
    return {
        "clip_id": f"{video}-{clip}",
        "video_id": video,
        "source": "0:folder",
        "shot": 0,
        "start_s": float(clip),
        "seconds": 1.0,
        "split": split,
        "fraction_rank": ((offset * 37) % 101) / 101,
        "motion": 1.0,
        "sharpness": 1.0,
        "shard": shard,
        "offset": offset,
        "dropped": dropped,
        "reason": "still" if dropped else "",
    }


def rung_spec(rung: int = 1, **changes: Any) -> dict[str, Any]:
    """Spec of a rung small enough for a test: depth 1, clips of 4 x 16 x 16, budgets of 80 and 160 clips."""
    study = load_study(CONFIG)
    spec = Grid(study).rung_spec("vit", 1, 0, 1)
    spec["model"].update(frames=4, size=16, tubelet={"frames": 2, "size": 4})
    budget = 80 * 2 ** (rung - 1)
    spec.update(
        rung=rung,
        objective={"name": "mae", "mask_ratio": 0.75, "decoder_share": 1.0},
        batch=8,
        learning_rate=4e-3,
        weight_decay=0.05,
        warmup_clips=16,
        trunk_start=32 * 2 ** (rung - 1) if rung > 1 else 0,
        trunk_end=64 * 2 ** (rung - 1),
        budget=budget,
        heldout_clips=10,
    )
    return {**spec, **changes}
