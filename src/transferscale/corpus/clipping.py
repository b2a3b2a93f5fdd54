"""Cut audited videos into clips of one geometry: luminance, ``frames`` x ``size`` x ``size``.

Notable:
- a clip never spans a hard cut (``shots.py``), and frames are those the audit counted;
- which clips are held out is decided by the video, so that no video is on both sides, and does not change
  when videos are added; where a source fixes the side (synthetic videos), that holds;
- nested fractions are of videos too: fewer videos, not fewer clips of each;
- a video too short for one clip is a row of the table with ``dropped`` and a reason, not a gap.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from transferscale.artefacts import Stopwatch, atomic, write_provenance
from transferscale.clips.store import ClipWriter
from transferscale.corpus.children import Failure, each
from transferscale.corpus.manifest import PATIENCE_S, PATIENCE_S_PER_MB
from transferscale.corpus.reading import square
from transferscale.corpus.shots import find_shots
from transferscale.corpus.statistics import motion, sharpness
from transferscale.errors import UserError
from transferscale.tables import read_table, write_table

# Clips of one video start at least this share of their length apart.
HOP = 0.25
# A video this small (bytes of luminance at clip size) is decoded once and kept; a larger one is decoded
# twice.
KEEP = 16 * 2**20


class Job(TypedDict):
    """What a child needs to cut one video."""

    uri: str
    backend: str
    width: int
    height: int
    frames: int
    bytes: int
    clip: dict[str, int]
    most: int


class Cut(TypedDict):
    """What a child found in one video: clips (clips, frames, size, size), place and figures of each."""

    clips: npt.NDArray[np.uint8]
    shots: list[int]
    starts: list[int]
    motion: list[float]
    sharpness: list[float]
    longest: int


def cut(spec: Mapping[str, Any], manifest: Path, store: Path, index: Path, threads: int) -> None:
    """Decode the good videos of a manifest into a clip store and its index.

    Parameters
    ----------
    spec
        ``Grid.clips_spec``: ``clip`` (frames, size, stride), ``clips_per_video``, ``heldout``,
        ``min_motion``, ``seed``.
    manifest
        Manifest of the corpus.
    store
        Folder of the clip store.
    index
        The ``clips`` table: a row a clip in the order of the manifest; dropped rows have no place in the
        store.
    threads
        Child processes.

    Raises
    ------
    UserError
        If a file has gone, or if fewer than two videos give a clip.
    """
    watch = Stopwatch()
    geometry: dict[str, int] = spec["clip"]
    videos = [row for row in read_table(manifest, "manifest").to_pylist() if row["status"] == "ok"]
    for video in videos:
        if not Path(video["uri"]).is_file():
            raise UserError(
                f"{manifest}: the video '{video['uri']}' is no longer there; run `corpus index` again"
            )
    shape = (geometry["frames"], geometry["size"], geometry["size"])
    rows: list[dict[str, Any]] = []
    cuts = each(cut_video, [_job(video, spec) for video in videos], threads, _patience)
    with atomic(store) as folder:
        with ClipWriter(folder, shape, "uint8") as writer:
            for video, found in zip(videos, tqdm(cuts, "clips", len(videos), disable=None), strict=True):
                rows += _rows(video, found, spec, writer)
        giving = {row["video_id"] for row in rows if not row["dropped"]}
        fixed = {v["video_id"]: v["split"] for v in videos if v["split"] and v["video_id"] in giving}
        sides = split(giving, spec["heldout"], spec["seed"], fixed)
        if len(sides) < 2:
            raise UserError(_too_few(manifest, len(videos), len(sides), rows, geometry))
        if len(set(sides.values())) < 2:
            raise UserError(
                f"{manifest}: all {len(sides)} videos that give a clip are synthetic ones of the side "
                f"'{sides.popitem()[1]}'; add videos, or choose another corpus.heldout"
            )
    for row in rows:
        row["split"] = sides.get(row["video_id"], "")
    write_table(index, "clips", rows)
    kept = Counter(row["split"] for row in rows if not row["dropped"])
    facts = {
        "videos": len(videos),
        "clips_train": kept["train"],
        "clips_heldout": kept["heldout"],
        "dropped": sum(row["dropped"] for row in rows),
    }
    write_provenance(index, watch, **facts)
    write_provenance(store, watch, **facts)


def _job(video: Mapping[str, Any], spec: Mapping[str, Any]) -> Job:
    return {
        "uri": video["uri"],
        "backend": video["backend"],
        "width": video["width"],
        "height": video["height"],
        "frames": video["frames"],
        "bytes": video["bytes"],
        "clip": spec["clip"],
        "most": spec["clips_per_video"],
    }


def _patience(job: Job) -> float:
    return 2 * (PATIENCE_S + PATIENCE_S_PER_MB * job["bytes"] / 1e6)


def cut_video(job: Job) -> Cut:
    """Decode one video and cut it; runs in a child."""
    size, frames = job["clip"]["size"], job["clip"]["frames"]
    video = square(job["uri"], job["backend"], job["width"], job["height"], job["frames"], size)
    whole = None
    if job["frames"] * size * size <= KEEP:
        whole = np.concatenate(list(video.blocks()))
    shots = find_shots(video.blocks() if whole is None else [whole])
    places = place_clips(shots, frames, job["clip"]["stride"], job["most"])
    picks = [start + job["clip"]["stride"] * np.arange(frames) for _, start in places]
    clips = [video.take(pick) if whole is None else whole[pick] for pick in picks]
    return {
        "clips": np.stack(clips) if clips else np.empty((0, frames, size, size), dtype=np.uint8),
        "shots": [shot for shot, _ in places],
        "starts": [start for _, start in places],
        "motion": [motion(clip) for clip in clips],
        "sharpness": [sharpness(clip[frames // 2]) for clip in clips],
        "longest": max(end - start for start, end in shots),
    }


def place_clips(
    shots: Sequence[tuple[int, int]], frames: int, stride: int, most: int
) -> list[tuple[int, int]]:
    """Shot and first frame of every clip: spread evenly over the places where a clip fits into one shot.

    Parameters
    ----------
    shots
        First frame and one past the last of every shot.
    frames, stride
        Frames of a clip, and every how many frames of the video one is taken.
    most
        Most clips; fewer where they would start less than a quarter of a clip apart.
    """
    span = (frames - 1) * stride + 1
    free = [
        (shot, start) for shot, (first, end) in enumerate(shots) for start in range(first, end - span + 1)
    ]
    if not free:
        return []
    count = min(most, 1 + (len(free) - 1) // max(1, int(HOP * span)))
    if count == 1:
        return [free[len(free) // 2]]
    return [free[i] for i in np.linspace(0, len(free) - 1, count).round().astype(int)]


def _rows(
    video: Mapping[str, Any], found: Cut | Failure, spec: Mapping[str, Any], writer: ClipWriter
) -> list[dict[str, Any]]:
    """Rows of one video; its clips go to the store."""
    geometry = spec["clip"]
    span = (geometry["frames"] - 1) * geometry["stride"] + 1
    fps = video["fps"] or 1.0
    base = {key: video[key] for key in ("video_id", "source", "label")}
    base |= {"seconds": span / fps, "dropped": True}
    if isinstance(found, Failure):
        return [{**base, "clip_id": f"{video['video_id']}-none", "reason": f"cutting failed: {found.reason}"}]
    if not found["starts"]:
        need = f"a clip needs {span} ({geometry['frames']} at stride {geometry['stride']})"
        reason = f"longest shot has {found['longest']} frames, {need}"
        return [{**base, "clip_id": f"{video['video_id']}-none", "reason": reason}]
    rows = []
    for i, start in enumerate(found["starts"]):
        clip_id = f"{video['video_id']}-{start:06d}"
        row = {
            **base,
            "clip_id": clip_id,
            "shot": found["shots"][i],
            "start_s": start / fps,
            "fraction_rank": uniform(video["video_id"]),
            "motion": found["motion"][i],
            "sharpness": found["sharpness"][i],
        }
        if found["motion"][i] < spec["min_motion"]:
            row["reason"] = f"motion {found['motion'][i]:.4f} is less than min_motion {spec['min_motion']}"
        else:
            shard, offset = writer.add(found["clips"][i])
            row.update(shard=shard, offset=offset, dropped=False, reason="")
        rows.append(row)
    return rows


def split(videos: set[str], heldout: float, seed: int, fixed: Mapping[str, str]) -> dict[str, str]:
    """``train`` or ``heldout`` of every video, by hash: adding a video does not move another.

    Of two videos or more, at least one lies on each side (there the nearest to the border moves), unless all are
    ``fixed``, by their source, on one.
    """
    place = {video: uniform(f"{seed}:{video}") for video in sorted(videos - fixed.keys())}
    sides = {video: "heldout" if u < heldout else "train" for video, u in place.items()} | dict(fixed)
    if place and len(sides) > 1 and len(set(sides.values())) == 1:
        nearest = min(place, key=lambda video: (abs(place[video] - heldout), video))
        sides[nearest] = "train" if sides[nearest] == "heldout" else "heldout"
    return sides


def uniform(text: str) -> float:
    """A number in [0, 1) from the hash of a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _too_few(
    manifest: Path, videos: int, giving: int, rows: list[dict[str, Any]], geometry: Mapping[str, int]
) -> str:
    reasons = Counter(row["reason"].split(" (")[0] for row in rows if row["dropped"]).most_common(2)
    why = f" (dropped: {'; '.join(reason for reason, _ in reasons)})" if reasons else ""
    return (
        f"{manifest}: {giving} of {videos} videos give a clip of {geometry['frames']} frames at stride "
        f"{geometry['stride']}{why}, but two are needed, one of them held out; add videos, or lower "
        "corpus.clip.frames, corpus.clip.stride or corpus.min_motion"
    )
