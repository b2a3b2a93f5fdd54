"""Both families do what their pages say."""

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
from transferscale.models.mup import Filter, Linear, parameter_groups
from transferscale.models.patches import patches, positions
from transferscale.models.seen import Seen
from transferscale.versions import STAGE_VERSION


def spec(depth: int = 2, **changes: Any) -> dict[str, Any]:
    base = {"version": STAGE_VERSION["models"], "family": "vit", "depth": depth, "frames": 4, "size": 16}
    return {**base, "tubelet": {"frames": 2, "size": 8}, **changes}


NETWORKS = [
    {"family": "vit"},
    {"family": "vit", "attention": "factorised"},
    {"family": "vit", "qk_norm": False},
    {"family": "convnet"},
]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: "-".join(map(str, n.values())))


def clips(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@every_network
def test_weights_depend_on_the_seed_alone_and_leave_the_global_state_alone(network: dict[str, Any]) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again, other = (build(spec(**network), seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for (name, a), b, c in zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c) != (a.ndim >= 2), name


@every_network
def test_no_weight_is_left_undefined(network: dict[str, Any]) -> None:
    # Matrices and filters are drawn with SD fan_in^-1/2; everything else is at zero or one.
    for module in build(spec(depth=4, **network), 0).modules():
        if isinstance(module, Linear):
            assert module.weight.std().item() == pytest.approx(module.in_features**-0.5, rel=0.05)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, Filter):
            assert module.weight.std().item() == pytest.approx(module.taps**-0.5, rel=0.15)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, torch.nn.LayerNorm):
            assert (module.weight == 1).all()


@every_network
def test_what_is_not_seen_has_no_influence(network: dict[str, Any]) -> None:
    model, clip = build(spec(**network), 0), clips()
    # Places 0 and 3 at both times; the block of place 1 and, in the second case, the second time step are hidden.
    spoiled = clip.clone()
    spoiled[:, :, :8, 8:] += 100.0
    seen = Seen(2, torch.tensor([[0, 3]]).expand(3, -1))
    assert torch.equal(model(clip, seen), model(spoiled, seen))
    assert not torch.equal(model(clip), model(spoiled))
    late = clip.clone()
    late[:, 2:] += 100.0
    first = Seen(1, torch.arange(4).expand(3, -1))
    assert torch.equal(model(clip, first), model(late, first))


@every_network
def test_to_see_everything_is_to_encode_the_clip(network: dict[str, Any]) -> None:
    model, clip = build(spec(**network), 0), clips()
    everything = Seen(2, torch.arange(4).expand(3, -1))
    torch.testing.assert_close(model(clip, everything), model(clip))


@pytest.mark.parametrize("network", NETWORKS[:3], ids=["joint", "factorised", "no-norm"])
def test_attention_does_not_care_in_which_order_places_are_given(network: dict[str, Any]) -> None:
    model, clip = build(spec(**network), 0), clips()
    one, other = (Seen(2, torch.tensor([order]).expand(3, -1)) for order in ([0, 3, 2], [3, 2, 0]))
    encoded, again = model(clip, one), model(clip, other)
    back = again.unflatten(1, (2, 3))[:, :, [2, 0, 1]].flatten(1, 2)
    torch.testing.assert_close(encoded, back, rtol=1e-4, atol=1e-5)


def test_a_convnet_mixes_neighbours_in_space_and_time_and_nothing_beyond() -> None:
    model = build(spec(depth=1, family="convnet", frames=8, size=32), 0)
    with torch.no_grad():  # else the response norm, which looks at all tokens, is silent anyway
        assert not model.blocks[0].response.gamma.any()
    clip = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    changed = clip.clone()
    changed[:, :2, :8, :8] += 1.0  # token 0 of a grid of 4 x 4 x 4
    moved = (model(clip) - model(changed)).abs().amax(dim=(0, 2)).reshape(4, 4, 4) > 1e-6
    expected = torch.zeros(4, 4, 4, dtype=torch.bool)
    expected[:2, :2, :2] = True
    assert torch.equal(moved, expected)


def test_response_normalisation_lets_a_convnet_see_the_whole_clip() -> None:
    model = build(spec(depth=1, family="convnet", frames=8, size=32), 0)
    with torch.no_grad():
        model.blocks[0].response.gamma.fill_(0.5)
    clip = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    changed = clip.clone()
    changed[:, :2, :8, :8] += 1.0
    assert ((model(clip) - model(changed)).abs().amax(dim=2) > 0).all()


@every_network
def test_layers_are_the_embedding_and_every_block_and_end_in_the_output(network: dict[str, Any]) -> None:
    model, clip = build(spec(depth=3, **network), 0), clips()
    layers = model.layers(clip)
    assert [tuple(layer.shape) for layer in layers] == [(3, model.tokens, 96)] * 4
    torch.testing.assert_close(model.norm(layers[-1]), model(clip))


@every_network
def test_gradients_reach_every_parameter(network: dict[str, Any]) -> None:
    model = build(spec(**network), 0)
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
        ({"attention": "linear"}, "unknown attention 'linear'"),
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


@every_network
def test_groups_hold_every_parameter_once_with_the_values_of_the_ladder(network: dict[str, Any]) -> None:
    model = build(spec(depth=4, **network), 0)
    groups = {group["name"]: group for group in parameter_groups([model], model.scale.multipliers, 1e-3, 0.1)}
    held = [id(p) for group in groups.values() for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert {name: (g["lr"], g["weight_decay"]) for name, g in groups.items()} == {
        "hidden": (2.5e-4, 0.4),
        "embedding": (1e-3, 0.1),
        "vector": (1e-3, 0.0),
    }
    assert all(p.ndim == 2 for name in ("hidden", "embedding") for p in groups[name]["params"])


def update_size(network: dict[str, Any], depth: int, multipliers: Multipliers | None) -> float:
    """RMS change of the last block's output over three steps of Adam, the coordinate check of muP."""
    model, clip = build(spec(depth, **network), 0), clips(8)
    target = torch.randn(8, model.tokens, 1, generator=torch.Generator().manual_seed(1))
    groups = parameter_groups([model], multipliers or model.scale.multipliers, 4e-3, 0.0)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    before = model.layers(clip)[-1].detach()
    for _ in range(3):
        (model(clip).mean(-1, keepdim=True) - target).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    return (model.layers(clip)[-1].detach() - before).square().mean().sqrt().item()


@every_network
def test_updates_are_of_one_size_at_every_depth_with_mup_and_grow_without(network: dict[str, Any]) -> None:
    with_mup = [update_size(network, depth, None) for depth in (1, 2, 4, 8)]
    without = [update_size(network, depth, Multipliers(1.0, 1.0)) for depth in (1, 8)]
    assert max(with_mup) / min(with_mup) < 2
    assert without[1] / without[0] > 1.5 * with_mup[3] / with_mup[0]
    assert math.isfinite(sum(with_mup))
