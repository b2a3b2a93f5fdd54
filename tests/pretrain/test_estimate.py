"""The ladder is priced before anything runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pretrain.moving_squares import CONFIG
from transferscale.pretrain import estimate
from transferscale.pretrain.estimate import Speed, clips_a_trunk, ladder_text, probes, study_scale
from transferscale.study.load import load_study


@given(st.floats(1e-6, 1e-2), st.floats(1e-13, 1e-9), st.floats(1e6, 1e9))
def test_two_points_give_overhead_and_slope_back(overhead: float, slope: float, flops: float) -> None:
    line = Speed(overhead, slope)
    found = Speed.through([(x, line.seconds(x)) for x in (flops, 20 * flops)])
    assert found.seconds(100 * flops) == pytest.approx(line.seconds(100 * flops), rel=1e-3)


def test_noise_never_gives_a_negative_price() -> None:
    for slow in (0.5, 1.0, 40.0):
        found = Speed.through([(1e6, 1.0), (2e7, slow)])
        assert found.seconds(1.0) >= 0
        assert found.seconds(2e7) == pytest.approx(slow)
    assert Speed.through([(1e6, 1.0)]).seconds(3e6) == pytest.approx(3.0)


def test_clips_are_those_of_the_trunk_and_of_every_decay() -> None:
    # 0.8 of the last budget for the trunk, 0.2 of every budget for the decays, in whole batches.
    study = load_study(CONFIG)
    budgets = [study.pretrain.budgets.at(rung) for rung in (1, 2, 3)]
    expected = 0.8 * budgets[-1] + 0.2 * sum(budgets)
    assert clips_a_trunk(study) == pytest.approx(expected, abs=2 * study.pretrain.batch)


def test_the_measured_depths_are_small() -> None:
    study = load_study(CONFIG)
    scales = [study_scale(study, depth) for depth in (1, 2, 3, 4, 6, 8)]
    assert [s.depth for s in probes(scales)] == [1, 4]
    assert [s.depth for s in probes(scales[5:])] == [8]


def test_the_ladder_names_every_depth_with_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "MEASURE_S", 0.05)
    study = load_study(CONFIG)
    lines = ladder_text(study).splitlines()
    body = {int(line.split()[0]): line.split() for line in lines[2:-2]}
    assert sorted(body) == study.pretrain.vit.depths
    for depth, cells in body.items():
        assert cells[3] == f"{study_scale(study, depth).params_encoder:,}"
        assert float(cells[-1].replace(",", "")) > 0
