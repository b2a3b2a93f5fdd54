"""View ``roi``: every parcel or channel a block of pixels, in an order that is stated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array

from transferscale.errors import UserError
from transferscale.medical import layout as blocks
from transferscale.medical.recording import Geometry, Grid, Parcels
from transferscale.medical.views.parcels import read_atlas
from transferscale.medical.views.projection import Projection

Float64 = npt.NDArray[np.float64]

BLOCK = "squares of floor(size / ceil(sqrt(parcels))) pixels from the upper left"


def roi(geometry: Geometry, spec: Mapping[str, Any], named: str) -> Projection:
    """Projection of parcels, or of a volume by a label image (see ``projection.View``)."""
    if isinstance(geometry, Parcels):
        weights = csr_array(eye_array(geometry.number, format="csr"))
        coordinates, rule = geometry.coordinates, "as given"
    elif isinstance(geometry, Grid):
        if spec["recordings"].get("atlas") is None:
            raise UserError(
                f"{named}: view roi of volumes needs recordings.atlas, a label image; set it, or choose view flatmap "
                "or mosaic"
            )
        atlas = read_atlas(Path(spec["root"]) / spec["recordings"]["atlas"])
        weights = atlas.means(geometry)
        coordinates, rule = atlas.centroids, "mean over the finite voxels of a label, RAS axes"
    else:
        raise UserError(
            f"{named}: view roi needs parcels, or volumes with a label image; choose view flatmap"
        )
    layout, order = _layout(weights.shape[0], coordinates, spec, named)
    about = {"parcels": weights.shape[0], "parcel_rule": rule, **order}
    return Projection(weights, layout, about)


def _layout(
    parcels: int, coordinates: Float64 | None, spec: Mapping[str, Any], named: str
) -> tuple[blocks.Int32, dict[str, str]]:
    """Layout and its rule in words."""
    order, size = spec["view"]["order"], spec["size"]
    if order in ("spatial", "flatmap") and coordinates is None:
        raise UserError(
            f"{named}: view.order '{order}' needs the parcels' places; set recordings.coordinates (x, y, z in MNI mm) "
            "or recordings.atlas, or choose order table"
        )
    if order == "flatmap" and coordinates is not None:
        from transferscale.medical.views.flat_parcels import RULE, paint_flat

        return paint_flat(coordinates, size, named), {
            "rule": RULE,
            "block": "the pixels nearest to its place",
        }
    if order == "table" or coordinates is None:
        return blocks.paint(blocks.table_order(parcels), size, named), {
            "rule": blocks.TABLE_RULE,
            "block": BLOCK,
        }
    spatial = blocks.spatial_order(np.asarray(coordinates, dtype=np.float64))
    return blocks.paint(spatial, size, named), {"rule": blocks.SPATIAL_RULE, "block": BLOCK}
