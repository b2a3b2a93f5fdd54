"""An imported V-JEPA 2 computes what transformers computes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import VJEPA2ForVideoClassification, VJEPA2Model

from tests.models.published.random_models import clips, pixels, randomised, saved, vjepa2_config
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.configuration import VJEPA2Config
from transferscale.models.published.files import read_published
from transferscale.models.published.vjepa2 import read_encoder
from transferscale.models.seen import Seen


def imported(model: Any, folder: Path) -> VideoEncoder:
    return read_encoder(read_published(saved(model, folder)))[0]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    heads=st.integers(1, 3),
    head=st.sampled_from([6, 8, 16, 20]),
    layers=st.integers(1, 3),
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    tubelet=st.tuples(st.integers(1, 2), st.integers(2, 5)),
    channels=st.sampled_from([1, 3]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_its_output_is_that_of_transformers_for_any_shape(
    heads: int,
    head: int,
    layers: int,
    grid: tuple[int, int],
    tubelet: tuple[int, int],
    channels: int,
    bias: bool,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    frames, size = grid[0] * tubelet[0], grid[1] * tubelet[1]
    config = vjepa2_config(
        hidden_size=heads * head,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        frames_per_clip=frames,
        tubelet_size=tubelet[0],
        crop_size=size,
        patch_size=tubelet[1],
        in_chans=channels,
        qkv_bias=bias,
        mlp_ratio=4,
    )
    model, x = randomised(VJEPA2Model(config), seed), pixels(channels, frames, size)
    with torch.no_grad():
        expected = model(x, skip_predictor=True).last_hidden_state
        found = imported(model, tmp_path_factory.mktemp("vjepa2"))(clips(x))
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_places_far_from_the_origin_turn_as_in_transformers(tmp_path: Path) -> None:
    config = vjepa2_config(frames_per_clip=64, tubelet_size=1, crop_size=64, patch_size=8)
    model, x = randomised(VJEPA2Model(config)), pixels(3, 64, 64, count=1)
    with torch.no_grad():
        expected = model(x, skip_predictor=True).last_hidden_state
        found = imported(model, tmp_path)(clips(x))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_seen_tokens_are_encoded_as_by_transformers_blocks_with_a_mask_of_positions(tmp_path: Path) -> None:
    model, x = randomised(VJEPA2Model(vjepa2_config(frames_per_clip=6, crop_size=24))), pixels(3, 6, 24)
    seen = Seen(2, torch.tensor([[0, 4, 7], [2, 3, 8]]))
    encoder, where = imported(model, tmp_path), seen.tokens((3, 3, 3))
    with torch.no_grad():
        hidden = model.encoder.embeddings(x)
        hidden = hidden.gather(1, where.unsqueeze(-1).expand(-1, -1, 48))
        for layer in model.encoder.layer:
            hidden = layer(hidden, where)[0]
        expected = model.encoder.layernorm(hidden)
        torch.testing.assert_close(encoder(clips(x), seen), expected, rtol=1e-5, atol=1e-5)


def test_predictor_and_head_are_left_out_by_name(tmp_path: Path) -> None:
    model, x = randomised(VJEPA2ForVideoClassification(vjepa2_config())), pixels()
    encoder, left_out = read_encoder(read_published(saved(model, tmp_path)))
    assert left_out == ["classifier", "pooler", "predictor"]
    with torch.no_grad():
        expected = model.vjepa2(x, skip_predictor=True).last_hidden_state
        torch.testing.assert_close(encoder(clips(x)), expected, rtol=1e-5, atol=1e-5)


def test_its_parameters_are_counted(tmp_path: Path) -> None:
    for bias in (True, False):
        encoder = imported(VJEPA2Model(vjepa2_config(qkv_bias=bias)), tmp_path / str(bias))
        assert encoder.scale.params_encoder == sum(p.numel() for p in encoder.parameters())


def test_defaults_of_optional_keys_are_those_of_transformers() -> None:
    theirs = vjepa2_config().to_dict()
    optional = [name for name, field in VJEPA2Config.model_fields.items() if not field.is_required()]
    assert {name: theirs[name] for name in optional} == {
        name: VJEPA2Config.model_fields[name].default for name in optional
    }
