"""An imported VideoMAE computes what transformers computes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import VideoMAEForPreTraining, VideoMAEForVideoClassification, VideoMAEModel

from tests.models.published.random_models import clips, pixels, randomised, saved, videomae_config
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.configuration import VideoMAEConfig
from transferscale.models.published.files import read_published
from transferscale.models.published.videomae import read_encoder
from transferscale.models.seen import Seen


def imported(model: Any, folder: Path) -> VideoEncoder:
    return read_encoder(read_published(saved(model, folder)))[0]


@pytest.mark.parametrize("mean_pooling", [True, False])
@pytest.mark.parametrize("qv_bias", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_its_output_is_that_of_transformers(
    mean_pooling: bool, qv_bias: bool, channels: int, tmp_path: Path
) -> None:
    config = videomae_config(use_mean_pooling=mean_pooling, qv_bias=qv_bias, num_channels=channels)
    model, x = randomised(VideoMAEModel(config)), pixels(channels)
    with torch.no_grad():
        expected = model(x).last_hidden_state
        found = imported(model, tmp_path)(clips(x))
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    heads=st.integers(1, 3),
    head=st.sampled_from([4, 10, 16]),
    layers=st.integers(1, 3),
    hidden=st.integers(3, 70),
    grid=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    tubelet=st.tuples(st.integers(1, 3), st.integers(2, 5)),
    eps=st.sampled_from([1e-12, 1e-6, 1e-3]),
    seed=st.integers(0, 99),
)
def test_its_output_is_that_of_transformers_for_any_shape(
    heads: int,
    head: int,
    layers: int,
    hidden: int,
    grid: tuple[int, int],
    tubelet: tuple[int, int],
    eps: float,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    frames, size = grid[0] * tubelet[0], grid[1] * tubelet[1]
    config = videomae_config(
        hidden_size=heads * head,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=hidden,
        num_frames=frames,
        tubelet_size=tubelet[0],
        image_size=size,
        patch_size=tubelet[1],
        layer_norm_eps=eps,
        use_mean_pooling=False,
    )
    model, x = randomised(VideoMAEModel(config), seed), pixels(3, frames, size)
    with torch.no_grad():
        expected = model(x).last_hidden_state
        found = imported(model, tmp_path_factory.mktemp("videomae"))(clips(x))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_every_layer_is_that_of_transformers(tmp_path: Path) -> None:
    model, x = randomised(VideoMAEModel(videomae_config())), pixels()
    with torch.no_grad():
        expected = model(x, output_hidden_states=True).hidden_states
        found = imported(model, tmp_path).layers(clips(x))
    assert len(found) == len(expected) == 3
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_seen_tokens_are_encoded_as_transformers_encodes_those_not_masked(tmp_path: Path) -> None:
    config = videomae_config(num_frames=6, image_size=24, use_mean_pooling=False)
    model, x = randomised(VideoMAEForPreTraining(config)), pixels(3, 6, 24, count=3)
    places = torch.tensor([[0, 4, 7], [1, 2, 8], [3, 5, 6]])
    masked = torch.ones(3, 3, 9, dtype=torch.bool)
    for clip, seen in enumerate(places):
        masked[clip, :2, seen] = False
    with torch.no_grad():
        expected = model.videomae(x, bool_masked_pos=masked.flatten(1)).last_hidden_state
        found = imported(model, tmp_path)(clips(x), Seen(2, places))
    assert expected.shape == (3, 6, 48)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        (VideoMAEForPreTraining, ["decoder", "encoder_to_decoder", "mask_token"]),
        (VideoMAEForVideoClassification, ["classifier", "fc_norm"]),
    ],
)
def test_decoder_and_head_are_left_out_by_name(kind: Any, left_out: list[str], tmp_path: Path) -> None:
    model, x = randomised(kind(videomae_config(use_mean_pooling=True))), pixels()
    encoder, names = read_encoder(read_published(saved(model, tmp_path)))
    assert names == left_out
    with torch.no_grad():
        expected = model.videomae(x).last_hidden_state
        torch.testing.assert_close(encoder(clips(x)), expected, rtol=1e-5, atol=1e-5)


def test_weights_saved_by_their_names_in_memory_are_read_too(tmp_path: Path) -> None:
    model, x = randomised(VideoMAEModel(videomae_config())), pixels()
    saved(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with torch.no_grad():
        found = read_encoder(read_published(tmp_path))[0](clips(x))
        torch.testing.assert_close(found, model(x).last_hidden_state, rtol=1e-5, atol=1e-5)


def test_defaults_of_optional_keys_are_those_of_transformers() -> None:
    theirs = videomae_config().to_dict()
    optional = [name for name, field in VideoMAEConfig.model_fields.items() if not field.is_required()]
    assert {name: theirs[name] for name in optional} == {
        name: VideoMAEConfig.model_fields[name].default for name in optional
    }
