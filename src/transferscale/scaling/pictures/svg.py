"""A chart drawn as SVG, the same text every time."""

import re
from typing import TYPE_CHECKING

import vl_convert

from transferscale.scaling.pictures.canvas import specification

if TYPE_CHECKING:
    import altair as alt


def svg(chart: "alt.ConcatChart | alt.LayerChart", name: str) -> str:
    """SVG of a chart, whose ids are ``name`` and a number.

    Vega counts its ids through the life of the process; here they are counted in one drawing.
    """
    drawn = vl_convert.vegalite_to_svg(specification(chart))
    ids = {own: f"{name}-{i}" for i, own in enumerate(re.findall(r'\bid="([^"]+)"', drawn), 1)}
    drawn = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{ids[found[1]]}"', drawn)
    return re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{ids[found[1]]})", drawn)
