"""Signals in memory, in blocks of a few volumes: what a reader gives a view."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.medical.recording import Float32, Geometry, Grid, Int64

MM = np.diag([3.0, 3.0, 3.0, 1.0])
MM[:3, 3] = [-96.0, -132.0, -78.0]
SHAPE = (65, 77, 65)


@dataclass
class Signal:
    """Values (volumes, features) with their geometry."""

    values: Float32
    geometry: Geometry
    together: int = 3

    @property
    def n_volumes(self) -> int:
        return len(self.values)

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        for first in range(0, len(self.values), self.together):
            block = self.values[first : first + self.together]
            yield block if inside is None else block[:, inside]


def grid(affine: npt.NDArray[np.float64] = MM, shape: tuple[int, int, int] = SHAPE, mask: Any = None) -> Grid:
    """A grid of 3 mm voxels around the head, in MNI space."""
    return Grid(shape, affine, mask)


def places(where: Grid) -> npt.NDArray[np.float64]:
    """RAS millimetres of every voxel in the order of the file (voxels, 3)."""
    indices = np.stack(np.unravel_index(np.arange(np.prod(where.shape)), where.shape, order="F"), axis=1)
    return indices @ where.affine[:3, :3].T + where.affine[:3, 3]


def turned(where: Grid) -> Grid:
    """The same place stored from right to left (LAS)."""
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = where.shape[0] - 1
    return Grid(where.shape, where.affine @ mirror, None)


def spec(size: int = 64, **view: Any) -> dict[str, Any]:
    """What of the view's spec a projection needs; options as the study's schema completes them."""
    from transferscale.study.dataset import Dataset

    dataset = Dataset.model_validate(
        {
            "dataset": "x",
            "root": "/nowhere",
            "recordings": {"kind": "nifti", "pattern": "{subject}.nii"},
            "windows": {"volumes": 16},
            "tasks": {"t": {"target": "t", "kind": "classification", "metric": "auroc"}},
            "view": view,
        }
    ).spec()
    return {
        "view": dataset["view"],
        "size": size,
        "tubelet": {"frames": 2, "size": 8},
        "root": "/nowhere",
        "recordings": dataset["recordings"],
    }
