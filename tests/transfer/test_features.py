"""Features files: Gram matrices of every layer, whatever the batches; the same spec gives the same bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.models.build import build
from transferscale.models.checkpoint import save_model
from transferscale.study.reader import Reader
from transferscale.transfer.features import BATCH_WINDOWS, COPIES, extract, layer_grams, layers
from transferscale.transfer.grams import read_grams

RANDOM = Reader("random", family="vit", depth=1, seed=0)


def features_spec(planted: Planted) -> dict:
    return planted.grid.features_spec("small", RANDOM)


def test_every_layer_is_there_as_inner_products_of_its_tokens(planted: Planted, tmp_path: Path) -> None:
    extract(features_spec(planted), planted.view, None, tmp_path / "f.safetensors", 1)
    grams, view = read_grams(tmp_path / "f.safetensors"), View(planted.view)
    model = build(planted.grid.model_spec("vit", 1), 0)
    assert grams.layers == 2
    assert list(grams.subjects) == view.subjects
    with torch.no_grad():
        outputs = model.layers(torch.from_numpy(view.clips()))
    for layer, tokens in enumerate(outputs):
        flat = tokens.flatten(1).double().numpy()
        flat -= flat.mean(0)
        np.testing.assert_allclose(grams.window_blocks(layer)[0], flat @ flat.T, rtol=1e-3, atol=1e-2)
        mean = np.stack([flat[view.window_subject == i].mean(0) for i in range(len(view.subjects))])
        np.testing.assert_allclose(
            grams.matrices[f"subject-mean/{layer}"],
            (mean - mean.mean(0)) @ (mean - mean.mean(0)).T,
            atol=1e-2,
        )


@pytest.mark.parametrize("shape", [{"attention": "factorised"}, {"family": "convnet"}])
def test_layers_done_one_after_another_are_those_of_one_pass(planted: Planted, shape: dict[str, str]) -> None:
    view, model = View(planted.view), build({**planted.grid.model_spec("vit", 1), "depth": 2, **shape}, 0)
    found = [tokens.clone() for tokens in layers(model, view.clips, len(view))]
    batches = [range(len(view))[i : i + BATCH_WINDOWS] for i in range(0, len(view), BATCH_WINDOWS)]
    assert len(batches) > 1
    with torch.inference_mode():
        outputs = [model.layers(torch.from_numpy(view.clips(rows))) for rows in batches]
    assert len(found) == 3
    for tokens, parts in zip(found, zip(*outputs, strict=True), strict=True):
        assert torch.equal(tokens, torch.cat(parts))


@pytest.mark.parametrize("features", [1, 7])
def test_little_memory_takes_some_features_at_a_time_and_finds_the_same(
    planted: Planted, features: int
) -> None:
    view, model = View(planted.view), build(planted.grid.model_spec("vit", 1), 0)
    arguments = (model, view.clips, view.window_subject, len(view.subjects))
    memory = features * COPIES * 4 * len(view) * model.grid[0]
    little, whole = layer_grams(*arguments, memory=memory), layer_grams(*arguments)
    assert little.keys() == whole.keys()
    for name, matrix in whole.items():
        # To float32's digits of the largest number.
        np.testing.assert_allclose(little[name], matrix, rtol=0, atol=1e-5 * np.abs(matrix).max())


def test_the_same_spec_gives_the_same_bytes(planted: Planted, tmp_path: Path) -> None:
    for name in ("one", "two"):
        extract(features_spec(planted), planted.view, None, tmp_path / name, 1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_checkpoint_of_other_geometry_is_refused(planted: Planted, tmp_path: Path) -> None:
    spec = {**planted.grid.model_spec("vit", 1), "frames": 4}
    save_model(tmp_path / "rung", build(spec, 0), None, {"model": spec})
    with pytest.raises(UserError, match=r"windows are \(8, 16, 16\) but the network takes \(4, 16, 16\)"):
        extract(features_spec(planted), planted.view, tmp_path / "rung", tmp_path / "f", 1)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"f\.safetensors: not a"):
        read_grams(tmp_path / "f.safetensors")
    with pytest.raises(UserError, match="no such file"):
        read_grams(tmp_path / "none")
