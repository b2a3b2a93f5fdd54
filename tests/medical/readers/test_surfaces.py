"""Surfaces: hemispheres in their order, the medial wall left out, the repetition time where it is told."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.medical.fmriprep import write_gifti
from transferscale.medical.readers.surfaces import describe_surface, open_dense, open_pair, read_gifti_head
from transferscale.medical.recording import Found, UnreadableError

SIZE = 50


def pair(root: Path, volumes: int = 6) -> tuple[Found, np.ndarray[Any, Any]]:
    values = np.random.default_rng(0).standard_normal((volumes, 2 * SIZE)).astype(np.float32)
    write_gifti(root / "L.func.gii", values[:, :SIZE])
    write_gifti(root / "R.func.gii", values[:, SIZE:])
    return Found("s", files={"image": "L.func.gii", "right": "R.func.gii"}), values


def test_a_pair_gives_left_then_right(tmp_path: Path) -> None:
    found, values = pair(tmp_path)
    signal, tr_s = open_pair(tmp_path, found, "fsaverage5")
    assert (signal.n_volumes, signal.geometry.size, tr_s) == (6, SIZE, None)
    assert np.array_equal(np.concatenate(list(signal.blocks())), values)
    for inside in (np.array([3, 49, 50, 77]), np.array([3]), np.array([99]), np.array([], dtype=np.int64)):
        assert np.array_equal(np.concatenate(list(signal.blocks(inside))), values[:, inside])


def test_one_array_of_all_volumes_is_read_too(tmp_path: Path) -> None:
    found, values = pair(tmp_path)
    for name, columns in (("L", slice(0, SIZE)), ("R", slice(SIZE, None))):
        array = nibabel.gifti.GiftiDataArray(
            np.ascontiguousarray(values[:, columns].T), datatype="NIFTI_TYPE_FLOAT32"
        )
        nibabel.GiftiImage(darrays=[array]).to_filename(tmp_path / f"{name}.func.gii")
    signal, _ = open_pair(tmp_path, found, "")
    assert np.array_equal(np.concatenate(list(signal.blocks())), values)


@pytest.mark.parametrize(("step", "tr_s"), [("2000.000000", 2.0), ("0.8", 0.8)])
def test_the_time_step_of_a_gifti_file_is_read(step: str, tr_s: float, tmp_path: Path) -> None:
    meta = nibabel.gifti.GiftiMetaData({"TimeStep": step})
    arrays = [nibabel.gifti.GiftiDataArray(np.ones(4, np.float32), meta=meta) for _ in range(3)]
    nibabel.GiftiImage(darrays=arrays).to_filename(tmp_path / "x.func.gii")
    assert read_gifti_head(tmp_path / "x.func.gii").tr_s == tr_s


def test_hemispheres_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    found, values = pair(tmp_path)
    write_gifti(tmp_path / "R.func.gii", values[:4, SIZE:])
    with pytest.raises(UnreadableError, match="6 volumes on the left, 4 on the right"):
        open_pair(tmp_path, found, "")
    write_gifti(tmp_path / "R.func.gii", values[:, SIZE + 1 :])
    with pytest.raises(UnreadableError, match="50 vertices on the left, 49 on the right"):
        open_pair(tmp_path, found, "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<html>404</html>", "a web page"),
        ("", "an empty file"),
        ("<?xml version='1.0'?><x/>", "is not a GIFTI file"),
    ],
)
def test_what_is_no_gifti_file_is_told(content: str, reason: str, tmp_path: Path) -> None:
    found, _ = pair(tmp_path)
    (tmp_path / "L.func.gii").write_text(content)
    with pytest.raises(UnreadableError, match=reason):
        open_pair(tmp_path, found, "")


def test_a_truncated_gifti_file_is_told_from_its_end(tmp_path: Path) -> None:
    found, _ = pair(tmp_path)
    text = (tmp_path / "R.func.gii").read_text()
    (tmp_path / "R.func.gii").write_text(text[: len(text) // 2])
    with pytest.raises(UnreadableError, match=r"truncated: R.func.gii lacks its end"):
        open_pair(tmp_path, found, "")


def dense(root: Path, unit: str = "SECOND", constant: bool = False) -> tuple[Found, np.ndarray[Any, Any]]:
    left, right = np.ones(SIZE, bool), np.ones(SIZE, bool)
    left[:5] = right[10:20] = False
    axis = nibabel.cifti2.BrainModelAxis
    # The right hemisphere first, and a structure between them: the order of a file is not to be relied on.
    models = axis.from_mask(right, name="CORTEX_RIGHT")
    models += axis.from_mask(np.ones((2, 1, 1), bool), name="THALAMUS_LEFT", affine=np.eye(4))
    models += axis.from_mask(left, name="CORTEX_LEFT")
    values = np.random.default_rng(0).standard_normal((6, len(models))).astype(np.float32)
    if constant:
        values[:] = values[:1]
        values[:, 40:42] = np.random.default_rng(1).standard_normal((6, 2))
    series = nibabel.cifti2.SeriesAxis(0, 0.8, 6, unit=unit)
    nibabel.Cifti2Image(values, (series, models)).to_filename(root / "x.dtseries.nii")
    return Found("s", files={"image": "x.dtseries.nii"}), np.concatenate(
        [values[:, 42:], values[:, :40]], axis=1
    )


def test_a_dense_series_gives_the_cortex_left_then_right(tmp_path: Path) -> None:
    found, cortex = dense(tmp_path)
    signal, tr_s = open_dense(tmp_path, found, "fsLR")
    assert tr_s == pytest.approx(0.8)
    assert (signal.geometry.space, signal.geometry.size, signal.n_volumes) == ("fsLR", SIZE, 6)
    assert signal.geometry.left.tolist() == list(range(5, SIZE))
    assert signal.geometry.right.tolist() == [*range(10), *range(20, SIZE)]
    assert np.array_equal(np.concatenate(list(signal.blocks())), cortex)
    inside = np.array([0, 44, 45, 60])
    assert np.array_equal(np.concatenate(list(signal.blocks(inside))), cortex[:, inside])


def test_a_series_axis_that_is_not_in_seconds_tells_no_repetition_time(tmp_path: Path) -> None:
    found, _ = dense(tmp_path, unit="HERTZ")
    with pytest.raises(UnreadableError, match="no repetition time in JSON or header"):
        describe_surface(tmp_path, found, None, [], "fsLR")
    assert describe_surface(tmp_path, found, 2.0, [], "fsLR").tr_s == 2.0


def test_a_cortex_that_never_changes_is_told_whatever_lies_below(tmp_path: Path) -> None:
    found, _ = dense(tmp_path, constant=True)
    with pytest.raises(UnreadableError, match="every vertex is constant"):
        describe_surface(tmp_path, found, None, [], "fsLR")


def test_a_truncated_dense_series_is_told(tmp_path: Path) -> None:
    found, _ = dense(tmp_path)
    path = tmp_path / "x.dtseries.nii"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableError, match=r"truncated: .* the header announces"):
        open_dense(tmp_path, found, "")


def test_an_image_is_no_dense_series(tmp_path: Path) -> None:
    nibabel.Nifti1Image(np.ones((2, 2, 2, 3), np.float32), np.eye(4)).to_filename(tmp_path / "x.nii")
    with pytest.raises(UnreadableError, match="Nifti1Image is not a CIFTI file"):
        open_dense(tmp_path, Found("s", files={"image": "x.nii"}), "")


def test_values_in_another_file_are_not_read(tmp_path: Path) -> None:
    found, _ = pair(tmp_path)
    (tmp_path / "private.bin").write_bytes(bytes(4 * 6 * SIZE))
    arrays = "".join(
        '<DataArray Intent="NIFTI_INTENT_TIME_SERIES" DataType="NIFTI_TYPE_FLOAT32" Dimensionality="1" '
        f'ArrayIndexingOrder="RowMajorOrder" Dim0="{SIZE}" Encoding="ExternalFileBinary" Endian="LittleEndian" '
        f'ExternalFileName="private.bin" ExternalFileOffset="{4 * SIZE * i}"><Data></Data></DataArray>'
        for i in range(6)
    )
    (tmp_path / "L.func.gii").write_text(f'<GIFTI Version="1.0" NumberOfDataArrays="6">{arrays}</GIFTI>')
    signal, _ = open_pair(tmp_path, found, "")
    with pytest.raises(UnreadableError, match="ExternalFileBinary is not supported"):
        list(signal.blocks())
