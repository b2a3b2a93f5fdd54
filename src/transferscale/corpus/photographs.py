"""Natural photographs that lie inside the scikit-image and scikit-learn wheels: nothing is downloaded."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transferscale.corpus.reading import luminance
from transferscale.errors import UserError

# Scenes, animals, surfaces and things; no drawings, no text, and no lawn or gravel, whose spectrum is far
# from a scene's.
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/brick.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/coins.png"),
    ("skimage", "data/hubble_deep_field.jpg"),
    ("skimage", "data/moon.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/retina.jpg"),
    ("skimage", "data/rocket.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)


@cache
def photograph(which: int) -> npt.NDArray[np.uint8]:
    """Luminance (height, width) of one of :data:`PHOTOGRAPHS`.

    Raises
    ------
    UserError
        If the package, or the file in it, is not there.
    """
    from PIL import Image

    package, inside = PHOTOGRAPHS[which]
    # find_spec does not import the package, which would take a second.
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UserError(
            f"the synthetic corpus needs the photographs of {package}; install transferscale[corpus]"
        )
    path = Path(found.origin).parent / inside
    try:
        with Image.open(path) as picture:
            return luminance(np.asarray(picture.convert("RGB")))
    except OSError as error:
        raise UserError(f"{path}: the photograph cannot be read ({error}); reinstall {package}") from None


@cache
def shrunk(which: int, height: int) -> npt.NDArray[np.uint8]:
    """The photograph at about this height, never enlarged; antialiased, or it would shimmer in motion."""
    from PIL import Image

    full = photograph(which)
    scale = min(1.0, height / full.shape[0])
    if scale == 1.0:
        return full
    size = (max(1, round(full.shape[1] * scale)), max(1, round(full.shape[0] * scale)))
    return np.asarray(Image.fromarray(full).resize(size, Image.Resampling.LANCZOS))
