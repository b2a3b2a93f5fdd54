"""The fsaverage5 surface: meshes of both hemispheres, read from nilearn's wheel.

FreeSurfer's template surface at 10,242 vertices a hemisphere (ico5). Vertices of its finer versions are nested: the
first 10,242 of fsaverage6 and fsaverage are those of fsaverage5. Coordinates are those of MNI305, which lie within a
few millimetres of MNI152; nilearn takes them as MNI152, and so is done here.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Hemisphere = Literal["left", "right"]

VERTICES = 10242
# Vertices of a hemisphere of every version that holds those of fsaverage5 first.
NESTED = {"fsaverage5": 10242, "fsaverage6": 40962, "fsaverage": 163842, "fsaverage7": 163842}


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh: ``coordinates`` (vertices, 3) in mm, ``faces`` (faces, 3) of vertex numbers."""

    coordinates: Float64
    faces: Int64


def read_mesh(path: Path, named: str) -> Mesh:
    """Read a GIFTI surface.

    Raises
    ------
    UserError
        If the file is missing or holds no surface.
    """
    import nibabel

    try:
        arrays = nibabel.load(path)
        points = arrays.agg_data("pointset")
        faces = arrays.agg_data("triangle")
        return Mesh(np.asarray(points, dtype=np.float64), np.asarray(faces, dtype=np.int64))
    except FileNotFoundError:
        raise UserError(f"{named}: no file {path}; give the path of a flat mesh (GIFTI) under root") from None
    except Exception as error:  # nibabel's GIFTI parser raises what its XML parser does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{named}: {path} is not a readable GIFTI surface ({reason})") from None


@cache
def mesh(kind: Literal["pial", "white", "flat"], hemisphere: Hemisphere) -> Mesh:
    """A mesh of fsaverage5; the flat one has the faces of the cut-open sheet alone.

    Read without importing nilearn, which would take longer than the reading.
    """
    return read_mesh(_folder() / f"{kind}_{hemisphere}.gii.gz", "nilearn's fsaverage5")


def middle(hemisphere: Hemisphere) -> Float64:
    """Coordinates half-way between white matter and pial surface (vertices, 3), RAS millimetres."""
    between: Float64 = (mesh("white", hemisphere).coordinates + mesh("pial", hemisphere).coordinates) / 2
    return between


def _folder() -> Path:
    found: Any = importlib.util.find_spec("nilearn")
    folder = Path(found.origin).parent / "datasets" / "data" / "fsaverage5" if found else Path("fsaverage5")
    if not folder.is_dir():
        raise UserError("nilearn: its fsaverage5 meshes are missing; install nilearn >= 0.12")
    return folder
