"""The ladder counts what torch counts, for every family and objective."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.pretrain.objectives import NETWORKS, OPTIONS, TUBELET, batch, objective
from transferscale.ladder import FAMILIES, scale
from transferscale.ladder.cost import (
    encoder_flops,
    forward_flops,
    params_decoder,
    params_total,
    training_bytes,
    training_flops,
    work_of,
)
from transferscale.pretrain.flops import counted_training_flops
from transferscale.pretrain.objective import Objective


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


EVERY = [(name, *network) for name in OPTIONS for network in NETWORKS]


@pytest.mark.parametrize(("name", "family", "attention"), EVERY)
@pytest.mark.parametrize("depth", [1, 3])
def test_parameters_are_those_of_torch(name: str, family: str, attention: str, depth: int) -> None:
    model = objective(name, family, attention, depth)
    ladder = model.encoder.scale
    assert ladder.params_encoder == count(model.encoder)
    assert params_decoder(ladder, model.work) == count(model.networks["decoder"])
    assert params_total(ladder, model.work) == sum(count(network) for network in model.networks.values())
    assert ladder.params_nonembedding == count(model.encoder.blocks) + count(model.encoder.norm)


@pytest.mark.parametrize(("name", "family", "attention"), EVERY)
@pytest.mark.parametrize("depth", [1, 3])
def test_training_flops_are_those_that_torch_counts(
    name: str, family: str, attention: str, depth: int
) -> None:
    model = objective(name, family, attention, depth)
    formula = training_flops(model.encoder.scale, model.work)
    assert formula == pytest.approx(counted_training_flops(model), rel=0.01)


@pytest.mark.parametrize(("mask_ratio", "share"), [(0.5, 1.0), (0.75, 0.3), (0.99, 1.0), (0.01, 0.5)])
def test_training_flops_are_those_that_torch_counts_at_any_ratio(mask_ratio: float, share: float) -> None:
    model = objective("mae", mask_ratio=mask_ratio, decoder_share=share)
    formula = training_flops(model.encoder.scale, model.work)
    assert formula == pytest.approx(counted_training_flops(model), rel=0.01)


@pytest.mark.parametrize(("family", "attention"), NETWORKS)
def test_forward_flops_are_those_that_torch_counts(family: str, attention: str) -> None:
    model, one = objective("mae", family, attention), batch(1)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.encoder(one.clip)
    assert counter.get_total_flops() == pytest.approx(encoder_flops(model.encoder.scale), rel=0.01)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.losses(one)
    assert counter.get_total_flops() == pytest.approx(
        forward_flops(model.encoder.scale, model.work), rel=0.01
    )


def test_depth_12_costs_what_is_published_for_vit_s() -> None:
    ladder = scale(12, 16, 224, {"frames": 2, "size": 16})
    assert (ladder.width, ladder.tokens) == (384, 1568)
    # 56.88 G multiply-adds are for three colours; ours is luminance.
    colours = 1568 * (3 - 1) * 512 * 384
    assert encoder_flops(ladder) / 2 + colours == pytest.approx(56.88e9, rel=1e-3)


def kept_for_backward(model: Objective, clips: int) -> int:
    """Bytes that autograd keeps, weights aside."""
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.losses(batch(clips))
    networks = [*model.networks.values(), *model.teachers.values()]
    weights = {p.untyped_storage().data_ptr() for network in networks for p in network.parameters()}
    return sum(size for place, size in kept.items() if place not in weights)


@pytest.mark.parametrize(("name", "family", "attention"), EVERY)
@pytest.mark.parametrize("depth", [2, 8])
def test_memory_is_within_a_seventh_of_what_autograd_keeps(
    name: str, family: str, attention: str, depth: int
) -> None:
    model, clips = objective(name, family, attention, depth), 16
    ladder = model.encoder.scale
    estimated = training_bytes(ladder, model.work, clips) - training_bytes(ladder, model.work, 0)
    assert estimated == pytest.approx(kept_for_backward(model, clips), rel=0.15)


def test_a_teacher_is_in_the_memory() -> None:
    ladder = scale(2, 16, 32, TUBELET)
    jepa, mae = work_of(ladder, OPTIONS["jepa"]), work_of(ladder, OPTIONS["mae"])
    assert training_bytes(ladder, mae, 0) == 16 * params_total(ladder, mae)
    assert training_bytes(ladder, jepa, 0) == 16 * params_total(ladder, jepa) + 4 * ladder.params_encoder


@given(depth=st.integers(1, 48), ratio=st.floats(0.01, 0.99), family=st.sampled_from(FAMILIES))
def test_a_deeper_network_costs_more_at_any_ratio(depth: int, ratio: float, family: str) -> None:
    options = {"name": "mae", "mask_ratio": ratio, "decoder_share": 0.5}
    one, more = scale(depth, 4, 16, TUBELET, family), scale(depth + 1, 4, 16, TUBELET, family)
    assert training_flops(one, work_of(one, options)) < training_flops(more, work_of(more, options))


def test_what_leaves_nothing_to_predict_is_refused() -> None:
    with pytest.raises(ValueError, match="no following one"):
        work_of(scale(1, 2, 16, TUBELET), OPTIONS["next"])
    for name in ("mae", "jepa"):
        with pytest.raises(ValueError, match="one place has no tube to hide"):
            work_of(scale(1, 4, 8, TUBELET), OPTIONS[name])
    with pytest.raises(ValueError, match="unknown objective"):
        work_of(scale(1, 4, 16, TUBELET), {"name": "mea"})
