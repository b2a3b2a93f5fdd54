"""Synthetic motion: photographs and flat shapes that pan, zoom, turn, speed up and hide each other.

Everything is drawn twice as fine as asked for and averaged down. Coordinates: the view is the square from
-0.5 to 0.5; what moves follows :class:`Track`, smooth and bounded in speed, so that a video may be of any
length. The shares below were chosen so that the clips of a corpus have the statistics of natural video
(``statistics.TARGETS``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transferscale.corpus.photographs import ALL, shrunk

Point = npt.NDArray[np.float64]

FINE = 2
# Shares of the videos, and ranges drawn on a logarithmic scale.
PHOTO_BACKGROUND, STILL_CAMERA, TEXTURED = 0.6, 0.35, 0.3
OBJECTS = (1, 4)
RADIUS = (0.04, 0.36)
# Fastest drift of camera and objects, in views a second.
CAMERA_SPEED, OBJECT_SPEED = (0.02, 0.4), (0.04, 1.0)
# Difference of a flat shape from the middle of a flat background, and of that from edge to edge, grey levels:
# a clip almost without contrast would dominate any statistic in units of the clip's SD.
STEP, RAMP = (40, 160), (30, 120)


@dataclass(frozen=True)
class Track:
    """A quantity in time: start + velocity t + swing sin(2 pi t / period + phase): pans and accelerations."""

    start: Point
    velocity: Point
    swing: Point
    period: float
    phase: float

    def at(self, t: float) -> Point:
        """Value at time t, seconds."""
        value: Point = (
            self.start + self.velocity * t + self.swing * np.sin(2 * np.pi * t / self.period + self.phase)
        )
        return value


@dataclass(frozen=True)
class Pose:
    """Where a layer is, how it is turned (radians) and how large it is (log of the magnification)."""

    place: Track
    angle: Track
    size: Track

    def at(self, t: float) -> tuple[Point, Point, float]:
        """Place, rotation matrix and magnification at time t."""
        a = float(self.angle.at(t)[0])
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        return self.place.at(t), turn, float(np.exp(self.size.at(t)[0]))


@dataclass(frozen=True)
class Texture:
    """A photograph as a surface: which one, how many views it is high, and the point of it at the origin."""

    which: int
    extent: float
    centre: Point
    contrast: float
    brightness: float


@dataclass(frozen=True)
class Shape:
    """A flat or textured polygon; vertices (n, 2) about its centre."""

    vertices: Point
    level: int
    texture: Texture | None
    pose: Pose


@dataclass(frozen=True)
class Scene:
    """A background under a moving camera, and shapes in front of it, the nearest last."""

    background: Texture | None
    levels: tuple[float, float, float]
    camera: Pose
    shapes: list[Shape]

    @property
    def label(self) -> str:
        """What the background does: ``flat``, or a photograph under a camera that is ``still`` or ``moving``.

        The first can be told from a frame, the other two from each other by what moves alone.
        """
        if self.background is None:
            return "flat"
        return "moving" if np.any(self.camera.place.velocity) else "still"


def scene(seed: int, number: int, photographs: Sequence[int] = ALL) -> Scene:
    """The scene of video ``number`` of the corpus of a seed; depends on these photographs and nothing else."""
    return draw_scene(np.random.default_rng([seed, number]), photographs)


def film(
    seed: int, number: int, frames: int, fps: int, size: int, photographs: Sequence[int] = ALL
) -> npt.NDArray[np.uint8]:
    """Video ``number`` of the corpus of a seed; depends on these photographs and nothing else.

    Returns
    -------
    ndarray
        Luminance (frames, size, size).
    """
    drawn = scene(seed, number, photographs)
    return np.stack([render(drawn, frame / fps, size) for frame in range(frames)])


def draw_scene(rng: np.random.Generator, photographs: Sequence[int]) -> Scene:
    """A scene at random."""
    still = rng.random() < STILL_CAMERA
    speed = 0.0 if still else _between(rng, CAMERA_SPEED)
    camera = _pose(rng, np.zeros(2), speed, turn=0.0 if still else 0.25, zoom=0.0 if still else 0.15)
    middle, slope, toward = rng.uniform(40, 215), rng.uniform(*RAMP), rng.uniform(0, 2 * np.pi)
    background = _texture(rng, photographs) if rng.random() < PHOTO_BACKGROUND else None
    shapes = [_shape(rng, middle, photographs) for _ in range(rng.integers(*OBJECTS, endpoint=True))]
    return Scene(background, (middle, slope * np.cos(toward), slope * np.sin(toward)), camera, shapes)


def _between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]))))


def _texture(rng: np.random.Generator, photographs: Sequence[int]) -> Texture:
    return Texture(
        which=photographs[int(rng.integers(len(photographs)))],
        # A few sizes only, so that the shrunk photographs can be kept.
        extent=float(rng.choice([1.0, 1.4, 2.0, 2.8])),
        centre=rng.uniform(0.2, 0.8, 2),
        contrast=rng.uniform(0.6, 1.1),
        brightness=rng.normal(0, 20),
    )


def _shape(rng: np.random.Generator, ground: float, photographs: Sequence[int]) -> Shape:
    radius = _between(rng, RADIUS)
    if rng.random() < 0.4:
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        reach = np.full(40, radius)
    else:
        corners = int(rng.integers(3, 9))
        angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
        reach = radius * rng.uniform(0.5, 1.2, corners)
    squeeze = np.array([1.0, rng.uniform(0.4, 1.0)])
    step = rng.uniform(*STEP) * rng.choice([-1, 1])
    level = ground + step if 0 <= ground + step <= 255 else ground - step
    return Shape(
        vertices=reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * squeeze,
        level=int(np.clip(level, 0, 255)),
        texture=_texture(rng, photographs) if rng.random() < TEXTURED else None,
        pose=_pose(rng, rng.uniform(-0.5, 0.5, 2), _between(rng, OBJECT_SPEED), turn=0.8, zoom=0.2),
    )


def _pose(rng: np.random.Generator, start: Point, speed: float, turn: float, zoom: float) -> Pose:
    heading = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.cos(heading), np.sin(heading)])
    period = rng.uniform(1.5, 5.0)
    # A swing of this size adds up to the same speed again, and the accelerations.
    swing = rng.uniform(-1, 1, 2) * speed * period / (2 * np.pi)
    one = np.zeros(1)
    return Pose(
        place=Track(start, velocity, swing, period, rng.uniform(0, 2 * np.pi)),
        angle=Track(
            one, rng.normal(0, turn, 1), rng.normal(0, turn, 1), rng.uniform(2, 6), rng.uniform(0, 2 * np.pi)
        ),
        size=Track(one, one, rng.normal(0, zoom, 1), rng.uniform(2, 6), rng.uniform(0, 2 * np.pi)),
    )


def render(scene: Scene, t: float, size: int) -> npt.NDArray[np.uint8]:
    """The scene at time t: luminance (size, size)."""
    from PIL import Image, ImageDraw

    side = FINE * size
    place, turn, magnify = scene.camera.at(t)
    if scene.background is None:
        middle, across, down = scene.levels
        ramp = np.linspace(-0.5, 0.5, side)
        ground = np.clip(middle + across * ramp + down * ramp[:, None], 0, 255).astype(np.uint8)
    else:
        ground = surface(scene.background, place, turn.T / magnify, (0, 0, side, side), side)
    canvas = Image.fromarray(ground)
    for shape in scene.shapes:
        place, turn, magnify = shape.pose.at(t)
        # A shape that has left comes back on the other side, both beyond the edge of the view.
        arena = 0.5 + 1.5 * np.hypot(*shape.vertices.T).max()
        place = (place + arena) % (2 * arena) - arena
        outline = (shape.vertices @ (magnify * turn).T + place + 0.5) * side
        low, high = np.floor(outline.min(0)).astype(int), np.ceil(outline.max(0)).astype(int) + 1
        left, top, right, bottom = (int(v) for v in np.clip([*low, *high], 0, side))
        if left >= right or top >= bottom:
            continue
        points = [(float(x), float(y)) for x, y in outline]
        if shape.texture is None:
            ImageDraw.Draw(canvas).polygon(points, fill=shape.level)
        else:
            mask = Image.new("L", (right - left, bottom - top), 0)
            ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
            back = turn.T / magnify
            skin = surface(shape.texture, -back @ place, back, (left, top, right, bottom), side)
            canvas.paste(Image.fromarray(skin), (left, top), mask)
    return np.asarray(canvas.reduce(FINE))


def surface(
    texture: Texture, shift: Point, back: Point, box: tuple[int, int, int, int], side: int
) -> npt.NDArray[np.uint8]:
    """A textured plane seen through a part of the canvas.

    Parameters
    ----------
    texture
        The photograph.
    shift
        Point of the plane (x, y) at the centre of the view, in views.
    back
        (2, 2) matrix from the view to the plane.
    box
        Left, top, right, bottom on the canvas, pixels.
    side
        Height and width of the canvas, pixels.

    Returns
    -------
    ndarray
        Luminance (bottom - top, right - left); beyond its edges the photograph is mirrored.
    """
    from scipy.ndimage import affine_transform

    photo = shrunk(texture.which, round(texture.extent * side))
    scale = photo.shape[0] / texture.extent
    matrix = (back * scale / side)[::-1, ::-1]
    origin = texture.centre[::-1] * photo.shape + scale * shift[::-1]
    corner = np.array([box[1], box[0]]) + 0.5 - side / 2
    seen = affine_transform(
        photo,
        matrix,
        offset=origin + matrix @ corner,
        output_shape=(box[3] - box[1], box[2] - box[0]),
        output=np.float32,
        order=1,
        mode="mirror",
    )
    skin: npt.NDArray[np.uint8] = np.clip(
        128 + texture.contrast * (seen - 128) + texture.brightness, 0, 255
    ).astype(np.uint8)
    return skin
