"""The video transformer does what its page says."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.ladder import Multipliers
from transferscale.models.build import build
from transferscale.models.mup import Linear, parameter_groups
from transferscale.models.patches import patches, positions
from transferscale.versions import STAGE_VERSION


def spec(depth: int = 2, **changes: Any) -> dict[str, Any]:
    base = {"version": STAGE_VERSION["models"], "family": "vit", "depth": depth, "frames": 4, "size": 16}
    return {**base, "tubelet": {"frames": 2, "size": 8}, **changes}


def clips(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def test_weights_depend_on_the_seed_alone_and_leave_the_global_state_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again, other = build(spec(), 0), build(spec(), 0), build(spec(), 1)
    assert torch.equal(torch.get_rng_state(), before)
    for (name, a), b, c in zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c) != (a.ndim == 2), name


def test_no_weight_is_left_undefined() -> None:
    # Matrices are drawn with SD fan_in^-1/2; everything else is at zero or one.
    for module in build(spec(depth=4), 0).modules():
        if isinstance(module, Linear):
            assert module.weight.std().item() == pytest.approx(module.in_features**-0.5, rel=0.05)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, torch.nn.LayerNorm):
            assert (module.weight == 1).all()


def test_kept_tokens_in_any_order_are_encoded_alike() -> None:
    model, clip = build(spec(), 0), clips()
    order = torch.stack(
        [torch.randperm(model.tokens, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    )
    everything = model(clip)
    shuffled = model(clip, order)
    expected = everything.gather(1, order.unsqueeze(-1).expand(-1, -1, model.width))
    torch.testing.assert_close(shuffled, expected, rtol=1e-4, atol=1e-5)


def test_a_token_that_is_not_kept_has_no_influence() -> None:
    model, clip = build(spec(), 0), clips()
    keep = torch.tensor([[0, 3]]).expand(3, -1)
    spoiled = clip.clone()
    spoiled[:, :2, :8, 8:] += 100.0  # token 1
    assert torch.equal(model(clip, keep), model(spoiled, keep))
    assert not torch.equal(model(clip), model(spoiled))


def test_layers_are_the_embedding_and_every_block_and_end_in_the_output() -> None:
    model, clip = build(spec(depth=3), 0), clips()
    layers = model.layers(clip)
    assert [tuple(layer.shape) for layer in layers] == [(3, model.tokens, 96)] * 4
    torch.testing.assert_close(model.norm(layers[-1]), model(clip))


def test_gradients_reach_every_parameter() -> None:
    model = build(spec(), 0)
    model(clips()).pow(3).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_clip_of_another_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 16, 16\)"):
        build(spec(), 0)(torch.zeros(1, 8, 16, 16))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "vjt"}, "unknown family 'vjt'"),
        ({"version": 0}, "version 0"),
        ({"size": 20}, "not divisible"),
        ({"depth": 0}, "at least 1"),
    ],
)
def test_a_wrong_spec_is_told_in_one_sentence(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        build(spec(**changes), 0)
    with pytest.raises(UserError, match="'depth' is missing"):
        build({key: value for key, value in spec().items() if key != "depth"}, 0)


@given(
    t=st.integers(1, 3),
    h=st.integers(1, 3),
    w=st.integers(1, 3),
    frames=st.integers(1, 3),
    size=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_patches_cut_a_clip_without_loss(t: int, h: int, w: int, frames: int, size: int) -> None:
    clip = torch.arange(float(t * frames * h * size * w * size)).reshape(1, t * frames, h * size, w * size)
    cut = patches(clip, frames, size)
    assert cut.shape == (1, t * h * w, frames * size * size)
    for token, (i, j, k) in enumerate(np.ndindex(t, h, w)):
        here = clip[0, i * frames : (i + 1) * frames, j * size : (j + 1) * size, k * size : (k + 1) * size]
        assert torch.equal(cut[0, token], here.reshape(-1))


@pytest.mark.parametrize("width", [16, 32, 256])
def test_every_place_has_a_position_of_its_own(width: int) -> None:
    table = positions((8, 4, 4), width)
    assert table.shape == (128, width)
    distances = torch.cdist(table, table) + 10 * torch.eye(128)
    assert distances.min() > 0.3


def test_groups_hold_every_parameter_once_with_the_values_of_the_ladder() -> None:
    model = build(spec(depth=4), 0)
    groups = {group["name"]: group for group in parameter_groups([model], model.scale.multipliers, 1e-3, 0.1)}
    held = [id(p) for group in groups.values() for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert {name: (g["lr"], g["weight_decay"]) for name, g in groups.items()} == {
        "hidden": (2.5e-4, 0.4),
        "embedding": (1e-3, 0.1),
        "vector": (1e-3, 0.0),
    }
    assert all(p.ndim == 2 for name in ("hidden", "embedding") for p in groups[name]["params"])


def update_size(depth: int, multipliers: Multipliers | None) -> float:
    """RMS change of the last block's output over three steps of Adam, the coordinate check of muP."""
    model, clip = build(spec(depth), 0), clips(8)
    target = torch.randn(8, model.tokens, 1, generator=torch.Generator().manual_seed(1))
    groups = parameter_groups([model], multipliers or model.scale.multipliers, 4e-3, 0.0)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    before = model.layers(clip)[-1].detach()
    for _ in range(3):
        (model(clip).mean(-1, keepdim=True) - target).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    return (model.layers(clip)[-1].detach() - before).square().mean().sqrt().item()


def test_updates_are_of_one_size_at_every_depth_with_mup_and_grow_without() -> None:
    with_mup = [update_size(depth, None) for depth in (1, 2, 4, 8)]
    without = [update_size(depth, Multipliers(1.0, 1.0)) for depth in (1, 8)]
    assert max(with_mup) / min(with_mup) < 2
    assert without[1] / without[0] > 1.5 * with_mup[3] / with_mup[0]
    assert math.isfinite(sum(with_mup))
