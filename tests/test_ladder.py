"""The ladder counts what torch counts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from transferscale.ladder import scale
from transferscale.models.video_transformer import VideoTransformer
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.flops import counted_training_flops
from transferscale.pretrain.mae import MaskedAutoencoder

TUBELET = {"frames": 2, "size": 8}


def masked_autoencoder(depth: int, mask_ratio: float, frames: int = 16, size: int = 32) -> MaskedAutoencoder:
    return MaskedAutoencoder(VideoTransformer(scale(depth, frames, size, TUBELET)), 0, mask_ratio)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6, 8])
def test_parameters_are_those_of_torch(depth: int) -> None:
    model = masked_autoencoder(depth, 0.9)
    ladder = model.encoder.scale
    assert ladder.params_encoder == count(model.encoder)
    assert ladder.params_decoder == count(model.decoder)
    assert ladder.params_total == count(model.encoder) + count(model.decoder)
    assert ladder.params_nonembedding == count(model.encoder.blocks) + count(model.encoder.norm)


@pytest.mark.parametrize(("depth", "mask_ratio"), [(1, 0.9), (2, 0.5), (3, 0.75), (4, 0.9), (8, 0.9)])
def test_training_flops_are_those_that_torch_counts(depth: int, mask_ratio: float) -> None:
    model = masked_autoencoder(depth, mask_ratio)
    formula = model.encoder.scale.training_flops(mask_ratio)
    assert formula == pytest.approx(counted_training_flops(model), rel=0.01)


@pytest.mark.parametrize("depth", [1, 3])
def test_forward_flops_are_those_that_torch_counts(depth: int) -> None:
    model, clip = masked_autoencoder(depth, 0.9), torch.zeros(1, 16, 32, 32)
    ladder = model.encoder.scale
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.encoder(clip)
    assert counter.get_total_flops() == pytest.approx(ladder.encoder_flops(), rel=0.01)
    draw = Draw(0, np.zeros(1, np.int64), np.zeros(1, np.uint64))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.losses(clip, draw)
    assert counter.get_total_flops() == pytest.approx(ladder.forward_flops(0.9), rel=0.01)


def test_depth_12_costs_what_is_published_for_vit_s() -> None:
    ladder = scale(12, 16, 224, {"frames": 2, "size": 16})
    assert (ladder.width, ladder.tokens) == (384, 1568)
    # 56.88 G multiply-adds are for three colours; ours is luminance.
    colours = 1568 * (3 - 1) * 512 * 384
    assert ladder.encoder_flops() / 2 + colours == pytest.approx(56.88e9, rel=1e-3)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_memory_is_within_a_tenth_of_what_autograd_keeps(depth: int) -> None:
    model, batch = masked_autoencoder(depth, 0.9), 16
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    alive: list[torch.Tensor] = []
    draw = Draw(0, np.zeros(batch, np.int64), np.arange(batch, dtype=np.uint64))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.losses(torch.randn(batch, 16, 32, 32, generator=torch.Generator()), draw)
    weights = {p.untyped_storage().data_ptr() for m in (model.encoder, model.decoder) for p in m.parameters()}
    measured = sum(size for place, size in kept.items() if place not in weights)
    ladder = model.encoder.scale
    estimated = ladder.training_bytes(0.9, batch) - 16 * ladder.params_total
    assert estimated == pytest.approx(measured, rel=0.1)


@given(depth=st.integers(1, 48), ratio=st.floats(0.01, 0.99))
def test_one_token_is_seen_and_one_is_masked_at_any_ratio(depth: int, ratio: float) -> None:
    ladder = scale(depth, 4, 16, TUBELET)
    assert 1 <= ladder.kept(ratio) <= ladder.tokens - 1
    assert ladder.training_flops(ratio) < scale(depth + 1, 4, 16, TUBELET).training_flops(ratio)


@given(depth=st.integers(1, 48))
@settings(max_examples=20)
def test_heads_divide_the_width_at_any_depth(depth: int) -> None:
    ladder = scale(depth, 16, 32, TUBELET)
    assert ladder.width == 32 * ladder.heads
    assert ladder.decoder_width % depth == 0


def test_multipliers_are_one_at_depth_one_and_those_of_completep_above() -> None:
    one, four = scale(1, 16, 32, TUBELET).multipliers, scale(4, 16, 32, TUBELET).multipliers
    names = (
        "residual",
        "hidden_init",
        "hidden_rate",
        "hidden_decay",
        "hidden_epsilon",
        "embedding_epsilon",
        "output",
    )
    assert [getattr(one, name) for name in names] == [1.0] * 7
    assert [getattr(four, name) for name in names] == [1 / 4, 1 / 2, 1 / 4, 4.0, 1 / 16, 1 / 4, 1 / 4]


def test_a_clip_that_the_tubelet_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="not divisible"):
        scale(1, 15, 32, TUBELET)
    with pytest.raises(ValueError, match="at least 1"):
        scale(0, 16, 32, TUBELET)
