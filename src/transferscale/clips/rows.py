"""A .npy file written block by block, so that no more than a block is in memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_rows(
    path: Path, shape: tuple[int, ...], dtype: str, blocks: Iterable[npt.NDArray[np.generic]]
) -> None:
    """Write an array of ``shape`` from blocks of its rows, in order; byte for byte what :func:`numpy.save` writes.

    Raises
    ------
    ValueError
        If the blocks do not add up to the shape.
    """
    kind, rows = np.dtype(dtype), 0
    with path.open("wb") as stream:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for block in blocks:
            if block.shape[1:] != shape[1:] or block.dtype != kind:
                raise ValueError(f"{path}: a block is {block.dtype} {block.shape}, the file {kind} {shape}")
            stream.write(np.ascontiguousarray(block).data)
            rows += len(block)
    if rows != shape[0]:
        raise ValueError(f"{path}: {rows} rows were given, {shape[0]} announced")
