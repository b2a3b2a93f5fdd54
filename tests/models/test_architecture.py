"""The shape of a network outside the ladder travels as JSON."""

import json
from typing import Any

import pytest

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.models.architecture import KEYS, scale_from, spec_of
from transferscale.models.build import build, scale_of

SCALE = Scale(
    family="vit",
    depth=2,
    width=24,
    heads=3,
    mlp=40,
    frames=4,
    size=16,
    tubelet_frames=2,
    tubelet_size=8,
    channels=3,
    qk_norm=False,
    qkv_bias=True,
    eps=1e-12,
    final_norm=False,
    positions="sinusoid",
)


def test_a_shape_comes_back_from_json_as_it_was() -> None:
    spec = json.loads(json.dumps(spec_of(SCALE)))
    assert scale_of(spec) == SCALE
    assert build(spec, 0).scale == SCALE


def changed(**changes: Any) -> dict[str, Any]:
    return {**spec_of(SCALE)["architecture"], **changes}


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        (changed(dept=2), r"unknown key 'architecture\.dept'; did you mean 'depth'"),
        ({key: value for key, value in changed().items() if key != "eps"}, r"'architecture\.eps' is missing"),
        (changed(width="24"), r"key 'architecture\.width'"),
        (changed(positions="rotatory"), "unknown architecture.positions 'rotatory'; did you mean 'rotary'"),
        (changed(depth=0), r"'architecture\.depth' must be at least 1"),
        (changed(heads=5), "heads must divide"),
        (changed(size=20), "tubelet must divide"),
        (changed(multipliers=None), r"unknown key 'architecture\.multipliers'"),
    ],
)
def test_a_wrong_shape_is_told_in_one_sentence(architecture: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        scale_from(architecture)


def test_every_part_of_the_shape_but_the_multipliers_travels() -> None:
    assert set(KEYS) == set(Scale.__dataclass_fields__) - {"multipliers"}
