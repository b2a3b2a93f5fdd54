"""The teacher follows the student and is never trained."""

import pytest
import torch

from tests.pretrain.objectives import NETWORKS, batch, objective
from transferscale.pretrain.jepa import JointEmbedding


@pytest.mark.parametrize(("family", "attention"), NETWORKS)
def test_no_gradient_reaches_the_teacher(family: str, attention: str) -> None:
    model = objective("jepa", family, attention)
    assert isinstance(model, JointEmbedding)
    model.losses(batch()).mean().backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(p.grad is not None for p in model.encoder.parameters())


def test_the_teacher_moves_towards_the_student_by_its_momentum() -> None:
    model = objective("jepa", momentum=0.75)
    assert isinstance(model, JointEmbedding)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter += 1.0
    before = {name: p.clone() for name, p in model.teacher.named_parameters()}
    model.after_step()
    for name, parameter in model.teacher.named_parameters():
        torch.testing.assert_close(parameter, before[name] + 0.25, rtol=1e-5, atol=1e-6)


def test_the_target_is_the_teachers_view_of_the_whole_clip() -> None:
    model = objective("jepa")
    before = batch()
    changed = before.clip.clone()
    changed[:, :, :8, :8] += torch.randn(6, 16, 8, 8, generator=torch.Generator().manual_seed(4))
    loss, other = model.losses(before), model.losses(before._replace(clip=changed))
    assert not torch.isclose(loss, other).any()


def test_it_learns_what_its_teacher_sees() -> None:
    model = objective("jepa", momentum=1.0)
    optimiser = torch.optim.AdamW(
        [p for network in model.networks.values() for p in network.parameters()], lr=3e-3
    )
    first = model.losses(batch()).mean().item()
    for _ in range(60):
        model.losses(batch()).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        model.after_step()
    assert model.losses(batch()).mean().item() < 0.8 * first
