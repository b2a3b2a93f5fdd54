"""Networks that are trained together become what they would have become alone."""

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.pretrain.moving_squares import rung_spec
from tests.pretrain.objectives import NETWORKS, OPTIONS, batch, objective
from tests.pretrain.rungs import ALL_THAT_MOVES, clips_of, rung
from transferscale.errors import UserError
from transferscale.ladder import scale
from transferscale.ladder.cost import work_of
from transferscale.models.attention import Attention
from transferscale.models.grouped import group
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.data import ClipStream, batches, open_corpus
from transferscale.pretrain.heldout import evaluate
from transferscale.pretrain.objective import Objective, build_objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.schedule import Schedule, schedule_of
from transferscale.pretrain.stacked import CPU_MOST, MOST, Joined, Member, Stack, Together, at_once

STEPS, CLIPS = 20, 4
SCHEDULE = Schedule(warmup=4, start=0, trunk_end=16, end=STEPS)
SPEC: dict[str, Any] = {
    "batch": CLIPS,
    "accumulate": 1,
    "weight_decay": 0.05,
    "optimizer": "adamw",
    "clip_norm": 0.1,
    "ema": 0.0,
}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Noise:
    """Other clips and masks at every step and seed."""

    seed: int
    clips: int = CLIPS

    def at(self, step: int) -> Batch:
        found = batch(self.clips, frames=4, size=32, visit=step, seed=100 * self.seed + step)
        found.draw.seed = self.seed
        return found


def members(name: str, family: str, attention: str, **changes: Any) -> list[Member]:
    """Three networks with weights, clips and rates of their own."""
    made = []
    for seed, rate in enumerate((1e-2, 1e-3, 4e-3)):
        own = objective(name, family, attention, depth=2, frames=4, **changes)
        source = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in nn.ModuleDict(own.networks).parameters():
                parameter += 0.05 * torch.randn(parameter.shape, generator=source)
        made.append(Member(own, rate, Noise(seed)))
    return made


def alone(member: Member, optimizer: str = "adamw") -> list[float]:
    """Train one network by plain torch; its losses."""
    own = member.objective
    groups = parameter_groups(
        own.networks.values(), own.encoder.scale.multipliers, member.learning_rate, SPEC["weight_decay"]
    )
    found = optimiser(optimizer, groups, own.encoder.width, own.encoder.scale.multipliers)
    rates = [group["lr"] for group in found.param_groups]
    losses = []
    for step in range(STEPS):
        for own_group, rate in zip(found.param_groups, rates, strict=True):
            own_group["lr"] = rate * SCHEDULE.factor(step)
        loss = own.losses(member.stream.at(step)).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(nn.ModuleDict(own.networks).parameters(), SPEC["clip_norm"])
        found.step()
        found.zero_grad()
        own.after_step()
        losses.append(loss.item())
    return losses


def distance(one: Objective, other: Objective) -> float:
    """Norm of the difference of all weights, teachers' too."""
    pairs = zip(
        *(nn.ModuleDict({**own.networks, **own.teachers}).parameters() for own in (one, other)), strict=True
    )
    return float(torch.stack([(a.detach() - b.detach()).norm() for a, b in pairs]).norm())


@pytest.mark.parametrize("name", ["mae", "jepa", "next", "supervised"])
@pytest.mark.parametrize(("family", "attention"), NETWORKS, ids=["vit", "factorised", "convnet"])
def test_networks_trained_together_become_what_they_become_alone(
    name: str, family: str, attention: str
) -> None:
    stacked = members(name, family, attention)
    separate = copy.deepcopy(stacked)
    before = [copy.deepcopy(member.objective) for member in stacked]
    together = Together(stacked, SCHEDULE, SPEC, CPU, "fp32").run()
    for number, (one, other) in enumerate(zip(stacked, separate, strict=True)):
        expected = torch.tensor(alone(other), dtype=torch.float64)
        torch.testing.assert_close(torch.from_numpy(together[:, number]), expected, rtol=1e-4, atol=0)
        assert distance(one.objective, other.objective) < 0.01 * distance(other.objective, before[number])


@pytest.mark.parametrize("family", ["vit", "convnet"])
def test_in_bf16_too(family: str) -> None:
    stacked = members("mae", family, "joint")
    separate = copy.deepcopy(stacked)
    together = Together(stacked, SCHEDULE, SPEC, CPU, "bf16").run()
    for number, member in enumerate(separate):
        own = Together([member], SCHEDULE, SPEC, CPU, "bf16").run()
        # Eight bits of mantissa, and other orders of summation.
        np.testing.assert_allclose(together[:, number], own[:, 0], rtol=0.02)


