"""The awkward files of the real data: each is good or quarantined with a reason, and nothing crashes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transferscale.corpus.clipping import cut
from transferscale.corpus.manifest import index
from transferscale.corpus.reading import square
from transferscale.corpus.shots import find_shots
from transferscale.tables import read_table

pytestmark = pytest.mark.real_data

BAD = {
    "bitflips.mp4": "damaged",
    "bitmap.mp4": "smaller than",
    "broken-file.ogg": "cannot be opened",
    "bunny.stereo.audio.opus.mp4": "audio only",
    "corrupted.mp4": "damaged",
    "empty.flv": "cannot be opened",
    "gradient.gif": "a single frame",
    "one_frame.mp4": "a single frame",
    "result.webm": "file is empty",
    "testsrc2_mpeg4.mp4": "a single frame",
    "transparent.gif": "a single frame",
    "truncated_half.mp4": "truncated",
}


@pytest.fixture(scope="module")
def odd(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    out = tmp_path_factory.mktemp("odd")
    spec = {
        "sources": [{"kind": "folder", "path": str(real_data / "videos_odd"), "licence": ""}],
        "max_quarantined": 0.5,
    }
    index(spec, None, out / "manifest.parquet", 2)
    rows = read_table(out / "manifest.parquet", "manifest").to_pylist()
    return out, {Path(row["uri"]).name: row for row in rows}


def test_each_file_is_good_or_quarantined(
    odd: tuple[Path, dict[str, dict[str, Any]]], real_data: Path
) -> None:
    files = [path for path in (real_data / "videos_odd").iterdir() if path.suffix != ".csv"]
    assert len(odd[1]) == len(files) == 44
    found = {name: row["reason"] for name, row in odd[1].items() if row["status"] == "quarantined"}
    assert found.keys() == BAD.keys()
    for name, reason in found.items():
        assert BAD[name] in reason, name


def test_pyav_takes_what_decord_cannot_or_misreads(odd: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    pytest.importorskip("decord")
    by_pyav = {name for name, row in odd[1].items() if row["backend"] == "pyav"}
    # AV1 twice, and the file whose seeking gives green frames.
    assert {"av1-sdr.webm", "testsrc2_av1_10bit.mp4", "m3v1mp4.mp4"} <= by_pyav


def test_rotated_videos_are_turned_the_same_way_by_both_readers(
    odd: tuple[Path, dict[str, dict[str, Any]]],
) -> None:
    pytest.importorskip("decord")
    for name, size in (("nasa_13013_rotated.mp4", (270, 480)), ("sideways movie.mov", (480, 640))):
        row = odd[1][name]
        assert (row["width"], row["height"]) == size
        frames = np.array([0, 7, 16])
        by_decord, by_pyav = (
            square(row["uri"], backend, row["width"], row["height"], row["frames"], 32)
            .take(frames)
            .astype(int)
            for backend in ("decord", "pyav")
        )
        assert np.abs(by_decord - by_pyav).max() <= 6


def test_every_good_file_is_cut_or_dropped_with_a_reason(odd: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    out, rows = odd
    geometry = {"frames": 16, "size": 32, "stride": 2}
    spec = {"clip": geometry, "clips_per_video": 4, "heldout": 0.1, "min_motion": 0.0, "seed": 0}
    cut(spec, out / "manifest.parquet", out / "clips", out / "clips.parquet", 2)
    clips = read_table(out / "clips.parquet", "clips").to_pylist()
    good = {row["video_id"] for row in rows.values() if row["status"] == "ok"}
    assert {clip["video_id"] for clip in clips} == good
    short = {row["video_id"] for row in rows.values() if row["status"] == "ok" and row["frames"] < 31}
    assert {clip["video_id"] for clip in clips if clip["dropped"]} == short
    assert all(clip["reason"] for clip in clips if clip["dropped"])


def test_cuts_of_a_film_are_where_the_eye_sees_them(real_data: Path) -> None:
    film = square(str(real_data / "videos" / "natural" / "tos_04.mp4"), "pyav", 320, 134, 192, 32)
    assert find_shots(film.blocks()) == [(0, 119), (119, 149), (149, 192)]
