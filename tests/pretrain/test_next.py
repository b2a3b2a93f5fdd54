"""The next frames are predicted from the past alone."""

import pytest
import torch

from tests.pretrain.objectives import NETWORKS, batch, objective
from transferscale.pretrain.next import NextFrames


@pytest.mark.parametrize(("family", "attention"), NETWORKS)
def test_the_future_is_asked_for_and_not_seen(family: str, attention: str) -> None:
    model = objective("next", family, attention)
    assert isinstance(model, NextFrames)
    before = batch()
    seen, asked = model.question(before, whole=True)
    assert (seen.times, seen.places.shape) == (4, (6, 16))
    assert sorted(asked[0].tolist()) == list(range(64, 128))
    changed = before.clip.clone()
    changed[:, 8:] += torch.randn(6, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    encoded = model.encoder(before.clip, seen)
    assert torch.equal(encoded, model.encoder(changed, seen))
    changed[:, :8] += 1.0
    assert not torch.equal(encoded, model.encoder(changed, seen))


def test_half_of_the_places_are_asked_for_in_training() -> None:
    model = objective("next")
    assert isinstance(model, NextFrames)
    assert model.question(batch(), whole=False).asked.shape == (6, 4 * 8)


def test_it_learns_that_a_still_picture_stays() -> None:
    model = objective("next")
    across, slopes = (
        torch.linspace(-1, 1, 32),
        torch.randn(6, 2, 1, 1, generator=torch.Generator().manual_seed(0)),
    )
    still = 2 * (slopes[:, :1] * across + slopes[:, 1:] * across[:, None]).expand(6, 16, 32, 32)
    parameters = [p for network in model.networks.values() for p in network.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    first = model.losses(batch()._replace(clip=still)).mean().item()
    for step in range(60):
        model.losses(batch(visit=step)._replace(clip=still)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert model.losses(batch(visit=99)._replace(clip=still)).mean().item() < 0.6 * first
