"""Tables of positions are those that networks were trained with, and go to other grids by one rule."""

import pytest
import torch
from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

from transferscale.models.positions import interpolate, position_table, sinusoid


@pytest.mark.parametrize(("tokens", "width"), [(8, 48), (1568, 768), (5, 7)])
def test_the_table_of_positions_is_that_of_transformers(tokens: int, width: int) -> None:
    expected = get_sinusoid_encoding_table(tokens, width)[0]
    torch.testing.assert_close(sinusoid((tokens, 1, 1), width), expected, rtol=0, atol=1e-7)


def test_interpolated_positions_of_a_linear_table_stay_linear_inside() -> None:
    old, new = (4, 4, 6), (8, 2, 3)
    axes = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in old], indexing="ij")
    table = torch.stack([axis.reshape(-1) for axis in axes], dim=1)
    moved = interpolate(table, old, new).reshape(*new, 3)
    # Token centres: a coarser row lies between two fine ones, a finer time a quarter beside a coarse one.
    assert moved[1:-1, 0, 0, 0].tolist() == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75]
    assert moved[0, :, 0, 1].tolist() == [0.5, 2.5]
    assert moved[0, 0, :, 2].tolist() == [0.5, 2.5, 4.5]
    assert interpolate(table, old, old) is table


def test_nothing_is_added_where_queries_and_keys_turn() -> None:
    assert not position_table("rotary", (2, 3, 3), 12).any()
    assert position_table("axes", (2, 3, 3), 12).any()
