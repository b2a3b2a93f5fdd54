"""Axes hold what is drawn on them, and names beside curves do not overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.scaling.pictures.layout import shared
from transferscale.scaling.pictures.plane import LINE, Axis, Plane, apart

VALUES = st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=8)


@given(values=VALUES, log=st.booleans())
def test_an_axis_has_room_for_its_values(values: list[float], log: bool) -> None:
    axis = Axis.around("x", np.array(values), log)
    assert all(0 < axis.share(value) < 1 for value in values)
    assert axis.share(axis.value(axis.share(values[0]))) == pytest.approx(axis.share(values[0]))


@given(
    wanted=st.lists(st.floats(0, 230), min_size=1, max_size=12),
    lines=st.lists(st.integers(1, 3), min_size=12, max_size=12),
)
def test_names_of_curves_do_not_overlap_and_stay_where_there_is_room(
    wanted: list[float], lines: list[int]
) -> None:
    heights, sizes = np.sort(wanted), LINE * np.array(lines[: len(wanted)], dtype=float)
    places = apart(heights, sizes, 230)
    needed = (sizes[1:] + sizes[:-1]) / 2
    assert (np.diff(places) >= needed - 1e-6).all()
    assert places[-1] <= 230 + 1e-6
    if (np.diff(heights) >= needed).all():
        assert places == pytest.approx(heights)


def test_panels_share_an_axis_unless_one_would_use_little_of_it() -> None:
    near = [Axis("x", 1, 100, True), Axis("x", 2, 150, True)]
    assert shared(near) == [Axis("x", 1, 150, True)] * 2
    apart = [Axis("x", 1, 100, True), Axis("x", 1e6, 1e8, True)]
    assert shared(apart) == apart


def test_a_range_beyond_the_axis_is_cut() -> None:
    plane = Plane(Axis("x", 1, 10, True), Axis("y", 0, 1, False), 300, 230)
    (rows,) = plane.column(0.1, 5).to_dict()["datasets"].values()
    assert list(rows) == [{"x": 1, "x2": 5}]
