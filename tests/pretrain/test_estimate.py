"""The ladder is priced before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.pretrain.moving_squares import CONFIG
from transferscale.errors import UserError
from transferscale.ladder import scale
from transferscale.pretrain import calibration
from transferscale.pretrain.calibration import MEASURE_FLOPS, Speed, probes
from transferscale.pretrain.estimate import clips_of, evaluated, ladder_text, refuse_what_cannot_run
from transferscale.study.load import load_study
from transferscale.study.study import Study
from transferscale.study.trunks import ladder_trunks


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """The demo's study with a changed ``pretrain``; nothing is measured for long."""
    monkeypatch.setattr(calibration, "MEASURE_S", 0.05)
    monkeypatch.chdir(CONFIG.parents[1])

    def changed(**pretrain: Any) -> Study:
        values = yaml.safe_load(CONFIG.read_text())
        values["pretrain"].update(pretrain)
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_study(path)

    return changed


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
    assert clips_of(study, ladder_trunks(study)[0]) == pytest.approx(expected, abs=2 * study.pretrain.batch)


def test_the_smallest_network_is_measured_and_the_largest_that_is_quick() -> None:
    assert probes({1: 10, 4: 1000, 8: 10**9}) == [1, 8]
    assert probes({1: 10, 4: 1000, 8: 2 * int(MEASURE_FLOPS["cpu"])}) == [1, 4]
    assert probes({8: 2 * int(MEASURE_FLOPS["cpu"])}) == [8]


def test_the_ladder_names_every_network_with_its_parameters(study: Callable[..., Study]) -> None:
    found = study(convnet={"depths": [1, 2]}, precision="fp32")
    lines = ladder_text(found, price_hour=2.0).splitlines()
    body = {tuple(line.split()[:2]): line.split() for line in lines[2:-2]}
    wanted = [(family, depth) for family, ladder in found.families.items() for depth in ladder.depths]
    assert sorted(body) == sorted((family, str(depth)) for family, depth in wanted)
    for family, depth in wanted:
        cells = body[family, str(depth)]
        assert cells[3] == f"{scale(depth, 16, 32, {'frames': 2, 'size': 8}, family).params_encoder:,}"
        assert float(cells[-1].replace(",", "")) > 0
    assert "at 2 an hour" in lines[-1]


def test_trunks_beside_the_ladder_are_priced_too(study: Callable[..., Study]) -> None:
    found = study(
        fractions=[0.25],
        fraction_runs={"depths": [2], "rungs": [1]},
        overfit={"depths": [1], "fraction": 0.05, "budget": 6400},
    )
    lines = ladder_text(found).splitlines()
    assert any(line.startswith("vit fraction 0.25") for line in lines)
    assert any(line.startswith("vit fraction 0.05") and " 6,400 " in line for line in lines)


def test_what_does_not_fit_is_marked_and_refused(study: Callable[..., Study]) -> None:
    found = study(vit={"depths": [1, 2, 3, 4, 5, 6, 400]})
    marked = [line for line in ladder_text(found).splitlines() if " ! " in line]
    assert [line.split()[1] for line in marked] == ["400"]
    with pytest.raises(
        UserError, match=r"pretrain.vit.depths: depth 400 .* needs at least .* GB .* leave the depth out"
    ):
        refuse_what_cannot_run(found)


def test_probes_and_held_out_clips_are_counted() -> None:
    study = load_study(CONFIG)
    trunk = ladder_trunks(study)[0]
    # 3 rungs x 128 held-out clips; probes at steps 1, 2, 3, 4, 5, 7, 10, 15, 22, 32, 47 of 64, each of 64 clips.
    assert evaluated(study, trunk) == 3 * 128 + 11 * 64
