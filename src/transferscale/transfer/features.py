"""Frozen features of a checkpoint or of random weights: Gram matrices of every layer's unpooled tokens."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.models.build import build
from transferscale.models.checkpoint import load_encoder
from transferscale.models.encoder import VideoEncoder
from transferscale.transfer.aggregate import membership, moments, shares
from transferscale.transfer.grams import Grams, view_hash, write_grams

Rows = npt.NDArray[np.int64]
Clips = Callable[[Rows], npt.NDArray[np.float32]]

# Windows a forward pass, about; a batch holds whole subjects.
BATCH_WINDOWS = 32

# What the moments of a layer may take beside it, and how many times its features they take while computed.
MEMORY_BYTES, COPIES = 2**30, 4


def extract(spec: Mapping[str, Any], view: Path, checkpoint: Path | None, out: Path, threads: int) -> None:
    """Write the features file of one reader on all windows of a view.

    Parameters
    ----------
    spec
        ``Grid.features_spec`` of a reader with a network.
    view
        Folder of the view.
    checkpoint
        Folder of the finished model; None for random weights, ``build(spec["model"], spec["seed"])``.
    out
        The features file (see :mod:`transferscale.transfer.grams`).
    threads
        CPU threads; part of the result's last digits.

    Raises
    ------
    UserError
        If the view or the checkpoint is missing or broken, or their geometries differ.
    """
    watch = Stopwatch()
    torch.set_num_threads(threads)
    data = View(view, spec["normalisation"])
    model = load(spec, checkpoint)
    check_geometry(model, data, view)
    owner = np.asarray(data.window_subject, dtype=np.int64)
    forward = Stopwatch()
    matrices = layer_grams(model, data.clips, owner, len(data.subjects))
    write_grams(out, Grams(matrices, data.subjects, view_hash(data.windows)))
    write_provenance(
        out, watch, threads=threads, windows=len(owner), windows_per_s=round(len(owner) / forward.seconds, 1)
    )


def load(spec: Mapping[str, Any], checkpoint: Path | None) -> VideoEncoder:
    """The encoder of a checkpoint, or random weights of the spec's seed where there is none."""
    model = build(spec["model"], int(spec["seed"])) if checkpoint is None else load_encoder(checkpoint)
    return model.eval()


def check_geometry(model: VideoEncoder, data: View, view: Path) -> None:
    """Refuse a view whose clips are not of the network's geometry."""
    shape = data.clips(np.zeros(1, dtype=np.int64)).shape[1:]
    wanted = (model.scale.frames, model.scale.size, model.scale.size)
    if shape != wanted:
        raise UserError(
            f"{view}: windows are {shape} but the network takes {wanted}; make windows.volumes and "
            "corpus.clip agree, and pretrain with the same clip"
        )


def layer_grams(
    model: VideoEncoder, clips: Clips, owner: Rows, subjects: int, memory: int = MEMORY_BYTES
) -> dict[str, npt.NDArray[np.float32]]:
    """Gram matrices of every layer, the embedding included, of all windows and subjects.

    Parameters
    ----------
    model
        The network, in evaluation mode.
    clips
        Rows -> clips, float32 (rows, time, height, width).
    owner
        Index of each window's subject (windows,).
    subjects
        Number of subjects.
    memory
        As in :func:`token_grams`.

    Returns
    -------
    dict
        ``window/<layer>`` (windows, windows) and ``subject-<block>/<layer>`` (subjects, subjects), float32.
    """
    member = torch.from_numpy(membership(owner, subjects))
    matrices: dict[str, npt.NDArray[np.float32]] = {}
    for layer, tokens in enumerate(layers(model, clips, len(owner))):
        grams = token_grams(tokens.reshape(len(owner), model.grid[0], -1), member, memory)
        matrices |= {f"{name}/{layer}": matrix for name, matrix in grams.items()}
    return matrices


