"""The manifest: everything is counted, the bad is quarantined with a reason."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transferscale.corpus.audit import audit
from transferscale.corpus.manifest import find_videos, index
from transferscale.corpus.motion import film
from transferscale.corpus.synth import encode
from transferscale.errors import UserError
from transferscale.tables import read_table

HOSTILE = ("-rf.mp4", "a:b.mp4", "new\nline.mp4", "%03d.mp4", "ünï 'code\" $(x).MP4", "concat:x|y.mp4")


def write(path: Path, number: int, frames: int = 8, size: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(film(1, number, frames, 8, size), 8, path)
    return path


def sound(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def listed(
    folder: Path, out: Path, most: float = 1.0, threads: int = 2, **source: Any
) -> list[dict[str, Any]]:
    spec = {
        "sources": [{"kind": "folder", "path": str(folder), "licence": "", **source}],
        "max_quarantined": most,
    }
    index(spec, None, out, threads)
    return read_table(out, "manifest").to_pylist()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], Path]:
    """A folder of good and bad files, its manifest, and where that lies."""
    folder = tmp_path_factory.mktemp("mixed")
    good = write(folder / "b" / "good.mp4", 0)
    write(folder / "a.mp4", 1)
    (folder / "c_copy.mp4").write_bytes(good.read_bytes())
    (folder / "empty.webm").touch()
    (folder / "text.avi").write_text("this is no video")
    write(folder / "one_frame.mp4", 2, frames=1)
    (folder / "truncated.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    sound(folder / "sound.mp4")
    (folder / "broken_link.mov").symlink_to(folder / "nowhere.mov")
    os.mkfifo(folder / "pipe.mp4")
    for number, name in enumerate(HOSTILE):
        write(folder / "hostile" / name, 10 + number)
    (folder / "notes.txt").write_text("no video, no claim to be one")
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    out = tmp_path_factory.mktemp("out") / "manifest.parquet"
    return folder, listed(folder, out), out


def test_counts_in_are_counts_ok_and_quarantined(mixed: tuple[Path, list[dict[str, Any]], Path]) -> None:
    _, rows, out = mixed
    told = json.loads(Path(f"{out}.prov.json").read_text())
    assert len(rows) == 10 + len(HOSTILE) == told["files"]
    assert told["ok"] + told["quarantined"] == told["files"]
    assert told["ok"] == sum(row["status"] == "ok" for row in rows) == 2 + len(HOSTILE)
    assert told["ignored_files"] == {".txt": 1}
    assert told["linked_folders_not_entered"] == 1
    assert all(bool(row["reason"]) == (row["status"] == "quarantined") for row in rows)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("c_copy.mp4", "same content as"),
        ("empty.webm", "file is empty"),
        ("text.avi", "cannot be opened as a video"),
        ("one_frame.mp4", "a single frame"),
        ("truncated.mp4", "cannot be opened as a video"),
        ("sound.mp4", "no video stream (audio only)"),
        ("broken_link.mov", "cannot be read"),
        ("pipe.mp4", "not a regular file"),
    ],
)
def test_every_bad_file_has_its_reason(
    mixed: tuple[Path, list[dict[str, Any]], Path], name: str, reason: str
) -> None:
    row = next(row for row in mixed[1] if row["uri"].endswith(name))
    assert row["status"] == "quarantined"
    assert reason in row["reason"]
    assert row["backend"] == ""


def test_hostile_names_are_names(mixed: tuple[Path, list[dict[str, Any]], Path]) -> None:
    names = {Path(row["uri"]).name: row["status"] for row in mixed[1] if "/hostile/" in row["uri"]}
    assert names == dict.fromkeys(HOSTILE, "ok")


def test_a_good_file_is_described(mixed: tuple[Path, list[dict[str, Any]], Path]) -> None:
    pytest.importorskip("decord")
    row = next(row for row in mixed[1] if row["uri"].endswith("good.mp4"))
    about = {
        k: row[k] for k in ("codec", "frames", "fps", "duration_s", "width", "height", "rotation", "backend")
    }
    assert about == {
        "codec": "h264",
        "frames": 8,
        "fps": pytest.approx(8),
        "duration_s": pytest.approx(1),
        "width": 32,
        "height": 32,
        "rotation": 0,
        "backend": "decord",
    }
    assert (row["variable_fps"], row["has_audio"], row["pixel_format"]) == (False, False, "yuv420p")
    assert row["video_id"] == row["sha256"][:16]
    assert len(row["phash"]) == 16


def test_the_manifest_does_not_depend_on_threads(
    mixed: tuple[Path, list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    folder, _, out = mixed
    listed(folder, tmp_path / "again.parquet", threads=3)
    assert (tmp_path / "again.parquet").read_bytes() == out.read_bytes()


def test_a_name_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path / "v" / "good.mp4", 0)
    write(tmp_path / "v" / "other.mp4", 1).rename(os.fsdecode(os.fsencode(tmp_path / "v") + b"/\xff\xfe.mp4"))
    rows = listed(tmp_path / "v", tmp_path / "m.parquet")
    assert [row["status"] for row in rows] == ["ok", "quarantined"]
    assert "not valid UTF-8" in rows[1]["reason"]


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "secret.mp4", 0)
    path = tmp_path / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n")
    assert audit(str(path))["status"] == "quarantined"
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    assert audit(str(path))["status"] == "quarantined"


def test_licences_come_from_manifest_csv_and_else_from_the_study(tmp_path: Path) -> None:
    write(tmp_path / "v" / "a.mp4", 0)
    write(tmp_path / "v" / "deep" / "b.mp4", 1)
    (tmp_path / "v" / "manifest.csv").write_text("file,what,licence\ndeep/b.mp4,x,CC-BY-4.0\n")
    rows = listed(tmp_path / "v", tmp_path / "m.parquet", licence="MIT")
    assert [row["licence"] for row in rows] == ["MIT", "CC-BY-4.0"]


def test_videos_are_found_in_an_order_of_their_own(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/z.MKV", "a.mp4", "a/b/c.gif", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_videos(tmp_path).videos]
    assert found == ["a.mp4", "a/b/c.gif", "a/z.MKV", "b.mp4"]


def test_the_synthetic_source_reads_the_folder_it_is_given(tmp_path: Path) -> None:
    write(tmp_path / "made" / "m.mp4", 0)
    (tmp_path / "made" / "labels.csv").write_text("video,label,split\nm.mp4,still,heldout\n")
    spec = {"sources": [{"kind": "synthetic"}], "max_quarantined": 0.5}
    index(spec, tmp_path / "made", tmp_path / "m.parquet", 1)
    (row,) = read_table(tmp_path / "m.parquet", "manifest").to_pylist()
    assert (row["source"], row["licence"]) == ("0:synthetic", "generated here")
    assert (row["label"], row["split"]) == ("still", "heldout")
    with pytest.raises(UserError, match=r"corpus.sources.0.*--synthetic"):
        index(spec, None, tmp_path / "m.parquet", 1)


def test_folders_without_videos_are_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpus.sources.0.path: no such folder"):
        listed(tmp_path / "nowhere", tmp_path / "m.parquet")
    (tmp_path / "v").mkdir()
    with pytest.raises(UserError, match=r"corpus.sources.0.path: no video files .*nothing at all"):
        listed(tmp_path / "v", tmp_path / "m.parquet")
    (tmp_path / "v" / "a.txt").touch()
    with pytest.raises(UserError, match=r"it holds 1 \.txt"):
        listed(tmp_path / "v", tmp_path / "m.parquet")
    with pytest.raises(UserError, match=r"is a file; name the folder"):
        listed(tmp_path / "v" / "a.txt", tmp_path / "m.parquet")


def test_too_many_bad_files_stop_with_the_first_reasons(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "bad.mp4").touch()
    with pytest.raises(UserError, match=r"none of the 1 video files .*'bad.mp4': file is empty"):
        listed(tmp_path / "v", tmp_path / "m.parquet")
    write(tmp_path / "v" / "good.mp4", 0)
    with pytest.raises(UserError, match=r"1 of 2 .*max_quarantined = 0.4 allows \('bad.mp4': file is empty"):
        listed(tmp_path / "v", tmp_path / "m.parquet", most=0.4)
    assert not (tmp_path / "m.parquet").exists()
    assert len(listed(tmp_path / "v", tmp_path / "m.parquet", most=0.5)) == 2


# -- labels --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos: one at the top of the folder, one in ``run``, one in ``sit``."""
    folder = tmp_path_factory.mktemp("classes")
    for number, name in enumerate(("top.mp4", "run/a.mp4", "sit/b.mp4")):
        write(folder / name, number)
    return folder


