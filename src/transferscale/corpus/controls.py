"""Control corpora: the clips of a corpus, spoiled on purpose, so that what helps in them can be told apart.

===========  ==========================================================  =====================================
control      what is done to a clip                                      what is left
===========  ==========================================================  =====================================
``static``   one of its frames, repeated                                 pictures without motion
``shuffled`` its frames in another order                                 pictures and changes, without order
``phase``    the phases of its 3-D Fourier transform drawn anew          its spectrum, without a seam at its ends
``noise``    white noise                                                 its mean and SD
===========  ==========================================================  =====================================

A control corpus is a clip store with the rows of the corpus' own, so that one table of clips serves both: the same
names, the same split, the same nested fractions. What is random about a clip depends on the seed and its name alone.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft
from tqdm import tqdm

from transferscale.artefacts import Stopwatch, atomic, write_provenance
from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.errors import UserError, nearest
from transferscale.tables import read_table

Clip = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


def make(spec: Mapping[str, Any], store: Path, index: Path, out: Path) -> None:
    """Write the clip store of a control corpus.

    Parameters
    ----------
    spec
        ``Grid.controls_spec``: ``control`` and ``seed``.
    store, index
        Clip store and table of clips of the corpus.
    out
        Clip store to write; ``index`` is its table too.

    Raises
    ------
    UserError
        If the control is unknown, or store and table are not of one corpus.
    """
    watch, clips = Stopwatch(), ClipStore(store)
    if spec["control"] not in CONTROLS:
        raise UserError(
            f"--spec: key 'control': unknown control '{spec['control']}'; {nearest(spec['control'], CONTROLS)}"
        )
    if clips.dtype != np.uint8:
        raise UserError(f"{store}: holds {clips.dtype} clips; control corpora are made of a corpus of videos")
    names = {
        (row["shard"], row["offset"]): row["clip_id"]
        for row in read_table(index, "clips").to_pylist()
        if not row["dropped"]
    }
    # Shards are cut as the corpus' own are, so that its table fits.
    shard_bytes, cut = max(map(len, clips.shards)) * int(np.prod(clips.shape)), 0.0
    with atomic(out) as folder, ClipWriter(folder, clips.shape, "uint8", shard_bytes) as writer:
        for shard, pixels in zip(clips.names, clips.shards, strict=True):
            for offset in tqdm(range(len(pixels)), f"{spec['control']} {shard}", disable=None):
                if (shard, offset) not in names:
                    raise UserError(
                        f"{index}: no clip is at row {offset} of {shard} of the clip store {store}; make both again "
                        "with 'transferscale corpus clips'"
                    )
                rng = generator(spec["seed"], spec["control"], names[(shard, offset)])
                clip, outside = spoiled(spec["control"], np.asarray(pixels[offset]), rng)
                writer.add(clip)
                cut += outside
    write_provenance(out, watch, clips=len(clips), cut_share=round(cut / max(1, len(clips)), 6))


def spoiled(control: str, clip: Clip, rng: np.random.Generator) -> tuple[Clip, float]:
    """A clip of a control corpus, and the share of its pixels that are cut at black or white."""
    values = CONTROLS[control](clip, rng)
    levels = np.rint(values)
    return np.clip(levels, 0, 255).astype(np.uint8), float(((levels < 0) | (levels > 255)).mean())


def generator(seed: int, control: str, name: str) -> np.random.Generator:
    """The random numbers of one clip."""
    digest = hashlib.sha256(f"{seed}/{control}/{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def static(clip: Clip, rng: np.random.Generator) -> Clip:
    """One frame, drawn at random, at every time."""
    return np.broadcast_to(clip[rng.integers(len(clip))], clip.shape).copy()


def shuffled(clip: Clip, rng: np.random.Generator) -> Clip:
    """The frames in a random order other than their own."""
    order = np.arange(len(clip))
    while len(clip) > 1 and (np.diff(order) == 1).all():
        order = rng.permutation(len(clip))
    return clip[order]


def phase(clip: Clip, rng: np.random.Generator) -> Values:
    """The amplitudes of the clip's periodic part over time, height and width, with the phases of white noise.

    The mean is kept. Rounding to grey levels and cutting at black and white change the amplitudes a little.
    """
    spectrum = periodic_spectrum(clip)
    noise = fft.rfftn(rng.standard_normal(clip.shape))
    turned = np.abs(spectrum) * noise / np.abs(noise)
    turned[0, 0, 0] = spectrum[0, 0, 0]
    return np.asarray(fft.irfftn(turned, s=clip.shape))


def periodic_spectrum(clip: Clip) -> npt.NDArray[np.complex128]:
    """Fourier transform (``rfftn``) of the periodic part of a clip: the clip less a smooth part, which has no mean.

    A Fourier transform takes the last frame to be followed by the first, and each edge by the one across from it. The
    jumps there spread over all frequencies, and random phases would spread them over the clip. The smooth part is the
    one whose Laplacian is these jumps (Moisan 2011, J. Math. Imaging Vis. 39:161, here with a third axis); without it
    the spectrum is that of the clip but for its slowest ramps.
    """
    values = clip.astype(np.float64)
    jumps, laplacian = np.zeros_like(values), np.zeros(1)
    for axis, size in enumerate(values.shape):
        along, ends = np.moveaxis(values, axis, 0), np.moveaxis(jumps, axis, 0)
        step = along[-1] - along[0]
        ends[0] += step
        ends[-1] -= step
        cycles = fft.rfftfreq(size) if axis == values.ndim - 1 else fft.fftfreq(size)
        shape = [-1 if other == axis else 1 for other in range(values.ndim)]
        laplacian = laplacian + (2 * np.cos(2 * np.pi * cycles) - 2).reshape(shape)
    # The mean belongs to the periodic part; 1 stands for anything but 0.
    laplacian[0, 0, 0] = 1
    smooth = fft.rfftn(jumps) / laplacian
    smooth[0, 0, 0] = 0
    return np.asarray(fft.rfftn(values) - smooth)


def noise(clip: Clip, rng: np.random.Generator) -> Values:
    """White Gaussian noise of the clip's mean and SD."""
    return np.asarray(clip.mean() + clip.std() * rng.standard_normal(clip.shape))


CONTROLS: dict[str, Callable[[Clip, np.random.Generator], npt.NDArray[np.generic]]] = {
    "static": static,
    "shuffled": shuffled,
    "phase": phase,
    "noise": noise,
}
