"""Control corpora: the clips of a corpus, spoiled on purpose, so that what helps in them can be told apart.

===========  ==========================================================  =====================================
control      what is done to a clip                                      what is left
===========  ==========================================================  =====================================
``static``   one of its frames, repeated                                 pictures without motion
``shuffled`` its frames in another order                                 pictures and changes, without order
``phase``    the phases of its 3-D Fourier transform drawn anew          its spectrum in space and time
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
    spoil = CONTROLS[spec["control"]]
    names = {
        (row["shard"], row["offset"]): row["clip_id"]
        for row in read_table(index, "clips").to_pylist()
        if not row["dropped"]
    }
    # Shards are cut as the corpus' own are, so that its table fits.
    shard_bytes = max(map(len, clips.shards)) * int(np.prod(clips.shape))
    with atomic(out) as folder, ClipWriter(folder, clips.shape, "uint8", shard_bytes) as writer:
        for shard, pixels in zip(clips.names, clips.shards, strict=True):
            for offset in tqdm(range(len(pixels)), f"{spec['control']} {shard}", disable=None):
                if (shard, offset) not in names:
                    raise UserError(
                        f"{index}: no clip is at row {offset} of {shard} of the clip store {store}; make both again "
                        "with 'transferscale corpus clips'"
                    )
                rng = generator(spec["seed"], spec["control"], names[(shard, offset)])
                writer.add(spoil(np.asarray(pixels[offset]), rng))
    write_provenance(out, watch, clips=len(clips))


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


def phase(clip: Clip, rng: np.random.Generator) -> Clip:
    """The amplitudes of the clip's Fourier transform over time, height and width, with the phases of white noise.

    The mean is kept. Rounding to grey levels and cutting at black and white (:func:`grey`) change the amplitudes a
    little.
    """
    spectrum = fft.rfftn(clip.astype(np.float64))
    noise = fft.rfftn(rng.standard_normal(clip.shape))
    turned = np.abs(spectrum) * noise / np.abs(noise)
    turned[0, 0, 0] = spectrum[0, 0, 0]
    return grey(fft.irfftn(turned, s=clip.shape))


def noise(clip: Clip, rng: np.random.Generator) -> Clip:
    """White Gaussian noise of the clip's mean and SD."""
    return grey(clip.mean() + clip.std() * rng.standard_normal(clip.shape))


def grey(values: npt.NDArray[np.float64]) -> Clip:
    """Values as grey levels: rounded, and cut at 0 and 255."""
    levels: Clip = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


CONTROLS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    "static": static,
    "shuffled": shuffled,
    "phase": phase,
    "noise": noise,
}
