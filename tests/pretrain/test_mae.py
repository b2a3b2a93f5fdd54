"""The masked autoencoder predicts what it did not see."""

import numpy as np
import pytest
import torch

from tests.pretrain.moving_squares import rung_spec
from transferscale.errors import UserError
from transferscale.models.patches import patches
from transferscale.pretrain.counter import Draw, identify
from transferscale.pretrain.mae import FLAT_VARIANCE, MaskedAutoencoder, normalised
from transferscale.pretrain.objective import build_objective

IDS = identify([f"clip-{i}" for i in range(6)])


def draw(ids: np.ndarray = IDS, visit: int = 0) -> Draw:
    return Draw(0, np.full(len(ids), visit), ids)


@pytest.fixture
def model() -> MaskedAutoencoder:
    objective = build_objective(rung_spec())
    assert isinstance(objective, MaskedAutoencoder)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # a decoder that says something
        objective.decoder.pixels.weight.normal_(0, 0.2, generator=generator)
    return objective


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randn(6, 4, 16, 16, generator=torch.Generator().manual_seed(1))


def test_a_decoder_that_says_nothing_scores_the_variance_of_normalised_pixels(clips: torch.Tensor) -> None:
    objective = build_objective(rung_spec())
    pixels = patches(clips, 2, 4)
    variance = pixels.var(-1, correction=0)
    expected = (variance / (variance + FLAT_VARIANCE)).mean(1)
    # All tokens or the masked ones: equal in expectation only, so within a few per cent.
    torch.testing.assert_close(objective.losses(clips, draw()), expected, rtol=0.05, atol=0)


def test_a_clip_has_the_same_loss_whoever_shares_its_batch(
    model: MaskedAutoencoder, clips: torch.Tensor
) -> None:
    together = model.losses(clips, draw())
    order = [4, 0, 5]
    torch.testing.assert_close(model.losses(clips[order], draw(IDS[order])), together[order])


def test_another_visit_masks_other_tokens(model: MaskedAutoencoder, clips: torch.Tensor) -> None:
    assert not torch.equal(model.losses(clips, draw()), model.losses(clips, draw(visit=1)))


def test_the_prediction_sees_kept_tokens_only(model: MaskedAutoencoder, clips: torch.Tensor) -> None:
    keep, masked = torch.arange(8).expand(6, -1), torch.arange(8, 32).expand(6, -1)
    predicted = model.decoder(model.encoder(clips, keep), keep, masked)
    changed = clips.clone()
    changed[:, 2:] += torch.randn(6, 2, 16, 16, generator=torch.Generator().manual_seed(2))  # tokens 16 to 31
    assert torch.equal(model.decoder(model.encoder(changed, keep), keep, masked), predicted)
    changed[:, :2] += 1.0
    assert not torch.equal(model.decoder(model.encoder(changed, keep), keep, masked), predicted)


def test_targets_are_normalised_unless_flat() -> None:
    pixels = torch.stack([torch.linspace(-30, 70, 32), torch.full((32,), 5.0)]).unsqueeze(0)
    target = normalised(pixels)
    assert target[0, 0].mean().item() == pytest.approx(0, abs=1e-5)
    assert target[0, 0].std(correction=0).item() == pytest.approx(1, abs=1e-4)
    assert not target[0, 1].any()


def test_it_learns_to_fill_in_what_moves(clips: torch.Tensor) -> None:
    objective = build_objective(rung_spec())
    ramp = torch.linspace(-1, 1, 16).expand(6, 4, 16, 16) * torch.linspace(0.5, 2, 6)[:, None, None, None]
    parameters = [*objective.encoder.parameters(), *objective.decoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-2)
    first = objective.losses(ramp, draw()).mean().item()
    for step in range(30):
        objective.losses(ramp, draw(visit=step)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert objective.losses(ramp, draw(visit=99)).mean().item() < 0.5 * first


def test_an_unknown_objective_is_told_in_one_sentence() -> None:
    with pytest.raises(UserError, match="unknown objective 'mea'; did you mean 'mae'"):
        build_objective(rung_spec(objective="mea"))
