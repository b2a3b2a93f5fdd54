"""Prices of jobs: passes of windows are counted as the jobs make them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from transferscale.study.load import load_study
from transferscale.study.study import Study
from transferscale.transfer.behaviour.attack import STEPS, attack
from transferscale.transfer.prices import ATTACK, TORCH_S, Job, Prices, Size

# Four folds test 25 windows each.
SIZE = Size(windows=100, each=2, sites=3)
Change = Callable[..., list[Job]]


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest) -> Change:
    """Jobs of one kind where `behaviour` of the demo asks so much of one network: a window's pass takes a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(request.config.rootpath)
        content = load_study("config/config.yaml").spec()
    bare: dict[str, Any] = {"depths": [2], "labels": [16], "tasks": ["demo/group"], "arms": ["video"]}

    def jobs(name: str, **behaviour: Any) -> list[Job]:
        study = Study.model_validate({**content, "behaviour": bare | behaviour})
        return [job for job in Prices(study, {"demo": SIZE}, {("vit", 2): 1.0}).jobs() if job.name == name]

    return jobs


def test_a_job_shows_its_test_windows_once_a_condition(asked: Change) -> None:
    (job,) = asked("behaviour", read_outs=["ridge"], corruptions=["noise"], radii=[0.1, 0.2])
    # All windows at the start, then a hundred in four folds: clean, at five severities, under two attacks.
    assert job == Job("behaviour", 4, TORCH_S + 100 + 100 * (1 + 5 + 2 * ATTACK))


def test_every_site_is_another_fit_and_all_sites_are_one_more_test(asked: Change) -> None:
    (plain,) = asked("behaviour", read_outs=["full"], corruptions=["noise"])
    (moved,) = asked("behaviour", read_outs=["full"], corruptions=["noise"], sites=True)
    # 16 steps of 4 subjects with 2 windows each, three passes a step.
    training = 16 * 3 * 4 * 2
    assert (plain.fits, moved.fits) == (4, 4 * (1 + 3))
    assert moved.seconds - plain.seconds == 4 * 3 * training + 100


def test_a_sequence_encodes_all_windows_anew_only_where_the_network_moves(asked: Change) -> None:
    sequences = [["demo/group", "demo/trait", "demo/null"]]
    (ridge,) = asked("continual", read_outs=["ridge"], continual=sequences)
    (full,) = asked("continual", read_outs=["full"], continual=sequences)
    assert ridge == Job("continual", 12, TORCH_S + 100 + 4 * (1 + 2 + 3) * 25)
    assert full.fits == 12
    assert full.seconds - ridge.seconds == 12 * (16 * 3 * 4 * 2) + 4 * 2 * 100


def test_an_attack_takes_the_passes_that_it_is_priced_at() -> None:
    passes = 1  # the attacked windows are then read

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, shifted: torch.Tensor) -> torch.Tensor:
            nonlocal passes
            passes += 1
            return shifted.flatten(1).sum(1)

        @staticmethod
        def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
            nonlocal passes
            passes += 1
            return gradients[0][:, None, None].expand(-1, 3, 2)

    series = torch.zeros(4, 3, 2)
    attack(Loss.apply, series, torch.arange(4), torch.ones(4), torch.zeros_like(series))
    assert passes == ATTACK == 3 + 2 * STEPS
