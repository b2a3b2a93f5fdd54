"""Images: streamed values are nibabel's, whatever the type, and what is wrong is told."""

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.medical.readers import images, open_reader
from transferscale.medical.readers.images import open_volumes, read_header, read_mask
from transferscale.medical.recording import Found, Grid, UnreadableError
from transferscale.study.recordings import NiftiRecordings

TYPES = ["int16", "uint8", "int32", "uint16", "float32", "float64"]


def image(
    path: Path, shape: tuple[int, ...] = (5, 4, 3, 12), dtype: str = "int16", **keys: Any
) -> np.ndarray[Any, Any]:
    """Write an image; return what nibabel reads from it, (volumes, voxels) with the first axis fastest."""
    rng = np.random.default_rng(keys.get("seed", 0))
    data = rng.integers(0, 200, shape).astype(dtype)
    if np.dtype(dtype).kind == "f":
        data = (data + rng.random(shape)).astype(dtype)
    kind = keys.get("kind", nibabel.Nifti1Image)
    made = kind(
        data.astype(np.dtype(dtype).newbyteorder(keys.get("order", "="))),
        keys.get("affine", np.diag([3, 3, 3, 1])),
    )
    made = kind(data, made.affine, made.header.as_byteswapped(keys["order"])) if "order" in keys else made
    made.header.set_xyzt_units("mm", "sec")
    made.header.set_zooms((3, 3, 3, 2.0)[: len(shape)])
    if "slope" in keys:
        made.header.set_slope_inter(keys["slope"], keys["inter"])
    made.to_filename(path)
    values = np.asarray(nibabel.load(path).dataobj)
    return values.reshape(-1, shape[-1], order="F").T


def streamed(path: Path, inside: Any = None) -> np.ndarray[Any, Any]:
    return np.concatenate(
        list(open_volumes(path.parent, Found("s", files={"image": path.name})).blocks(inside))
    )


@settings(deadline=None, max_examples=60)
@given(
    dtype=st.sampled_from(TYPES),
    order=st.sampled_from(["<", ">"]),
    kind=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    packed=st.booleans(),
    scale=st.none() | st.tuples(st.floats(0.01, 9), st.floats(-50, 50)),
    block=st.sampled_from([1, 300, 2**23]),
    choose=st.booleans(),
)
def test_blocks_are_what_nibabel_reads(
    dtype: str,
    order: str,
    kind: Any,
    packed: bool,
    scale: Any,
    block: int,
    choose: bool,
    tmp_path_factory: Any,
) -> None:
    path = tmp_path_factory.mktemp("image") / ("x.nii.gz" if packed else "x.nii")
    keys = {} if scale is None else {"slope": scale[0], "inter": scale[1]}
    expected = image(path, dtype=dtype, order=order, kind=kind, **keys)
    inside = np.arange(1, 60, 4) if choose else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "BLOCK", block)
        values = streamed(path, inside)
    assert values.dtype == np.float32
    assert np.array_equal(values, (expected if inside is None else expected[:, inside]).astype(np.float32))


def test_a_run_is_never_held(tmp_path: Path) -> None:
    image(tmp_path / "x.nii.gz", (32, 32, 20, 400))
    run = 32 * 32 * 20 * 400 * 4
    signal = open_volumes(tmp_path, Found("s", files={"image": "x.nii.gz"}))
    tracemalloc.start()
    for block in signal.blocks(np.arange(0, 20480, 3)):
        assert len(block) < 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < run


def test_a_damaged_end_is_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.nii.gz"
    image(path)
    content = bytearray(path.read_bytes())
    content[-7] ^= 1  # the checksum
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableError, match=r"cannot be read to its end.*CRC"):
        streamed(path)


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nii"])
def test_a_file_cut_after_the_index_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    image(path)
    signal = open_volumes(tmp_path, Found("s", files={"image": name}))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableError, match="cannot be read to its end"):
        list(signal.blocks())


def reader(root: Path, **keys: Any) -> Any:
    section = NiftiRecordings(kind="nifti", pattern="{subject}_bold.nii.gz", **keys).model_dump(mode="json")
    return open_reader(section, root, None)


def facts(root: Path, **keys: Any) -> Any:
    it = reader(root, **keys)
    (found,) = it.find(None)
    return it.describe(found)


def test_constant_or_missing_values_throughout_are_told(tmp_path: Path) -> None:
    flat = np.repeat(np.random.default_rng(0).random((4, 4, 4, 1)), 9, axis=3).astype(np.float32)
    flat[0] = np.nan
    nibabel.Nifti1Image(flat, np.eye(4)).to_filename(tmp_path / "s_bold.nii.gz")
    with pytest.raises(UnreadableError, match="every voxel is constant or not finite"):
        facts(tmp_path, tr_s=2.0)


