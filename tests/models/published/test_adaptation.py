"""A published network on grey clips and other grids: what the rules say, exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import VideoMAEModel, VJEPA2Model

from tests.models.published.random_models import MEAN, SD, randomised, saved, videomae_config, vjepa2_config
from transferscale.errors import UserError
from transferscale.models.encoder import VideoEncoder
from transferscale.models.positions import position_table
from transferscale.models.published import videomae, vjepa2
from transferscale.models.published.adaptation import adapt
from transferscale.models.published.files import read_published
from transferscale.models.published.grey import Grey, Normalisation

NORMALISATION = Normalisation.of(MEAN, SD)


def levels(frames: int = 4, size: int = 16) -> Tensor:
    """Grey levels 0..255 of two clips (2, frames, size, size)."""
    source = torch.Generator().manual_seed(4)
    return torch.randint(0, 256, (2, frames, size, size), generator=source).float()


def as_published(grey: Tensor, mean: tuple[float, ...] = MEAN, sd: tuple[float, ...] = SD) -> Tensor:
    """Those clips repeated over the channels and normalised as the published processor does it."""
    repeated = (grey / 255)[:, :, None].expand(-1, -1, len(mean), -1, -1)
    return (repeated - torch.tensor(mean)[:, None, None]) / torch.tensor(sd)[:, None, None]


@pytest.mark.parametrize("grey", [NORMALISATION.grey, Grey(93.7, 41.2), Grey(0.0, 1.0)])
@pytest.mark.parametrize(
    ("kind", "config", "read"),
    [
        (VideoMAEModel, videomae_config, videomae.read_encoder),
        (VJEPA2Model, vjepa2_config, vjepa2.read_encoder),
    ],
)
def test_on_standardised_grey_clips_it_is_the_published_network_on_the_same_clips_in_colour(
    grey: Grey, kind: Any, config: Any, read: Any, tmp_path: Path
) -> None:
    model = randomised(kind(config()))
    encoder, _ = read(read_published(saved(model, tmp_path)))
    adapted, told = adapt(encoder, 4, 16, NORMALISATION, grey)
    assert adapted.scale == replace(encoder.scale, channels=1)
    assert len(told) == 1
    assert told[0].startswith("3 channels to 1")
    clip = levels()
    with torch.no_grad():
        expected = model(as_published(clip)).last_hidden_state
        found = adapted((clip - grey.mean) / grey.sd)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@given(
    mean=st.floats(0, 1),
    sd=st.floats(0.01, 2),
)
@settings(max_examples=30, deadline=None)
def test_a_grey_network_that_takes_the_same_input_keeps_its_weights_to_the_last_bit(
    mean: float, sd: float
) -> None:
    encoder = VideoEncoder(replace(videomae.scale_of_config(Path(), CONFIG), channels=1))
    randomise(encoder)
    own = Normalisation.of([mean], [sd])
    adapted, told = adapt(encoder, 4, 16, own, own.grey)
    assert told == []
    for name, value in encoder.state_dict().items():
        assert torch.equal(adapted.state_dict()[name], value), name


CONFIG = videomae_config().to_dict()


def randomise(encoder: VideoEncoder) -> None:
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) / 4)


def test_another_grid_takes_interpolated_positions_and_stores_them(tmp_path: Path) -> None:
    model = randomised(VideoMAEModel(videomae_config(num_frames=8, image_size=32)))
    encoder, _ = videomae.read_encoder(read_published(saved(model, tmp_path)))
    adapted, told = adapt(encoder, 4, 16, NORMALISATION, NORMALISATION.grey)
    assert (adapted.grid, adapted.scale.positions) == ((2, 2, 2), "stored")
    assert told[1] == "grid 4 x 4 x 4 to 2 x 2 x 2: positions interpolated, trilinear"
    expected = position_table("sinusoid", (4, 4, 4), 48).reshape(2, 2, 2, 2, 2, 2, 48).mean((1, 3, 5))
    torch.testing.assert_close(adapted.positions, expected.reshape(8, 48))
    with torch.no_grad():
        blank = adapted.embed(torch.zeros(1, 4, 16, 16)) - adapted.positions
    torch.testing.assert_close(blank, adapted.tokenizer.bias.expand(1, 8, 48))


def test_another_grid_leaves_rotary_positions_as_they_are(tmp_path: Path) -> None:
    model = randomised(VJEPA2Model(vjepa2_config(frames_per_clip=8, crop_size=32)))
    encoder, _ = vjepa2.read_encoder(read_published(saved(model, tmp_path)))
    adapted, told = adapt(encoder, 6, 24, NORMALISATION, NORMALISATION.grey)
    assert told[1] == "grid 4 x 4 x 4 to 3 x 3 x 3: rotary positions by index, as they were"
    smaller = VJEPA2Model(vjepa2_config(frames_per_clip=6, crop_size=24))
    smaller.load_state_dict(model.state_dict())
    clip = levels(6, 24)
    with torch.no_grad():
        expected = smaller.eval()(as_published(clip)).last_hidden_state
        found = adapted((clip - NORMALISATION.grey.mean) / NORMALISATION.grey.sd)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_is_told_in_one_sentence(tmp_path: Path) -> None:
    model = VideoMAEModel(videomae_config())
    encoder, _ = videomae.read_encoder(read_published(saved(model, tmp_path)))
    with pytest.raises(UserError, match="tubelet of 2 x 8 x 8 does not divide the clip"):
        adapt(encoder, 4, 20, NORMALISATION, NORMALISATION.grey)
    with pytest.raises(UserError, match="3 channels, but its normalisation has 1"):
        adapt(encoder, 4, 16, Normalisation.of([0.5], [0.5]), NORMALISATION.grey)


@pytest.mark.parametrize(
    ("mean", "sd"), [([0.5], [0.0]), ([0.5, 0.5], [0.5]), ([], []), ([float("nan")], [1.0])]
)
def test_a_normalisation_that_is_none_is_refused(mean: list[float], sd: list[float]) -> None:
    with pytest.raises(ValueError, match="SD"):
        Normalisation.of(mean, sd)
