"""One dial, and what follows from it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.ladder import FAMILIES, scale

TUBELET = {"frames": 2, "size": 8}


@given(depth=st.integers(1, 48))
@settings(max_examples=20)
def test_heads_divide_the_width_at_any_depth(depth: int) -> None:
    ladder = scale(depth, 16, 32, TUBELET)
    assert ladder.width == 32 * ladder.heads
    assert ladder.decoder_width % depth == 0


@given(depth=st.integers(1, 48), ratio=st.floats(0.01, 0.99))
def test_one_place_is_seen_and_one_is_masked_at_any_ratio(depth: int, ratio: float) -> None:
    ladder = scale(depth, 4, 16, TUBELET)
    assert 1 <= ladder.kept_places(ratio) <= ladder.places - 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_dial_reaches_from_thousands_to_a_billion_parameters(family: str) -> None:
    assert scale(1, 16, 32, TUBELET, family).params_encoder < 30_000
    assert scale(56, 16, 224, {"frames": 2, "size": 16}, family).params_encoder > 1e9
    sizes = [scale(depth, 16, 32, TUBELET, family).params_encoder for depth in range(1, 57)]
    assert sizes == sorted(sizes)


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


def test_a_clip_may_be_one_place_wide() -> None:
    assert scale(1, 16, 8, TUBELET).places == 1


def test_a_shape_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="not divisible"):
        scale(1, 15, 32, TUBELET)
    with pytest.raises(ValueError, match="at least 1"):
        scale(0, 16, 32, TUBELET)
    with pytest.raises(ValueError, match="unknown family"):
        scale(1, 16, 32, TUBELET, "resnet")
    with pytest.raises(ValueError, match="unknown attention"):
        scale(1, 16, 32, TUBELET, "vit", "linear")
