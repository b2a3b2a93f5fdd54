"""What is exported is read by transformers, and comes back as it was."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import VideoMAEModel

from tests.models.published.random_models import MEAN, SD, pixels, randomised, saved, videomae_config
from transferscale.errors import UserError
from transferscale.ladder import scale
from transferscale.models.architecture import spec_of
from transferscale.models.build import build
from transferscale.models.checkpoint import load_encoder, save_model
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.exporting import export
from transferscale.models.published.files import read_published
from transferscale.models.published.importing import import_published
from transferscale.models.published.videomae import read_encoder
from transferscale.versions import STAGE_VERSION

LADDER: dict[str, Any] = {
    "version": STAGE_VERSION["models"],
    "family": "vit",
    "depth": 3,
    "frames": 4,
    "size": 16,
    "tubelet": {"frames": 2, "size": 8},
}


def finished(folder: Path, **changes: Any) -> VideoEncoder:
    """A model of the ladder as pretraining leaves it, with no weight at zero or one."""
    spec = LADDER | changes
    model = build(spec, 0)
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=source) * 0.2)
    facts = {"model": spec, "input": {"mean": 97.25, "sd": 51.5}, "heldout_loss": 0.625, "corpus": "motion"}
    save_model(folder, model, torch.nn.Linear(2, 2), facts)
    return model.eval()


@pytest.mark.parametrize("mean_pooling", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_weights_of_videomae_come_back_bit_for_bit(mean_pooling: bool, channels: int, tmp_path: Path) -> None:
    config = videomae_config(use_mean_pooling=mean_pooling, num_channels=channels)
    model = randomised(VideoMAEModel(config))
    path = saved(model, tmp_path / "hub")
    encoder, _ = read_encoder(read_published(path))
    save_model(tmp_path / "ours", encoder, None, {"model": spec_of(encoder.scale)})
    export(tmp_path / "ours", "videomae", tmp_path / "back")
    before, after = (load_file(folder / "model.safetensors") for folder in (path, tmp_path / "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    theirs, ours = (json.loads((folder / "config.json").read_text()) for folder in (path, tmp_path / "back"))
    assert {key: theirs[key] for key in ours} == ours


def test_an_import_made_grey_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = saved(randomised(VideoMAEModel(videomae_config())), tmp_path / "hub")
    import_published(path, "small", tmp_path / "once")
    export(tmp_path / "once", "videomae", tmp_path / "published")
    import_published(tmp_path / "published", "small", tmp_path / "twice")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("once", "twice"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_transformers_loads_a_network_of_the_ladder_without_qk_norm_and_computes_the_same(
    tmp_path: Path,
) -> None:
    model = finished(tmp_path / "rung", qk_norm=False, positions="sinusoid")
    assert model.scale.multipliers.residual == pytest.approx(1 / 3)
    export(tmp_path / "rung", "videomae", tmp_path / "out")
    theirs, loading = VideoMAEModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    x = pixels(channels=1)
    with torch.no_grad():
        expected, found = theirs.eval()(x).last_hidden_state, model(x.squeeze(2))
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_normalisation_goes_with_it_as_transformers_reads_it(tmp_path: Path) -> None:
    finished(tmp_path / "rung", qk_norm=False, positions="sinusoid")
    export(tmp_path / "rung", "videomae", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "preprocessor_config.json").read_text())
    levels = torch.tensor([0.0, 100.0, 255.0])
    theirs = (levels * found["rescale_factor"] - found["image_mean"][0]) / found["image_std"][0]
    torch.testing.assert_close(theirs, (levels - 97.25) / 51.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"positions": "sinusoid"}, r"normalised queries and keys \(qk_norm\)"),
        ({"qk_norm": False}, "'axes' positions"),
        ({"qk_norm": False, "positions": "sinusoid", "attention": "factorised"}, "factorised attention"),
        ({"family": "convnet"}, "family 'convnet'"),
    ],
)
def test_what_the_layout_of_videomae_cannot_express_is_named_and_the_other_layout_holds_it(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    model = finished(tmp_path / "rung", **changes)
    with pytest.raises(UserError, match=says + ".* '--layout safetensors'"):
        export(tmp_path / "rung", "videomae", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export(tmp_path / "rung", "safetensors", tmp_path / "out")
    clip = pixels(channels=1).squeeze(2)
    with torch.no_grad():
        assert torch.equal(load_encoder(tmp_path / "out")(clip), model(clip))


def test_an_import_on_another_grid_keeps_to_the_other_layout(tmp_path: Path) -> None:
    path = saved(randomised(VideoMAEModel(videomae_config())), tmp_path / "hub")
    import_published(path, "small", tmp_path / "ours", frames=8)
    with pytest.raises(UserError, match="'stored' positions"):
        export(tmp_path / "ours", "videomae", tmp_path / "out")


def test_the_card_tells_what_is_known_and_leaves_the_rest_to_the_author(tmp_path: Path) -> None:
    finished(tmp_path / "rung")
    export(tmp_path / "rung", "safetensors", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    for row in (
        "| held-out loss | 0.625 |",
        "| pretrained on the corpus | motion |",
        "vit, 3 blocks of width 96",
    ):
        assert row in text
    assert "(grey level - 97.25) / 51.5" in text
    assert "To be stated by the author" in text


def test_the_card_of_an_import_names_its_source_and_licence(tmp_path: Path) -> None:
    path = saved(randomised(VideoMAEModel(videomae_config())), tmp_path / "hub", MEAN, SD)
    import_published(path, "videomae-x", tmp_path / "ours")
    export(tmp_path / "ours", "videomae", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "The licence of videomae-x holds" in text
    assert "| adapted | 3 channels to 1" in text


def test_a_folder_that_holds_something_is_never_replaced(tmp_path: Path) -> None:
    finished(tmp_path / "rung")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match="is there already"):
        export(tmp_path / "rung", "safetensors", tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years"


def test_published_networks_are_of_one_scale_with_the_ladders(tmp_path: Path) -> None:
    """Their residual factor is 1, so that a network of the ladder of depth 1 has the same shape as its export."""
    shape = scale(1, 4, 16, {"frames": 2, "size": 8}, qk_norm=False, positions="sinusoid")
    finished(tmp_path / "rung", depth=1, qk_norm=False, positions="sinusoid")
    export(tmp_path / "rung", "videomae", tmp_path / "out")
    encoder, _ = read_encoder(read_published(tmp_path / "out"))
    assert encoder.scale == replace(shape, multipliers=encoder.scale.multipliers)
