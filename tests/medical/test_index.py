"""The index: every recording is used or quarantined with a reason; what is wrong with the dataset is said in
a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.medical.conftest import Made, SmallSeries, made
from tests.medical.fmriprep import write_fmriprep
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.medical.readers.images import read_header
from transferscale.medical.readers.repetition import repetition_time
from transferscale.medical.recording import UnreadableError
from transferscale.tables import read_table

IMAGES: dict[str, Any] = {
    "dataset": "images",
    "recordings": {"kind": "nifti", "pattern": "{subject}_bold.nii.gz", "atlas": "atlas.nii.gz"},
    "windows": {"volumes": 8},
    "max_quarantined": 0.5,
    "tasks": {"group": {"target": "group", "kind": "classification", "metric": "auroc"}},
}


def write_image(path: Path, shape: tuple[int, ...] = (4, 4, 4, 20), tr_s: float = 2.0, seed: int = 0) -> None:
    image = nibabel.Nifti1Image(
        np.random.default_rng(seed).integers(0, 999, shape, dtype=np.int16), np.eye(4)
    )
    if len(shape) == 4:
        image.header.set_zooms((1, 1, 1, tr_s))
        image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)


@pytest.fixture
def images(tmp_path: Path) -> Made:
    root = tmp_path / "images"
    root.mkdir()
    lines = ["participant_id\tgroup"]
    for i in range(6):
        write_image(root / f"sub-{i}_bold.nii.gz", seed=i)
        lines.append(f"sub-{i}\t{'ab'[i % 2]}")
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    write_image(root / "atlas.nii.gz", (4, 4, 4))
    return made({**IMAGES, "root": str(root)}, tmp_path)


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_table(path, "recordings").to_pylist()
    return found


def test_every_recording_is_listed_with_its_subject(small_series: SmallSeries) -> None:
    it = small_series(site_column="site", family_column="family").index()
    found = rows(it.recordings)
    assert [row["subject"] for row in found] == [f"sub-{i:02d}" for i in range(12)]
    assert not rows(it.quarantine)
    assert found[3] | {"bytes": 0, "sha256": ""} == {
        "dataset": "small",
        "subject": "sub-03",
        "session": "",
        "task": "",
        "run": "",
        "site": "s0",
        "family_group": "f1",
        "path": "series/sub-03.npy",
        "part": None,
        "stretch": None,
        "files": '{"image": "series/sub-03.npy"}',
        "n_volumes": 40,
        "tr_s": 2.0,
        "space": "parcels",
        "orientation": "",
        "mean_fd": None,
        "bytes": 0,
        "sha256": "",
        "status": "ok",
        "reason": "",
        "participant.group": "b",
        "participant.age": "23",
    }


def test_sessions_and_runs_are_read_from_the_path(small_series: SmallSeries) -> None:
    pattern = "{subject}/ses-*/{subject}_ses-*_run-*_series.npy"
    it = small_series(recordings={"kind": "series", "pattern": pattern, "tr_s": 1.0})
    root = Path(it.dataset.root)
    for i in range(12):
        for session in ("pre", "post"):
            folder = root / f"sub-{i:02d}" / f"ses-{session}"
            folder.mkdir(parents=True)
            data = np.random.default_rng(i).standard_normal((20 + len(session), 4))
            np.save(folder / f"sub-{i:02d}_ses-{session}_run-2_series.npy", data)
    found = rows(it.index().recordings)
    assert len(found) == 24
    assert {(row["session"], row["run"]) for row in found} == {("pre", "2"), ("post", "2")}


def nan(path: Path) -> None:
    data = np.load(path)
    data[3, 2] = np.nan
    np.save(path, data)


def other_parcels(path: Path) -> None:
    np.save(path, np.random.default_rng(0).standard_normal((40, 5)))


BAD_SERIES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda p: p.unlink(), "no file fits"),
    (nan, "1 values are not finite"),
    (other_parcels, "5 parcels, the other recordings have 9"),
    (lambda p: np.save(p, np.zeros((40, 9))), "every parcel is constant"),
    (
        lambda p: np.save(p, np.ones((10, 9)) * np.arange(10)[:, None]),
        "10 volumes are too few for one window",
    ),
    (lambda p: np.save(p, np.zeros(40)), "not volumes x columns"),
    (lambda p: np.save(p, np.zeros((40, 9), dtype=complex)), "complex128"),
    (lambda p: p.write_bytes(p.read_bytes()[:300]), "not a readable series"),
    (lambda p: p.write_text("<!DOCTYPE html><html>404</html>"), "a web page"),
    (lambda p: p.write_bytes(b""), "an empty file"),
    (lambda p: np.save(p, np.array([{"a": 1}], dtype=object), allow_pickle=True), "not a readable series"),
]


@pytest.mark.parametrize(("damage", "reason"), BAD_SERIES, ids=[reason for _, reason in BAD_SERIES])
def test_a_bad_series_is_quarantined_with_its_reason(
    damage: Callable[[Path], Any], reason: str, small_series: SmallSeries
) -> None:
    it = small_series()
    damage(Path(it.dataset.root) / "series" / "sub-04.npy")
    it.index()
    (bad,) = rows(it.quarantine)
    assert bad["subject"] == "sub-04"
    assert bad["status"] == "quarantined"
    assert reason in bad["reason"]
    assert len(rows(it.recordings)) == 11
    assert json.loads(Path(f"{it.recordings}.prov.json").read_text())["quarantined"] == 1


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_side(path: Path) -> None:
    image = nibabel.load(path)
    image.header["sform_code"] = image.header["qform_code"] = 0
    bare = nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    bare.to_filename(path)


BAD_IMAGES: list[tuple[Callable[[Path], Any], str]] = [
    (halve, "truncated or damaged"),
    (lambda p: write_image(p, (4, 4, 4)), "3 dimensions"),
    (lambda p: write_image(p, (4, 4, 4, 5)), "too few for one window"),
    (lambda p: write_image(p, tr_s=0.0), "set recordings.tr_s"),
    (lambda p: write_image(p, tr_s=2000.0), "says TR 2000 s, which cannot be"),
    (lambda p: p.write_text("<html>404</html>"), "a web page"),
    (lambda p: p.write_bytes(b""), "an empty file"),
    (without_side, "which side is left"),
    (lambda p: (p.unlink(), p.symlink_to("../.git/annex/objects/nowhere")), "datalad get"),
    (lambda p: p.with_name("sub-2_bold.json").write_text("{"), "not valid JSON"),
    (
        lambda p: p.with_name("sub-2_bold.json").write_text('{"RepetitionTime": "2 s"}'),
        "not a positive number",
    ),
]


@pytest.mark.parametrize(("damage", "reason"), BAD_IMAGES, ids=[reason for _, reason in BAD_IMAGES])
def test_a_bad_image_is_quarantined_with_its_reason(
    damage: Callable[[Path], Any], reason: str, images: Made
) -> None:
    damage(Path(images.dataset.root) / "sub-2_bold.nii.gz")
    images.index()
    (bad,) = rows(images.quarantine)
    assert bad["subject"] == "sub-2"
    assert reason in bad["reason"]
    assert len(rows(images.recordings)) == 5


def test_a_whole_image_is_not_unpacked_to_its_end(images: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("read to its end")

    monkeypatch.setattr("transferscale.medical.readers.packed.gzip.open", refuse)
    assert read_header(Path(images.dataset.root) / "sub-2_bold.nii.gz").n_volumes == 20


def test_an_unpacked_image_that_is_truncated_is_quarantined(images: Made) -> None:
    path = Path(images.dataset.root) / "sub-2.nii"
    write_image(path)
    assert read_header(path).n_volumes == 20
    halve(path)
    with pytest.raises(UnreadableError, match="truncated"):
        read_header(path)


def test_a_whole_gzip_of_several_members_is_not_called_truncated(images: Made) -> None:
    import gzip

    path = Path(images.dataset.root) / "sub-2_bold.nii.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:1000]) + gzip.compress(content[1000:]))
    images.index()
    assert not rows(images.quarantine)


def test_a_file_without_a_row_in_the_table_is_quarantined(small_series: SmallSeries) -> None:
    it = small_series()
    np.save(
        Path(it.dataset.root) / "series" / "sub-99.npy", np.random.default_rng(0).standard_normal((40, 9))
    )
    (bad,) = rows(it.index().quarantine)
    assert bad["subject"] == "sub-99"
    assert bad["reason"] == "no row for this subject in participants.tsv"


def test_the_json_rules_over_the_header_and_the_contradiction_is_noted(images: Made) -> None:
    root = Path(images.dataset.root)
    (root / "sub-1_bold.json").write_text('{"RepetitionTime": 1.5}')
    it = made({**images.dataset.model_dump(), "clean": {"resample_s": 2.0}}, images.folder)
    found = {row["subject"]: row for row in rows(it.index().recordings)}
    assert found["sub-1"]["tr_s"] == 1.5
    assert found["sub-1"]["reason"] == "TR 1.5 s from the JSON, though the header says 2 s"
    assert (found["sub-0"]["tr_s"], found["sub-0"]["reason"]) == (2.0, "")


def test_the_configuration_rules_over_both() -> None:
    assert repetition_time(3.0, 1.5, 2.0) == (
        3.0,
        "TR 3 s from recordings.tr_s, though the JSON says 1.5 s and the header says 2 s",
    )


def test_a_header_in_milliseconds_is_read_as_such(images: Made) -> None:
    path = Path(images.dataset.root) / "sub-1_bold.nii.gz"
    image = nibabel.load(path)
    image.header.set_zooms((1, 1, 1, 2000.0))
    image.header.set_xyzt_units("mm", "msec")
    nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header).to_filename(path)
    assert read_header(path).tr_s == 2.0


def test_mean_displacement_is_read_from_fmripreps_confounds(images: Made) -> None:
    root = Path(images.dataset.root)
    values = "".join(f"1\t{'n/a' if i == 0 else 0.2 if i % 2 else 0.4}\n" for i in range(20))
    (root / "sub-1_bold.nii.gz_desc-confounds_timeseries.tsv").write_text(
        "csf\tframewise_displacement\n" + values
    )
    found = {row["subject"]: row for row in rows(images.index().recordings)}
    assert found["sub-1"]["mean_fd"] == pytest.approx((10 * 0.2 + 9 * 0.4) / 19)
    assert found["sub-0"]["mean_fd"] is None


def test_a_byte_order_mark_windows_line_ends_and_commas_are_no_obstacle_anywhere(
    small_series: SmallSeries,
) -> None:
    it = small_series(recordings={"kind": "series", "pattern": "series/{subject}.csv", "tr_s": 2.0})
    root = Path(it.dataset.root)
    edit(it, lambda text: "\ufeff" + text.replace("\t", ",").replace("\n", "\r\n"))
    for path in sorted((root / "series").glob("*.npy")):
        text = "\r\n".join(",".join(map(str, row)) for row in np.load(path))
        path.with_suffix(".csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = rows(it.index().recordings)
    assert len(found) == 12
    assert {row["n_volumes"] for row in found} == {40}


def test_a_stack_gives_a_recording_a_subject_each_with_a_hash_of_its_own(small_series: SmallSeries) -> None:
    it = small_series(recordings={"kind": "series", "stack": "all.npz", "tr_s": 2.0})
    data = np.random.default_rng(0).standard_normal((12, 40, 9))
    data[7] = data[3]
    np.savez(Path(it.dataset.root) / "all.npz", data)
    found = rows(it.index().recordings)
    assert [row["part"] for row in found] == list(range(12))
    hashes = [row["sha256"] for row in found]
    assert len(set(hashes)) == 11
    assert hashes[3] == hashes[7]


def test_paths_in_a_column_are_found(small_series: SmallSeries) -> None:
    it = small_series(recordings={"kind": "series", "path_column": "file", "tr_s": 2.0}, max_quarantined=0.1)
    lines = (Path(it.dataset.root) / "participants.tsv").read_text().splitlines()
    told = [f"{line}\tseries/sub-{i:02d}.npy" for i, line in enumerate(lines[1:])]
    edit(it, lambda _: "\n".join([lines[0] + "\tfile", *told]))
    assert len(rows(it.index().recordings)) == 12
    edit(it, lambda text: text.replace("series/sub-05.npy", "n/a"))
    assert [row["reason"] for row in rows(it.index().quarantine)] == ["no path in column 'file'"]


# -- conditions, units, no table -----------------------------------------------------


def test_conditions_leave_recordings_out_and_say_which(small_series: SmallSeries) -> None:
    it = small_series(include=["age >= 23", "n_volumes > 39", "site != 's1'"], max_quarantined=0.1)
    root = Path(it.dataset.root)
    np.save(root / "series" / "sub-05.npy", np.random.default_rng(0).standard_normal((39, 9)))
    (root / "series" / "sub-00.npy").write_bytes(b"")  # left out before it is read, so it is not bad
    (root / "series" / "sub-01.npy").unlink()
    it.index()
    left = {row["subject"]: (row["status"], row["reason"]) for row in rows(it.quarantine)}
    assert left == {
        **{f"sub-{i:02d}": ("excluded", "include: age >= 23") for i in range(3)},
        **{f"sub-{i:02d}": ("excluded", "include: site != 's1'") for i in (4, 7, 10)},
        "sub-05": ("excluded", "include: n_volumes > 39"),
    }
    assert json.loads(Path(f"{it.recordings}.prov.json").read_text())["excluded"] == 7
    assert len(rows(it.recordings)) == 5


@pytest.fixture
def sited(small_series: SmallSeries) -> Made:
    return small_series(include=["agee >= 23"])


def test_a_condition_on_an_unknown_column_names_the_nearest(sited: Made) -> None:
    with pytest.raises(
        UserError, match=r"'small': key 'include': 'agee >= 23': no column 'agee'.*did you mean 'age'"
    ):
        sited.index()


def test_a_condition_that_cannot_be_read_or_compared_is_told(small_series: SmallSeries) -> None:
    it = small_series(include=["group >= 3"])
    with pytest.raises(UserError, match=r"'small': key 'include': condition 'group >= 3': 'a' is no number"):
        it.index()
    other = made({**it.dataset.model_dump(), "include": ["age >"]}, it.folder)
    with pytest.raises(UserError, match=r"'small': key 'include': condition 'age >' cannot be read"):
        other.index()


def test_conditions_that_leave_nobody_are_told(small_series: SmallSeries) -> None:
    with pytest.raises(UserError, match=r"no usable recording.*'include' removes them all"):
        small_series(include=["age > 99"]).index()


RUNS: dict[str, Any] = {
    "participants": None,
    "recordings": {"kind": "series", "pattern": "{subject}_run-{run}.npy", "tr_s": 2.0},
    "tasks": {"film": {"target": "window", "kind": "state", "metric": "accuracy"}},
}


def write_runs(it: Made, names: list[str]) -> None:
    for i, name in enumerate(names):
        np.save(
            Path(it.dataset.root) / f"{name}.npy",
            np.random.default_rng(i).standard_normal((40 + len(name), 9)),
        )


def test_without_a_table_subjects_are_those_of_the_files(small_series: SmallSeries) -> None:
    it = small_series(**RUNS)
    write_runs(it, ["sub-1_run-1", "sub-1_run-2", "sub-2_run-1"])
    found = rows(it.index().recordings)
    assert [(row["subject"], row["run"], row["family_group"]) for row in found] == [
        ("sub-1", "1", "sub-1"),
        ("sub-1", "2", "sub-1"),
        ("sub-2", "1", "sub-2"),
    ]


def test_without_a_table_a_column_cannot_be_named(small_series: SmallSeries) -> None:
    it = small_series(**{**RUNS, "site_column": "site"})
    with pytest.raises(UserError, match=r"key 'site_column' names column 'site', but 'participants' is null"):
        it.index()


def test_a_run_can_be_a_unit_of_its_own(small_series: SmallSeries) -> None:
    it = small_series(**RUNS, unit="run")
    write_runs(it, ["sub-1_run-1", "sub-1_run-2", "sub-2_run-1"])
    found = rows(it.index().recordings)
    assert [row["subject"] for row in found] == ["sub-1_run-1", "sub-1_run-2", "sub-2_run-1"]
    assert [row["family_group"] for row in found] == [row["subject"] for row in found]


def test_runs_that_nothing_tells_apart_are_no_units(small_series: SmallSeries) -> None:
    it = small_series(
        **{**RUNS, "recordings": {"kind": "series", "pattern": "{subject}_*.npy", "tr_s": 2.0}}, unit="run"
    )
    write_runs(it, ["sub-1_first", "sub-1_second"])
    with pytest.raises(
        UserError, match=r"key 'unit': neither session, task nor run tells sub-1_first.npy from"
    ):
        it.index()


# -- what does not fit together ------------------------------------------------------


def spaces(
    images: Made,
    spaces: list[str],
    shapes: list[tuple[int, ...]] | None = None,
    atlas_space: str | None = None,
    **keys: Any,
) -> Made:
    root = Path(images.dataset.root)
    for i, space in enumerate(spaces):
        (root / f"sub-{i}_bold.nii.gz").unlink()
        write_image(
            root / f"sub-{i}{space}_bold.nii.gz", (shapes or [(4, 4, 4, 20)] * len(spaces))[i], seed=i
        )
    recordings = {
        "kind": "nifti",
        "pattern": "{subject}*_bold.nii.gz",
        "atlas": "atlas.nii.gz",
        "atlas_space": atlas_space,
    }
    return made({**images.dataset.model_dump(), "recordings": recordings, **keys}, images.folder)


def test_recordings_in_another_space_than_most_are_quarantined(images: Made) -> None:
    it = spaces(images, ["_space-MNI"] * 4 + ["_space-T1w"] * 2)
    it.index()
    assert {(row["subject"], row["reason"]) for row in rows(it.quarantine)} == {
        (f"sub-{i}", "in space T1w, the other recordings are in space MNI") for i in (4, 5)
    }


def test_shapes_may_differ_within_a_space_and_not_without_one(images: Made) -> None:
    shapes = [(4, 4, 4, 20)] * 5 + [(4, 4, 5, 20)]
    assert len(rows(spaces(images, ["_space-MNI"] * 6, shapes).index().recordings)) == 6
    for path in Path(images.dataset.root).glob("*space-MNI*"):
        path.rename(path.with_name(path.name.replace("_space-MNI", "")))
    (bad,) = rows(spaces(images, [""] * 6, shapes).index().quarantine)
    assert bad["reason"] == "shape (4, 4, 5), the other recordings have shape (4, 4, 4)"


def test_mixed_orientations_are_used_and_said(images: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(images.dataset.root) / "sub-1_bold.nii.gz"
    data = np.asarray(nibabel.load(path).dataobj)
    turned = nibabel.Nifti1Image(data, np.diag([-1.0, 1, 1, 1]))
    turned.header.set_zooms((1, 1, 1, 2.0))
    turned.header.set_xyzt_units("mm", "sec")
    turned.to_filename(path)
    found = rows(images.index().recordings)
    assert [row["orientation"] for row in found].count("LAS") == 1
    assert "orientations are mixed (1 LAS, 5 RAS)" in capsys.readouterr().err


EVENTS: dict[str, Any] = {
    "windows": {"volumes": 8, "events": {"lag_s": 4.0}},
    "recordings": {
        "kind": "nifti",
        "pattern": "{subject}_bold.nii.gz",
        "atlas": "atlas.nii.gz",
        "events": "{subject}_events.tsv",
    },
}


def test_events_past_the_end_are_noted_and_none_at_all_quarantined(images: Made) -> None:
    it = made({**images.dataset.model_dump(), **EVENTS}, images.folder)
    root = Path(it.dataset.root)
    table = "\ufeffonset\tduration\ttrial_type\r\n"
    for i in range(6):
        (root / f"sub-{i}_events.tsv").write_text(table + "2\t1\tface\r\n", newline="")
    (root / "sub-1_events.tsv").write_text(
        table + "2\t1\tface\r\n60\t1\tface\r\n90\t1\thouse\r\n", newline=""
    )
    (root / "sub-2_events.tsv").write_text(table + "60\t1\tface\r\n", newline="")
    (root / "sub-3_events.tsv").write_text("time\n1\n")
    (root / "sub-4_events.tsv").unlink()
    it.index()
    found = {row["subject"]: row["reason"] for row in rows(it.recordings)}
    assert found == {"sub-0": "", "sub-1": "2 events begin after the end of the run (40 s)", "sub-5": ""}
    bad = {row["subject"]: row["reason"] for row in rows(it.quarantine)}
    assert bad == {
        "sub-2": "no window of 8 volumes fits after any of 0 events; 1 event begins after the end of the run",
        "sub-3": "events sub-3_events.tsv: no column 'onset' in its first line",
        "sub-4": "no file fits recordings.events '{subject}_events.tsv'",
    }


def test_confounds_that_are_asked_for_and_missing_are_a_reason(images: Made) -> None:
    it = made(
        {**images.dataset.model_dump(), "clean": {"confounds": {"strategy": ["wm_csf"]}}}, images.folder
    )
    root = Path(it.dataset.root)
    for i in range(1, 6):
        table = "csf\twhite_matter\n" + "1\t2\n" * (20 if i > 1 else 19)
        (root / f"sub-{i}_bold.nii.gz_desc-confounds_timeseries.tsv").write_text(table)
    it.index()
    assert {row["subject"]: row["reason"] for row in rows(it.quarantine)} == {
        "sub-0": "no confounds table, which clean.confounds needs",
        "sub-1": "confounds sub-1_bold.nii.gz_desc-confounds_timeseries.tsv has 19 rows, the image 20 volumes",
    }


def test_windows_are_counted_in_volumes_after_cleaning(small_series: SmallSeries) -> None:
    it = small_series(clean={"discard": 30}, max_quarantined=1.0)
    with pytest.raises(
        UserError, match="40 volumes before cleaning are too few for one window, which needs 16"
    ):
        it.index()


# -- errors about the dataset as a whole ---------------------------------------------


def edit(it: Made, change: Callable[[str], str]) -> None:
    path = Path(it.dataset.root) / "participants.tsv"
    path.write_text(change(path.read_text()))


def test_a_missing_folder_names_the_key_root(tmp_path: Path) -> None:
    it = made({**IMAGES, "root": str(tmp_path / "nowhere")}, tmp_path)
    with pytest.raises(UserError, match=r"'images': key 'root': no folder"):
        it.index()


def test_a_missing_table_is_named(images: Made) -> None:
    (Path(images.dataset.root) / "participants.tsv").unlink()
    with pytest.raises(UserError, match=r"participants.tsv: no such file; keys 'root' and 'participants'"):
        images.index()


def test_a_missing_target_names_task_key_and_nearest_column(small_series: SmallSeries) -> None:
    it = small_series(tasks={"g": {"target": "gruop", "kind": "classification", "metric": "auroc"}})
    with pytest.raises(
        UserError,
        match=r"participants.tsv: no column 'gruop', which key 'tasks.g.target'.*did you mean 'group'",
    ):
        it.index()


@pytest.mark.parametrize("key", ["subject_column", "site_column", "family_column"])
def test_a_missing_column_names_its_key(key: str, small_series: SmallSeries) -> None:
    with pytest.raises(UserError, match=rf"participants.tsv: no column 'nmae', which key '{key}'"):
        small_series(**{key: "nmae"}).index()


def test_a_byte_order_mark_and_blanks_are_no_obstacle(small_series: SmallSeries) -> None:
    it = small_series()
    edit(it, lambda text: "\ufeff" + text.replace("\tgroup", "\t group ").replace("\n", "\r\n"))
    assert len(rows(it.index().recordings)) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + text.splitlines()[1] + "\n", "subject 'sub-00' has two rows"),
        (lambda text: text.replace("\t", "|"), "no column 'participant_id'"),
        (lambda text: text + "sub-77\ta\n", "row 14 has 2 fields"),
        (lambda text: text.replace("sub-03", "n/a"), "row 5 has no 'participant_id'"),
        (lambda text: text.replace("family", "group"), "column 'group' appears twice"),
        (lambda text: text.splitlines()[0] + "\n", "no subjects below the header"),
        (lambda text: "", "empty"),
        (lambda text: text.replace("\tb\t", "\ta\t"), "only one class, 'a'"),
        (lambda text: text.replace("\t23\t", "\told\t"), "'old' of subject 'sub-03' is no number"),
    ],
)
def test_a_table_that_will_not_do_is_told_in_a_sentence(
    change: Callable[[str], str], message: str, small_series: SmallSeries
) -> None:
    it = small_series()
    edit(it, change)
    with pytest.raises(UserError, match=message) as caught:
        it.index()
    assert "participants.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not it.recordings.exists()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("series/all.npy", r"lacks \{subject\}"),
        ("../{subject}.npy", "leaves the dataset's root"),
        ("serise/{subject}.npy", "fits no file under"),
    ],
)
def test_a_pattern_that_cannot_work_is_told(pattern: str, message: str, small_series: SmallSeries) -> None:
    with pytest.raises(UserError, match=rf"key 'recordings.pattern'.*{message}"):
        small_series(recordings={"kind": "series", "pattern": pattern, "tr_s": 2.0}).index()


def test_too_many_bad_recordings_stop_the_run_and_are_listed(small_series: SmallSeries) -> None:
    it = small_series()
    for i in range(4):
        (Path(it.dataset.root) / "series" / f"sub-{i:02d}.npy").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"4 of 12 recordings cannot be used, above max_quarantined 0.2.*sub-00"
    ):
        it.index()


def test_no_usable_recording_is_an_error_whatever_share_is_allowed(small_series: SmallSeries) -> None:
    it = small_series(max_quarantined=1.0, windows={"volumes": 100})
    with pytest.raises(UserError, match="no usable recording"):
        it.index()


def test_only_files_that_may_be_copies_are_hashed(small_series: SmallSeries) -> None:
    it = small_series()
    folder = Path(it.dataset.root) / "series"
    (folder / "sub-05.npy").write_bytes((folder / "sub-02.npy").read_bytes())
    end = np.load(folder / "sub-09.npy")
    end[-1] += 1
    np.save(folder / "sub-07.npy", np.repeat(end, 10, axis=0))
    end[-1] += 1
    np.save(folder / "sub-08.npy", np.repeat(end, 10, axis=0))
    hashed = {row["subject"]: row["sha256"] for row in rows(it.index().recordings) if row["sha256"]}
    assert sorted(hashed) == ["sub-02", "sub-05", "sub-07", "sub-08"]
    assert hashed["sub-02"] == hashed["sub-05"]
    assert hashed["sub-07"] != hashed["sub-08"]


def test_rates_that_differ_are_refused_unless_they_are_brought_to_one(images: Made) -> None:
    write_image(Path(images.dataset.root) / "sub-3_bold.nii.gz", tr_s=0.8)
    with pytest.raises(UserError, match=r"sub-3_bold.* 0.8 s, sub-0_bold.* every 2 s.*resample_s \(2\)"):
        images.index()
    for keys in ({"clean": {"resample_s": 2.0}}, {"include": ["tr_s >= 1"]}):
        assert rows(made({**images.dataset.model_dump(), **keys}, images.folder).index().recordings)


@pytest.mark.parametrize(
    ("space", "atlas_space", "message"),
    [
        ("T1w", None, "every brain lies elsewhere.*atlas_space: T1w"),
        ("MNI152NLin6Asym", "Talairach", "in MNI152NLin6Asym, atlas.nii.gz is in Talairach"),
        ("T1w", "T1w", None),
        ("MNI152NLin6Asym", "MNI152NLin6Asym", None),
    ],
)
def test_a_label_image_of_another_space_is_refused(
    space: str, atlas_space: str | None, message: str | None, images: Made
) -> None:
    it = spaces(images, [f"_space-{space}"] * 6, atlas_space=atlas_space)
    if message is None:
        assert len(rows(it.index().recordings)) == 6
        return
    with pytest.raises(UserError, match=message):
        it.index()


def test_a_label_image_that_may_not_fit_is_said(images: Made, capsys: pytest.CaptureFixture[str]) -> None:
    it = spaces(images, ["_space-MNI152NLin6Asym"] * 6).index()
    assert "atlas.nii.gz states no space and is taken to be in MNI152NLin6Asym" in capsys.readouterr().err
    stated = {**it.dataset.recordings.model_dump(), "atlas_space": "MNI152NLin2009cAsym"}
    made({**it.dataset.model_dump(), "recordings": stated}, images.folder).index()
    assert "parcels are off by a few millimetres" in capsys.readouterr().err


def test_codes_of_missing_values_are_missing_however_they_are_written(small_series: SmallSeries) -> None:
    it = small_series(missing=[-9999, "unknown"], include=["age > -10000"])
    edit(it, lambda text: text.replace("\t23\t", "\t-9999.0\t").replace("\t24\t", "\tunknown\t"))
    found = rows(it.index().recordings)
    assert len(found) == 10
    assert [row["subject"] for row in rows(it.quarantine)] == ["sub-03", "sub-04"]


def test_a_subject_without_a_family_is_in_nobody_elses(small_series: SmallSeries) -> None:
    it = small_series(family_column="family")
    edit(it, lambda text: text.replace("\tf1\n", "\tn/a\n").replace("\tf0\n", "\tsub-03\n"))
    found = rows(it.index().recordings)
    groups = {row["family_group"] for row in found if row["family_group"] != "sub-03"}
    assert "subject:sub-03" in groups
    assert "sub-03" not in groups


def test_filters_that_use_up_the_volumes_are_a_reason(small_series: SmallSeries) -> None:
    with pytest.raises(UserError, match=r"no usable recording.* the filter leave"):
        small_series(clean={"high_pass_hz": 0.1, "low_pass_hz": 0.11, "filter": "butterworth"}).index()


def test_recordings_without_a_mask_are_noted_where_others_have_one(tmp_path: Path) -> None:
    tree = write_fmriprep(tmp_path / "fmriprep", 3, ("a",), ("01",), volumes=12, voxel_mm=12.0)
    next((tree.root / "sub-01").rglob("*MNI*brain_mask.nii.gz")).unlink()
    tasks = {"group": {"target": "group", "kind": "classification", "metric": "auroc"}}
    dataset = {
        "dataset": "film",
        "root": str(tree.root),
        "recordings": {"kind": "bids", "space": "MNI152NLin2009cAsym"},
        "view": "mosaic",
        "windows": {"volumes": 8},
        "tasks": tasks,
    }
    it = made(dataset, tmp_path, size=48).index().build()
    first, *others = rows(it.recordings)
    assert "no mask beside it, others have one" in first["reason"]
    assert not any("mask" in row["reason"] for row in others)
    assert read_json(it.view / "view.json")["masked"] == 2
    assert read_json(it.view / "series.json")[0]["degrees_of_freedom"] == 11