def labels(folder: Path, out: Path, said: str | None) -> list[str | None]:
    return [row["label"] for row in listed(folder, out / "m.parquet", labels=said)]


def test_a_video_is_labelled_by_its_folder(classes: Path, tmp_path: Path) -> None:
    assert labels(classes, tmp_path, "folder") == ["run", "sit", None]
    assert labels(classes, tmp_path, None) == [None, None, None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "video,label\nrun/a.mp4,runs\nb.mp4,sits\ntop.mp4,\nelsewhere.mp4,flies\n"),
        ("labels.tsv", "\ufefflabel\tvideo\nruns\ta.mp4\nsits\tsit/b.mp4\n"),
    ],
)
def test_a_table_labels_videos_by_path_or_name(classes: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert labels(classes, tmp_path, str(tmp_path / name)) == ["runs", "sits", None]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"labels\.csv: no such file"),
        ("video,lable\na.mp4,runs\n", r"no column 'label'; did you mean 'lable'\?"),
        ("video,label\na.mp4,runs\na.mp4,sits\n", "video 'a.mp4' has two labels, 'runs' and 'sits'"),
        (
            "video,label\nc.mp4,runs\n",
            "names no video of folder .*begins with 'c.mp4'.*, as in 'run/a.mp4'",
        ),
        ("", "no column 'video'"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_told(
    classes: Path, tmp_path: Path, text: str | None, sentence: str
) -> None:
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UserError, match=sentence):
        labels(classes, tmp_path, str(tmp_path / "labels.csv"))


def test_labels_that_are_neither_a_table_nor_the_folder_are_told(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels are 'folder' or the path of a \.csv or \.tsv table"):
        labels(classes, tmp_path, "folders")
