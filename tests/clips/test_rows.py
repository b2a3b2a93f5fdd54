"""Rows: the bytes of numpy.save, without the array."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.clips.rows import write_rows


@given(st.lists(st.integers(0, 5), max_size=5), st.sampled_from(["float32", "int16"]))
def test_blocks_make_the_file_that_numpy_saves(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], dtype: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    array = np.random.default_rng(0).normal(0, 99, (sum(lengths), 3, 2)).astype(dtype)
    np.save(folder / "whole.npy", array)
    blocks = np.split(array, np.cumsum(lengths)[:-1]) if lengths else []
    write_rows(folder / "blocks.npy", array.shape, dtype, blocks)
    assert (folder / "blocks.npy").read_bytes() == (folder / "whole.npy").read_bytes()


@pytest.mark.parametrize("shape", [(4, 3), (6, 3), (5, 2)])
def test_rows_that_were_not_announced_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"rows\.npy"):
        write_rows(tmp_path / "rows.npy", shape, "float32", [np.zeros((5, 3), dtype=np.float32)])
