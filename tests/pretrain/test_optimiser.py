"""AdamW and Muon, with muP's factors where they belong."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretrain.moving_squares import rung_spec
from tests.pretrain.rungs import rung
from tests.pretrain.test_rung import curve_of
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.objective import Objective, build_objective
from transferscale.pretrain.optimiser import Chained, optimiser


def of_depth(depth: int) -> Objective:
    """An objective of a depth."""
    spec = rung_spec()
    return build_objective(spec | {"model": spec["model"] | {"depth": depth}})


def made(name: str, depth: int, rate: float = 0.01, decay: float = 0.1) -> tuple[Objective, Any]:
    """An objective and its optimiser."""
    objective = of_depth(depth)
    scale = objective.encoder.scale
    groups = parameter_groups(objective.networks.values(), scale.multipliers, rate, decay)
    return objective, optimiser(name, groups, scale.width, scale.multipliers)


def test_every_parameter_is_trained_once_by_either() -> None:
    for name in ("adamw", "muon"):
        objective, found = made(name, 2)
        own = [id(p) for group in found.param_groups for p in group["params"]]
        assert sorted(own) == sorted(
            id(p) for network in objective.networks.values() for p in network.parameters()
        )


def test_muon_takes_the_hidden_matrices_and_no_others() -> None:
    _, found = made("muon", 2)
    muon, adamw = found.parts
    assert [group["name"] for group in muon.param_groups] == ["hidden"]
    assert all(p.ndim == 2 for p in muon.param_groups[0]["params"])
    assert {group["name"] for group in adamw.param_groups} == {"embedding", "vector"}


@pytest.mark.parametrize("depth", [1, 4])
def test_muons_rate_is_free_of_width_and_rate_times_decay_is_adamws(depth: int) -> None:
    _, found = made("muon", depth)
    hidden = found.param_groups[0]
    _, base = made("muon", 1)
    assert hidden["lr"] == pytest.approx(base.param_groups[0]["lr"])
    _, adamw = made("adamw", depth)
    group = next(group for group in adamw.param_groups if group["name"] == "hidden")
    assert hidden["lr"] * hidden["weight_decay"] == pytest.approx(group["lr"] * group["weight_decay"])


@pytest.mark.parametrize("depth", [1, 4])
def test_a_muon_step_changes_features_by_the_same_amount_at_every_width(depth: int) -> None:
    # The spectral norm of the step is the rate (times 2 where there are 4 times as many rows as columns).
    objective, found = made("muon", depth, decay=0.0)
    hidden = found.param_groups[0]
    before = [p.detach().clone() for p in hidden["params"]]
    source = torch.Generator().manual_seed(0)
    for group in found.param_groups:
        for p in group["params"]:
            p.grad = torch.randn(p.shape, generator=source)
    found.step()
    for old, new in zip(before, hidden["params"], strict=True):
        norm = torch.linalg.matrix_norm(new.detach() - old, 2) / hidden["lr"]
        # Muon's orthogonal matrices have singular values within 0.5 to 1.5.
        assert 0.6 < norm / max(1, old.shape[0] / old.shape[1]) ** 0.5 < 1.4
    assert objective is not None


def test_at_depth_1_a_square_step_has_the_size_that_adamw_gives_it() -> None:
    _, found = made("muon", 1, rate=0.01, decay=0.0)
    p = next(p for p in found.param_groups[0]["params"] if p.shape == (32, 32))
    before = p.detach().clone()
    p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(0))
    found.step()
    assert (p.detach() - before).square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_the_state_of_both_comes_back() -> None:
    one, two = made("muon", 1), made("muon", 1)
    for objective, found in (one, two):
        for _ in range(2):
            for network in objective.networks.values():
                for i, p in enumerate(network.parameters()):
                    p.grad = torch.full_like(p, 0.1 * (i % 3 - 1))
            found.step()
            if found is two[1]:
                fresh = made("muon", 1)[1]
                fresh_state = found.state_dict()
                assert isinstance(fresh, Chained)
                found.load_state_dict(fresh_state)
    for a, b in zip(one[0].encoder.parameters(), two[0].encoder.parameters(), strict=True):
        assert torch.equal(a, b)
    # Rates that are set after loading reach the parts.
    two[1].param_groups[0]["lr"] = 7.0
    assert two[1].parts[0].param_groups[0]["lr"] == 7.0


def test_muon_trains(corpus: Path, tmp_path: Path) -> None:
    losses = [
        line["loss"] for line in curve_of(rung(corpus, tmp_path / "r", optimizer="muon", budget=8 * 60))
    ]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