def test_a_network_trained_with_others_is_the_rung_it_would_have_been(corpus: Path, tmp_path: Path) -> None:
    # Teacher, Muon, moving average, micro-batches and crops, against the rung's own loop.
    spec = rung_spec(**ALL_THAT_MOVES)
    clips = clips_of(corpus)
    opened = open_corpus(spec, clips.stores, clips.indexes, None, None)
    made = [
        Member(
            build_objective({**spec, "seed": seed}),
            rate,
            ClipStream(opened, seed, spec["batch"], spec["crop"]),
        )
        for seed, rate in ((1, 2e-2), (spec["seed"], spec["learning_rate"]))
    ]
    Together(made, schedule_of(spec, continued=False), spec, CPU, "fp32").run()
    found = evaluate(made[1].objective, batches(opened.heldout, spec["batch"])).losses.mean()
    facts = json.loads((rung(corpus, tmp_path / "rung", **ALL_THAT_MOVES) / "model.json").read_text())
    assert found == pytest.approx(facts["heldout_loss"], rel=1e-3)


@pytest.mark.parametrize("family", ["vit", "convnet"])
def test_a_network_that_diverges_leaves_the_others_alone(family: str) -> None:
    well = members("mae", family, "joint")
    ill = copy.deepcopy(well)
    ill[1] = Member(ill[1].objective, 1e38, ill[1].stream)
    expected, found = (Together(own, SCHEDULE, SPEC, CPU, "fp32").run() for own in (well, ill))
    assert math.isnan(found[-1, 1])
    np.testing.assert_allclose(found[:, [0, 2]], expected[:, [0, 2]], rtol=1e-6)


def test_each_gradient_is_clipped_by_its_own_norm() -> None:
    own = members("mae", "vit", "joint")
    stack = Stack([member.objective for member in own], CLIPS)
    stack.losses([member.stream.at(0) for member in own]).sum().backward()
    loud = nn.ModuleDict(own[0].objective.networks)
    with torch.no_grad():
        for parameter in loud.parameters():
            assert parameter.grad is not None
            parameter.grad *= 1000
    norms = stack.clip_gradients(1.0)
    after = [
        torch.stack([p.grad.norm() for p in nn.ModuleDict(member.objective.networks).parameters()])
        .norm()
        .item()
        for member in own
    ]
    assert norms[0] > 100 * norms[1]
    assert after == pytest.approx([min(1.0, float(norm)) for norm in norms], rel=1e-3)


def test_masks_of_joined_batches_are_those_of_each() -> None:
    own = [Noise(seed).at(3).draw for seed in range(2)]
    joined = Joined(own)
    assert np.array_equal(joined.bits("mask", 5), np.concatenate([draw.bits("mask", 5) for draw in own]))
    assert not np.array_equal(joined.bits("mask", 5)[:CLIPS], joined.bits("mask", 5)[CLIPS:])


def test_weights_without_a_grouped_form_are_refused() -> None:
    layers = [Attention(32, 1, qkv_bias=True) for _ in range(2)]
    with pytest.raises(ValueError, match="Attention has weights of its own and no grouped form"):
        group(copy.deepcopy(layers[0]), layers, CLIPS)
    own = [objective("mae", depth=1, frames=4) for _ in range(2)]
    for one in own:
        one.encoder.register_parameter("token", nn.Parameter(torch.zeros(32)))
    with pytest.raises(UserError, match="cannot be stacked: VideoEncoder has weights of its own"):
        Stack(own, CLIPS)


def test_a_gpu_trains_as_many_at_once_as_fit_half_of_it() -> None:
    gpu = torch.device("cuda")
    small = scale(1, 16, 32, {"frames": 2, "size": 8})
    large = scale(12, 16, 224, {"frames": 2, "size": 16})
    assert at_once(small, work_of(small, OPTIONS["mae"]), 32, gpu, "bf16", 10**11) == MOST
    assert 1 <= at_once(large, work_of(large, OPTIONS["mae"]), 32, gpu, "bf16", 10**11) < MOST
    assert at_once(large, work_of(large, OPTIONS["mae"]), 32, gpu, "bf16", 10**7) == 1


@pytest.mark.parametrize(
    ("depth", "precision", "expected"), [(1, "fp32", CPU_MOST), (2, "fp32", 1), (1, "bf16", 1)]
)
@pytest.mark.parametrize("family", ["vit", "convnet"])
def test_a_cpu_stacks_where_it_was_measured_to_pay(
    family: str, depth: int, precision: str, expected: int
) -> None:
    # The shapes of docs/benchmarks/stacked.md.
    shape = scale(depth, 16, 32, {"frames": 2, "size": 8}, family)
    assert at_once(shape, work_of(shape, OPTIONS["mae"]), 32, CPU, precision, 10**11) == expected
