"""Derivatives as fMRIPrep writes them are added with their confounds; raw folders are sent to fMRIPrep."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.medical.fmriprep import write_fmriprep
from transferscale.errors import UserError
from transferscale.medical.add.add import add
from transferscale.medical.check import load
from transferscale.medical.show import show
from transferscale.study.load import load_dataset


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Derivatives of ten people with two runs, inside a raw BIDS folder that has the participants table."""
    raw = tmp_path_factory.mktemp("study") / "memory" / "raw"
    inside = raw / "derivatives" / "fmriprep"
    write_fmriprep(inside, subjects=10, runs=("1", "2"), volumes=22, voxel_mm=12.0)
    shutil.move(inside / "participants.tsv", raw / "participants.tsv")
    (raw / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.9.0"}))
    return raw


@pytest.fixture
def added(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return add(str(tree / "derivatives" / "fmriprep"))


def test_volumes_with_their_confounds_are_read_as_flat_maps(added):
    dataset = load_dataset(added.file)
    assert (dataset.recordings.kind, dataset.recordings.files) == ("bids", "volume")
    assert dataset.view.kind == "flatmap"
    assert dataset.clean.confounds.strategy == ["motion", "wm_csf", "high_pass"]
    assert dataset.clean.confounds.motion == "basic"  # 24 terms are too many for 22 volumes
    assert dataset.clean.high_pass_hz is None  # fMRIPrep's cosines do that
    assert added.problem == ""
    assert (added.checked.subjects, added.checked.recordings) == (10, 20)


def test_the_table_of_the_raw_folder_around_is_found(added, tree):
    dataset = load_dataset(added.file)
    assert dataset.participants == "../../participants.tsv"
    assert list(dataset.tasks) == ["age", "group"]


def test_other_forms_of_the_same_runs_are_said(added):
    text = added.file.read_text()
    assert "files: volume  # there are also: surface, cifti (--files)" in text


def test_another_form_is_chosen(added, tree):
    surfaces = add(str(tree / "derivatives/fmriprep"), files="surface", force=True)
    assert load_dataset(surfaces.file).recordings.files == "surface"
    assert (surfaces.problem, surfaces.checked.recordings) == ("", 20)


def test_a_form_is_asked_of_derivatives_that_have_it(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare = tmp_path / "bare"
    shutil.copytree(
        tree / "derivatives/fmriprep", bare, ignore=shutil.ignore_patterns("*.gii", "*.dtseries.*")
    )
    with pytest.raises(UserError, match=r"--files cifti: .* no such files; there are: volume"):
        add(str(bare), files="cifti")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="holds none; name their folder"):
        add("other", files="cifti")


def test_a_folder_above_the_only_derivatives_stands_for_them(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    above = tmp_path / "lab" / "derivatives"
    shutil.copytree(tree / "derivatives/fmriprep", above / "fmriprep")
    dataset = load_dataset(add("lab").file)
    assert (dataset.dataset, dataset.root) == ("lab", "lab/derivatives/fmriprep")
    assert dataset.recordings.kind == "bids"
    shutil.copytree(above / "fmriprep", above / "again")
    with pytest.raises(UserError, match=r"2 folders of derivatives; name one: .*again, .*fmriprep"):
        add("lab", force=True)


def test_the_raw_folder_names_its_derivatives_instead(tree):
    with pytest.raises(UserError, match=r"raw BIDS folder with derivatives; name those instead: .*fmriprep"):
        add(str(tree))


def test_its_picture_shows_motion(added, tmp_path):
    grid = load(str(added.file))
    (with_motion,) = show(grid, "sub-02", [], 48, tmp_path / "a")
    (bare,) = show(load(str(added.file)), "sub-02", ["mosaic"], 48, tmp_path / "b")
    assert [p.name for p in (with_motion, bare)] == [f"memory_{v}_sub-02.png" for v in ("flatmap", "mosaic")]
    pixels = np.asarray(Image.open(with_motion).convert("RGB")).astype(int)
    # The line at 0.5 mm is red, and nothing else is as wide.
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 80) & (pixels[..., 2] < 80)
    assert red[-pixels.shape[0] // 5 :].any()
