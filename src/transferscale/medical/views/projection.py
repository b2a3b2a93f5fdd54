"""What every view is: features become columns by weights, columns become pixels by a layout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from transferscale.medical.recording import Geometry

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Projection:
    """From the features of a signal to the pixels of a clip.

    Attributes
    ----------
    weights
        (columns, features), rows summing to one: a column is a weighted mean of features. A column without features
        (a parcel outside the grid) has an empty row and stays zero.
    layout
        (size, size) column shown at each pixel, -1 where none. Rows from top to bottom, columns from left to right;
        the left hemisphere is on the left, or above.
    about
        What ``view.json`` says of it: rule in words, units of the sides, mesh, spacing ...
    """

    weights: csr_array[Any, Any]
    layout: Int32
    about: Mapping[str, Any] = field(default_factory=dict)


class View(Protocol):
    """A kind of view; one function a module of this folder, by the name of the kind."""

    def __call__(self, geometry: Geometry, spec: Mapping[str, Any], named: str) -> Projection:
        """Projection of a geometry.

        Parameters
        ----------
        geometry
            Of the signal.
        spec
            ``Grid.view_spec``: ``view`` (kind and options), ``size`` (pixels), ``tubelet`` (frames, size), ``root``,
            ``recordings`` (its ``atlas`` for view roi).
        named
            Begins messages: the dataset and its key.

        Raises
        ------
        UserError
            If a view of this kind cannot be made of this geometry, or ``size`` is too small for it.
        """
        ...
