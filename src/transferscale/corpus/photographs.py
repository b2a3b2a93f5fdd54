"""Natural photographs that lie inside the scikit-image and scikit-learn wheels: nothing is downloaded."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transferscale.corpus.reading import luminance
from transferscale.errors import UserError

# Package, file and kind: scenes, animals, surfaces and things; no drawings, no text, and no lawn or gravel, whose
# spectrum is far from a scene's.
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png", "living"),
    ("skimage", "data/brick.png", "thing"),
    ("skimage", "data/camera.png", "living"),
    ("skimage", "data/chelsea.png", "living"),
    ("skimage", "data/coffee.png", "thing"),
    ("skimage", "data/coins.png", "thing"),
    ("skimage", "data/hubble_deep_field.jpg", "scene"),
    ("skimage", "data/moon.png", "scene"),
    ("skimage", "data/motorcycle_left.png", "thing"),
    ("skimage", "data/retina.jpg", "thing"),
    ("skimage", "data/rocket.jpg", "scene"),
    ("sklearn", "datasets/images/china.jpg", "scene"),
    ("sklearn", "datasets/images/flower.jpg", "living"),
)

ALL = tuple(range(len(PHOTOGRAPHS)))


def photographs_of(seed: int, split: str) -> tuple[int, ...]:
    """Which of :data:`PHOTOGRAPHS` the videos of a split show: no photograph is on both sides.

    Held-out videos show one of every kind, drawn by the seed: three at random may all be of the night sky.
    """
    rng = np.random.default_rng([seed, len(PHOTOGRAPHS)])
    kinds = sorted({kind for *_, kind in PHOTOGRAPHS})
    reserved = {int(rng.choice([i for i in ALL if PHOTOGRAPHS[i][-1] == kind])) for kind in kinds}
    return tuple(i for i in ALL if (i in reserved) == (split == "heldout"))


@cache
def photograph(which: int) -> npt.NDArray[np.uint8]:
    """Luminance (height, width) of one of :data:`PHOTOGRAPHS`.

    Raises
    ------
    UserError
        If the package, or the file in it, is not there.
    """
    from PIL import Image

    package, inside, _ = PHOTOGRAPHS[which]
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
