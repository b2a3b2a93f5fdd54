"""The masked autoencoder predicts what it did not see."""

import pytest
import torch

from tests.pretrain.moving_squares import rung_spec
from tests.pretrain.objectives import NETWORKS, batch, objective, take
from transferscale.errors import UserError
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.mae import MaskedAutoencoder
from transferscale.pretrain.objective import Objective, build_objective
from transferscale.pretrain.pixels import FLAT_VARIANCE, normalised


@pytest.fixture(params=NETWORKS, ids=["vit", "factorised", "convnet"])
def model(request: pytest.FixtureRequest) -> Objective:
    return objective("mae", *request.param)


def test_a_decoder_that_says_nothing_scores_the_variance_of_normalised_pixels() -> None:
    silent = MaskedAutoencoder(
        objective("mae").encoder, {"mask_ratio": 0.9, "decoder_share": 0.5, "name": "mae"}, 0
    )
    # Noise of unit variance, over which the floor of the variance takes a little.
    expected = torch.full((6,), 1 / (1 + FLAT_VARIANCE))
    torch.testing.assert_close(silent.losses(batch()), expected, rtol=0.02, atol=0)


def test_a_clip_has_the_same_loss_whoever_shares_its_batch(model: Objective) -> None:
    together, order = model.losses(batch()), [4, 0, 5]
    torch.testing.assert_close(model.losses(take(batch(), order)), together[order])


def test_another_visit_masks_other_tubes(model: Objective) -> None:
    assert not torch.equal(model.losses(batch()), model.losses(batch(visit=1)))


def test_the_prediction_sees_seen_tubes_only_and_the_loss_asks_hidden_ones_only() -> None:
    model = objective("mae")
    assert isinstance(model, MaskedAutoencoder)
    before = batch()
    seen, asked = model.question(before, whole=True)
    tokens = seen.tokens(model.encoder.grid)
    assert seen.places.shape == (6, 2)
    assert asked.shape == (6, 8 * 14)
    for mine, others in zip(tokens, asked, strict=True):
        assert sorted([*mine.tolist(), *others.tolist()]) == list(range(128))
        assert {int(t) % 16 for t in mine} == set(seen.places[0].tolist()) or len(
            {int(t) % 16 for t in mine}
        ) == 2


def test_half_of_the_hidden_tubes_are_asked_for_in_training_and_all_held_out() -> None:
    model = objective("mae")
    assert isinstance(model, MaskedAutoencoder)
    part, all_hidden = model.question(batch(), whole=False), model.question(batch(), whole=True)
    assert part.asked.shape == (6, 8 * 7)
    assert torch.equal(part.seen.places, all_hidden.seen.places)
    for some, every in zip(part.asked, all_hidden.asked, strict=True):
        assert set(some.tolist()) < set(every.tolist())


def test_the_held_out_loss_does_not_depend_on_the_share_asked_for_in_training() -> None:
    half, whole = objective("mae"), objective("mae", decoder_share=1.0)
    torch.testing.assert_close(half.losses(batch(), whole=True), whole.losses(batch()))


def test_targets_are_normalised_unless_flat() -> None:
    pixels = torch.stack([torch.linspace(-30, 70, 32), torch.full((32,), 5.0)]).unsqueeze(0)
    target = normalised(pixels)
    assert target[0, 0].mean().item() == pytest.approx(0, abs=1e-5)
    assert target[0, 0].std(correction=0).item() == pytest.approx(1, abs=1e-4)
    assert not target[0, 1].any()


def test_it_learns_to_fill_in_what_moves(model: Objective) -> None:
    ramp = torch.linspace(-1, 1, 32).expand(6, 16, 32, 32) * torch.linspace(0.5, 2, 6)[:, None, None, None]
    groups = parameter_groups(model.networks.values(), model.encoder.scale.multipliers, 1e-2, 0.0)
    optimiser = torch.optim.AdamW(groups)
    first = model.losses(batch()._replace(clip=ramp)).mean().item()
    for step in range(40):
        model.losses(batch(visit=step)._replace(clip=ramp)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert model.losses(batch(visit=99)._replace(clip=ramp)).mean().item() < 0.5 * first


def test_an_unknown_objective_is_told_in_one_sentence() -> None:
    with pytest.raises(UserError, match="unknown objective 'mea'; did you mean 'mae'"):
        build_objective(rung_spec(objective={"name": "mea"}))