def test_voxels_that_are_not_finite_are_noted(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((4, 4, 4, 9)).astype(np.float32)
    data[0, 0, :3, 4] = np.nan
    nibabel.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / "s_bold.nii.gz")
    assert facts(tmp_path, tr_s=1.0).note.startswith("3 voxels are not finite")


def test_the_nearest_json_that_has_a_repetition_time_rules(tmp_path: Path) -> None:
    folder = tmp_path / "sub-1" / "func"
    folder.mkdir(parents=True)
    image(folder / "sub-1_task-a_bold.nii.gz")
    section = NiftiRecordings(kind="nifti", pattern="{subject}/func/{subject}_task-a_bold.nii.gz").model_dump(
        mode="json"
    )

    def told() -> float:
        it = open_reader(section, tmp_path, None)
        return it.describe(it.find(None)[0]).tr_s

    assert told() == 2.0
    (tmp_path / "task-b_bold.json").write_text('{"RepetitionTime": 9}')
    assert told() == 2.0
    (tmp_path / "task-a_bold.json").write_text('\ufeff{"RepetitionTime": 1.5}')
    assert told() == 1.5
    (folder / "sub-1_task-a_bold.json").write_text('{"EchoTime": 0.03}')
    assert told() == 1.5
    (tmp_path / "sub-1" / "sub-1_bold.json").write_text('{"RepetitionTime": 1.25}')
    assert told() == 1.25


def test_a_mask_is_turned_to_the_images_axes(tmp_path: Path) -> None:
    values = np.zeros((5, 4, 3), dtype=np.uint8)
    values[3, 2, 1] = 1
    stored = np.diag([3.0, 3, 3, 1])
    image(tmp_path / "s_bold.nii.gz", affine=stored)
    flipped = np.diag([-3.0, 3, 3, 1])
    flipped[0, 3] = 12
    nibabel.Nifti1Image(values[::-1], flipped).to_filename(tmp_path / "mask.nii")
    mask = read_mask(tmp_path / "mask.nii", read_header(tmp_path / "s_bold.nii.gz"))
    assert np.array_equal(mask, values.ravel(order="F") > 0)
    geometry = (
        reader(tmp_path, mask="mask.nii")
        .open(Found("s", files={"image": "s_bold.nii.gz", "mask": "mask.nii"}))
        .geometry
    )
    assert isinstance(geometry, Grid)
    assert np.array_equal(geometry.mask, mask)


def write_mask(root: Path, shape: tuple[int, ...] = (5, 4, 3), value: int = 1, shift: float = 0.0) -> None:
    affine = np.diag([3.0, 3, 3, 1])
    affine[0, 3] = shift
    nibabel.Nifti1Image(np.full(shape, value, dtype=np.uint8), affine).to_filename(root / "mask.nii.gz")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": 0}, "mask mask.nii.gz is empty"),
        (
            {"shape": (5, 4, 4)},
            r"mask mask.nii.gz is on another grid: \(5, 4, 4\), the image has \(5, 4, 3\)",
        ),
        ({"shift": 3.0}, "is on another grid.*but lies elsewhere"),
    ],
)
def test_a_mask_that_does_not_fit_is_told(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    image(tmp_path / "s_bold.nii.gz")
    write_mask(tmp_path, **change)
    with pytest.raises(UnreadableError, match=reason):
        facts(tmp_path, mask="mask.nii.gz")


def test_a_mask_that_is_a_web_page_is_told(tmp_path: Path) -> None:
    image(tmp_path / "s_bold.nii.gz")
    (tmp_path / "mask.nii.gz").write_text("<html>404</html>")
    with pytest.raises(UnreadableError, match=r"mask mask\.nii\.gz: a web page"):
        facts(tmp_path, mask="mask.nii.gz")


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda p: image(p, (5, 4, 3)), "3 dimensions"),
        (lambda p: p.write_text("<!DOCTYPE html><html></html>"), "a web page, not a recording"),
        (lambda p: p.write_bytes(gzip.compress(b"short")), "not a readable NIfTI"),
        (
            lambda p: nibabel.Nifti1Image(np.ones((2, 2, 2, 9), np.complex64), np.eye(4)).to_filename(p),
            "holds complex64, not real numbers",
        ),
        (
            lambda p: nibabel.MGHImage(np.ones((2, 2, 2, 9), np.float32), np.eye(4)).to_filename(
                p.with_suffix(".mgz")
            ),
            "no such file",
        ),
    ],
)
def test_what_is_no_image_says_what_it_is(write: Any, reason: str, tmp_path: Path) -> None:
    write(tmp_path / "s_bold.nii.gz")
    with pytest.raises(UnreadableError, match=reason):
        read_header(tmp_path / "s_bold.nii.gz")