def layers(
    model: VideoEncoder, clips: Clips, windows: int
) -> Iterator[Float[Tensor, "windows tokens width"]]:
    """Unpooled tokens of all windows after the embedding and after every block, in one place that the next overwrites.

    A block goes over all windows before the next one does: one forward pass in all, and one layer in memory.
    """
    tokens = torch.empty(windows, model.tokens, model.width)
    with torch.inference_mode():
        for start in range(0, windows, BATCH_WINDOWS):
            rows = np.arange(start, min(start + BATCH_WINDOWS, windows))
            tokens[start : start + len(rows)] = model.embed(torch.from_numpy(clips(rows)))
    yield tokens
    for block in model.blocks:
        with torch.inference_mode():
            for part in torch.split(tokens, BATCH_WINDOWS):
                part.copy_(block(part))
        yield tokens


def token_grams(
    tokens: Float[Tensor, "windows times features"],
    member: Float[Tensor, "windows subjects"],
    memory: int = MEMORY_BYTES,
) -> dict[str, npt.NDArray[np.float32]]:
    """Gram matrices of one layer's tokens: of windows, and of subjects by the rule of ``aggregate``.

    Parameters
    ----------
    memory
        Bytes that moments may take beside the tokens and their deviations. Where those of all features take more, some
        features are done at a time and their inner products added up, which moves the last digits.
    """
    windows, times, features = tokens.shape
    together = max(1, min(features, memory // (COPIES * 4 * windows * times)))
    whole = together == features
    deviations = torch.empty(0 if whole else tokens.shape)
    grams: dict[str, Tensor] = {}
    for first in range(0, features, together):
        part = tokens[:, :, first : first + together]
        mean, sd, deviation = moments(part, member)
        if whole:
            deviations = deviation
        else:
            deviations[:, :, first : first + together] = deviation
        own = {"subject-mean": gram(mean), "subject-sd": gram(sd), "window": gram(part.flatten(1))}
        grams = {name: grams[name] + matrix if grams else matrix for name, matrix in own.items()}
    share = shares(member)
    covariance = share.double() @ covariance_products(deviations) @ share.double().T
    # As for the other blocks: a shift by the mean over subjects, which centring removes again, saves digits.
    grams["subject-cov"] = centred(covariance).float()
    return {name: matrix.numpy() for name, matrix in grams.items()}


def centred(products: Float[Tensor, "rows rows"]) -> Float[Tensor, "rows rows"]:
    """Inner products of rows less their mean, from those of the rows."""
    return products - products.mean(0) - products.mean(1)[:, None] + products.mean()


def gram(features: Float[Tensor, "rows features"], block: int = 128) -> Float[Tensor, "rows rows"]:
    """Inner products of rows, shifted by the mean row; the upper triangle is computed and mirrored."""
    features = features - features.mean(0)
    rows = len(features)
    product = torch.empty(rows, rows)
    for i in range(0, rows, block):
        product[i : i + block, i:] = features[i : i + block] @ features[i:].T
        product[i + block :, i : i + block] = product[i : i + block, i + block :].T
    return product


def covariance_products(
    deviation: Float[Tensor, "windows times features"], block: int = 16
) -> Float[Tensor, "windows windows"]:
    """Inner products <C_v, C_w> of the windows' second moments C = sum_t x_t x_t' / times, in float64.

    They equal the mean over all pairs of times of (x_vs . x_wt)^2, so that the (features x features)
    matrices, of millions of numbers each, are never formed. Time grows with (windows * times)^2 * features.
    """
    windows, times, _ = deviation.shape
    flat = deviation.flatten(0, 1)
    product = torch.empty(windows, windows, dtype=torch.float64)
    for i in range(0, windows, block):
        rows = deviation[i : i + block].flatten(0, 1)
        squares = (rows @ flat[i * times :].T).square_().reshape(-1, times, windows - i, times)
        product[i : i + block, i:] = squares.sum((1, 3)) / times**2
        product[i + block :, i : i + block] = product[i : i + block, i + block :].T
    return product
