"""A picture as a file: SVG, PNG, or an interactive page, by the ending of its name."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from transferscale.artefacts import atomic
from transferscale.errors import UserError

if TYPE_CHECKING:
    from transferscale.scaling.pictures.canvas import Picture

ENDINGS = (".svg", ".png", ".html")
# Pixels of a PNG for one of the drawing.
SCALE = 2.0


def checked(path: Path) -> Path:
    """The same path, if a picture can be drawn into it: asked before the work that is to be drawn.

    Raises
    ------
    UserError
        If the ending names no format of pictures, or what draws them is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{path}: a picture is a .svg, .png or .html (interactive) file; end the name with one of them"
        )
    if find_spec("altair") is None or find_spec("vl_convert") is None:
        raise UserError(f"{path}: drawing needs more packages; pip install 'transferscale[analysis]'")
    return path


def write(picture: "Picture", path: Path) -> None:
    """Write a picture to ``path``, in the format of its ending.

    Raises
    ------
    UserError
        As :func:`checked`.
    """
    import vl_convert

    from transferscale.scaling.pictures.canvas import specification
    from transferscale.scaling.pictures.page import page
    from transferscale.scaling.pictures.svg import svg

    ending = checked(path).suffix.lower()
    with atomic(path) as temporary:
        if ending == ".html":
            temporary.write_text(page(picture), encoding="utf-8")
        elif ending == ".svg":
            temporary.write_text(svg(picture.still(), "picture"), encoding="utf-8")
        else:
            temporary.write_bytes(vl_convert.vegalite_to_png(specification(picture.still()), scale=SCALE))
