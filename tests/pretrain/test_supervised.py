"""Supervised pretraining needs labels, and uses them."""

import math

import pytest
import torch

from tests.pretrain.objectives import CLASSES, NETWORKS, batch, objective
from transferscale.errors import UserError
from transferscale.pretrain.supervised import Supervised


@pytest.mark.parametrize(("family", "attention"), NETWORKS)
def test_it_starts_from_a_guess_and_learns_the_classes(family: str, attention: str) -> None:
    model = Supervised(objective("supervised", family, attention).encoder, CLASSES, 0)
    torch.testing.assert_close(model.losses(batch()), torch.full((6,), math.log(CLASSES)))
    optimiser = torch.optim.AdamW(
        [p for network in model.networks.values() for p in network.parameters()], lr=3e-3
    )
    for _ in range(30):
        model.losses(batch()).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert model.losses(batch()).mean().item() < 0.2


def test_a_held_out_clip_without_a_label_has_no_loss() -> None:
    model = objective("supervised")
    unlabelled = batch()._replace(label=torch.tensor([0, 1, -1, 2, 3, 4]))
    assert torch.isnan(model.losses(unlabelled, whole=True)).tolist() == [False, False, True] + 3 * [False]


def test_a_corpus_without_classes_is_refused() -> None:
    with pytest.raises(UserError, match="the corpus has 1 labels"):
        Supervised(objective("supervised").encoder, 1, 0)
