"""Views: how a recording is laid out as a clip; one function a module, by the name of the kind."""

from collections.abc import Mapping

from transferscale.medical.views.flatmap import flatmap
from transferscale.medical.views.mosaic import mosaic
from transferscale.medical.views.projection import View
from transferscale.medical.views.roi import roi
from transferscale.medical.views.volume import volume

VIEWS: Mapping[str, View] = {"roi": roi, "flatmap": flatmap, "mosaic": mosaic, "volume": volume}
