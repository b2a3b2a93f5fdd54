"""Which family to scale: planted crossings come back with honest intervals, and nothing is made up."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from transferscale.cli.scaling.compare import compare as verb
from transferscale.errors import UserError
from transferscale.scaling.comparisons.compare import Comparison, compare
from transferscale.scaling.comparisons.table import compare_table
from transferscale.scaling.fits.points import Points
from transferscale.scaling.metrics import Reals
from transferscale.tables import read_table

Law = Callable[[Reals], Reals]
SEEDS, SIZES = 12, np.geomspace(1e5, 1e7, 6)
# Losses that cross at 1e6, where both are 0.5.
CROSSING: dict[str, Law] = {
    "convnet": lambda x: 0.5 * (x / 1e6) ** -0.10,
    "vit": lambda x: 0.5 * (x / 1e6) ** -0.15,
}
DRAWS = 200


def points(
    curves: Mapping[str, Law],
    *,
    seed: int = 0,
    seeds: int = SEEDS,
    sizes: Reals = SIZES,
    shared: float = 0.03,
    own: float = 0.01,
    cluster: bool = True,
    pair: bool = True,
) -> dict[str, Points]:
    """Every size with every seed; ``shared`` noise of a seed is the same for all families."""
    rng = np.random.default_rng(seed)
    x, number = np.tile(sizes, seeds), np.repeat(np.arange(seeds), len(sizes))
    common = shared * rng.standard_normal(seeds)[number]
    labels = tuple(f"s{i}" for i in number)
    return {
        name: Points(
            group={},
            x=x[:, None],
            y=curve(x) * np.exp(common + own * rng.standard_normal(len(x))),
            cluster=labels if cluster else None,
            pair=labels if pair else None,
            weight=None,
            held=np.zeros(len(x), dtype=np.bool_),
            row=np.arange(len(x), dtype=np.int64) + 1,
            notes=(),
        )
        for name, curve in curves.items()
    }


def write(path: Path, families: Mapping[str, Points], **more: str) -> Path:
    """A table of points with the columns arch, params, seed, loss and constant ones."""
    lines = [",".join(["arch", "params", "seed", "loss", *more])]
    for name, own in families.items():
        labels = own.cluster or [""] * len(own.y)
        for x, label, y in zip(own.x[:, 0], labels, own.y, strict=True):
            lines.append(",".join([name, f"{x!r}", label, f"{y!r}", *more.values()]))
    path.write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")
    return path


def run(*arguments: str | Path) -> Any:
    """Standard output of the verb."""
    result = CliRunner().invoke(verb, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


COLUMNS = ("--x", "params", "--y", "loss", "--family", "arch", "--law", "power")


# What is planted comes back.


def test_a_planted_crossing_is_found_with_its_interval_and_verdict() -> None:
    found = compare(points(CROSSING), "power", target=1e9, bootstrap=DRAWS)
    (pair,) = found.pairs
    at = pair.crossover
    assert at.answer == "crossover"
    assert at.low is not None
    assert at.high is not None
    assert at.low < 1e6 < at.high
    assert pair.in_range
    assert pair.overtakes == "vit"
    assert found.p_none_in_range == 0
    assert found.p_better_at_target == {"convnet": 0.0, "vit": 1.0}
    assert found.verdict.startswith("beyond ")
    assert (
        "vit overtakes convnet; at 1e9 (an extrapolation 100 times beyond the data of convnet"
        in found.verdict
    )
    assert found.verdict.endswith("vit is better with probability above 0.995")


@pytest.mark.parametrize("pair", [True, False])
def test_intervals_cover_the_crossing(pair: bool) -> None:
    trials, covered = 20, 0
    for seed in range(trials):
        # Noise that families share belongs to paired draws alone.
        own = points(CROSSING, seed=seed, pair=pair, shared=0.03 if pair else 0.0, own=0.02)
        at = compare(own, "power", bootstrap=DRAWS, seed=seed).pairs[0].crossover
        assert at.low is not None
        assert at.high is not None
        covered += at.low <= 1e6 <= at.high
    # 20 trials at 95 %: 0.8 is three standard errors below.
    assert covered / trials >= 0.8


def test_paired_intervals_are_narrower_where_noise_is_shared() -> None:
    widths = []
    for pair in (True, False):
        at = compare(points(CROSSING, pair=pair), "power", bootstrap=DRAWS).pairs[0].crossover
        assert at.low is not None
        assert at.high is not None
        widths.append(np.log(at.high / at.low))
    assert widths[0] < 0.3 * widths[1]


def test_curves_that_do_not_cross_are_said_not_to() -> None:
    curves: dict[str, Law] = {"a": CROSSING["convnet"], "b": lambda x: 1.3 * CROSSING["convnet"](x)}
    found = compare(points(curves), "power", bootstrap=DRAWS)
    (pair,) = found.pairs
    assert pair.crossover.answer == "none in range"
    assert (pair.crossover.x, pair.in_range, found.p_none_in_range) == (None, False, 1.0)
    assert "none in range (1e5 to 1e7): a leads throughout with probability above 0.995" in found.verdict


@pytest.mark.parametrize("pair", [True, False])
def test_equal_families_yield_no_crossing(pair: bool) -> None:
    curves = {"a": CROSSING["vit"], "b": CROSSING["vit"]}
    answers = [
        compare(points(curves, seed=seed, pair=pair), "power", bootstrap=DRAWS, seed=seed).pairs[0].crossover
        for seed in range(10)
    ]
    # One in twenty is expected to look different; three of ten have a probability of 0.01.
    assert sum(one.answer != "not identified" for one in answers) < 3
    assert all(one.x is None for one in answers if one.answer == "not identified")


def test_the_same_runs_under_two_names_are_the_same_curve() -> None:
    own = points({"a": CROSSING["vit"]})["a"]
    found = compare({"a": own, "b": own}, "power", bootstrap=DRAWS)
    assert found.verdict.startswith("not identified because the curves of a and b are the same")
    assert found.p_better_at_target == {"a": 0.5, "b": 0.5}


def test_a_crossing_outside_of_the_data_is_flagged() -> None:
    curves: dict[str, Law] = {
        "a": lambda x: 0.5 * (x / 3e7) ** -0.10,
        "b": lambda x: 0.5 * (x / 3e7) ** -0.20,
    }
    inside = compare(points(curves), "power", bootstrap=DRAWS)
    wider = compare(points(curves), "power", bounds=(1e5, 1e9), bootstrap=DRAWS)
    for found in (inside, wider):
        at = found.pairs[0].crossover
        assert at.x == pytest.approx(3e7, rel=0.2)
        assert not found.pairs[0].in_range
        assert "times beyond the data of a and b" in found.verdict
    assert inside.p_none_in_range == 1
    assert "none in range" in inside.verdict
    assert wider.p_none_in_range == 0
    assert wider.verdict.startswith("beyond ")


def test_a_crossing_in_the_data_of_one_family_alone_is_flagged() -> None:
    own = points(CROSSING, sizes=np.geomspace(1e5, 1e7, 6))
    small = points(CROSSING, sizes=np.geomspace(1e4, 5e5, 6))
    found = compare({"convnet": small["convnet"], "vit": own["vit"]}, "power", bootstrap=DRAWS)
    (pair,) = found.pairs
    assert pair.crossover.answer == "crossover"
    assert not pair.in_range
    assert "times beyond the data of convnet)" in found.verdict.split(";")[1]


def test_a_range_that_leaves_the_crossing_out_has_none() -> None:
    found = compare(points(CROSSING), "power", bounds=(2e6, 1e7), bootstrap=DRAWS)
    assert found.p_none_in_range == 1
    assert not found.pairs[0].in_range
    assert "none in range (2e6 to 1e7)" in found.verdict


def test_three_families_are_compared_two_by_two_and_ranked_together() -> None:
    curves: dict[str, Law] = {**CROSSING, "mixer": lambda x: 0.6 * (x / 1e6) ** -0.15}
    found = compare(points(curves), "power", bootstrap=DRAWS)
    assert [pair.families for pair in found.pairs] == [
        ("convnet", "vit"),
        ("convnet", "mixer"),
        ("vit", "mixer"),
    ]
    assert sum(p for p in found.p_better_at_target.values() if p is not None) == pytest.approx(1)
    assert found.p_better_at_target["vit"] == 1
    assert found.verdict.startswith(
        "at 1e7 vit is best with probability above 0.995 (convnet below 0.005, mixer"
    )
    assert "convnet and vit: beyond" in found.verdict
    assert "vit and mixer: none in range" in found.verdict
    # convnet and vit cross in every draw
    assert found.p_none_in_range == 0


def test_where_only_one_end_is_known_that_end_is_told() -> None:
    # Beyond 1e5 vit leads; below, the two are as good as equal.
    curves: dict[str, Law] = {
        "convnet": lambda x: 0.1 + 0.5 * (x / 1e5) ** -0.40,
        "vit": lambda x: 0.1 + 0.5 * (x / 1e5) ** -0.43,
    }
    found = compare(points(curves, own=0.02), "power-floor", bootstrap=DRAWS)
    assert found.pairs[0].crossover.answer == "not identified"
    assert "vit leads from" in found.verdict
    assert "on, but which leads at 1e5 cannot be told; at 1e7 vit is better" in found.verdict


def test_of_scores_the_higher_one_is_better() -> None:
    losses = points(CROSSING, shared=0.01)
    scores = {name: Points(**{**vars(own), "y": 1 - own.y}) for name, own in losses.items()}
    low, high = (compare(own, "power", bootstrap=DRAWS) for own in (losses, scores))
    assert high.outcome.score
    assert not low.outcome.score
    for one in ("x", "low", "high"):
        ends = [getattr(found.pairs[0].crossover, one) for found in (low, high)]
        assert ends[0] == pytest.approx(ends[1], rel=1e-6)
    assert high.p_better_at_target == low.p_better_at_target
    (at_loss,), (at_score,) = low.pairs[0].multipliers, high.pairs[0].multipliers
    assert at_score.ratio == pytest.approx(at_loss.ratio, rel=1e-6)
    assert at_score.level == pytest.approx(1 - at_loss.level)


def test_a_family_that_is_larger_and_worse_does_not_make_a_loss_a_score() -> None:
    curves: dict[str, Law] = {"small": lambda x: 0.2 * x**-0.02, "large": lambda x: 0.9 * x**-0.02}
    own = {
        "small": points(curves, own=0.001, shared=0.0, sizes=SIZES)["small"],
        "large": points(curves, own=0.001, shared=0.0, sizes=SIZES * 1e3)["large"],
    }
    assert not compare(own, "power", bootstrap=0).outcome.score


def test_a_family_that_goes_the_other_way_is_told() -> None:
    curves: dict[str, Law] = {**CROSSING, "odd": lambda x: 0.1 * x**0.02}
    found = compare(points(curves), "power", bootstrap=0)
    assert any("goes the other way with scale in 'odd'" in text for text in found.pairs[0].warnings)


# Multipliers.


def test_the_multiplier_at_a_level_is_that_of_the_planted_laws() -> None:
    # 0.4 takes (0.5 / 0.4)^(1 / 0.10) and ^(1 / 0.15) times 1e6
    found = compare(points(CROSSING, own=1e-4, shared=1e-3), "power", levels=[0.4], bootstrap=DRAWS)
    (one,) = found.pairs[0].multipliers
    assert one.at == pytest.approx((1e6 * 1.25**10, 1e6 * 1.25 ** (1 / 0.15)), rel=0.01)
    assert one.ratio == pytest.approx(1.25 ** (10 - 1 / 0.15), rel=0.01)
    assert one.low is not None
    assert one.high is not None
    assert one.low < 1.25 ** (10 - 1 / 0.15) < one.high
    assert one.outside == {}


def test_by_default_the_level_is_the_best_that_both_reach() -> None:
    found = compare(points(CROSSING, own=1e-4, shared=1e-4), "power", bootstrap=DRAWS)
    (one,) = found.pairs[0].multipliers
    # convnet is the worse one at 1e7, and vit gets as far at 1e6 * 10^(0.10 / 0.15)
    assert one.level == pytest.approx(0.5 * 10**-0.1, rel=1e-3)
    assert one.at == pytest.approx((1e7, 1e6 * 10 ** (2 / 3)), rel=0.01)


def test_a_level_that_a_family_never_reaches_is_not_reached() -> None:
    curves: dict[str, Law] = {"floor": lambda x: 0.3 + 40 * x**-0.5, "deep": lambda x: 0.1 + 40 * x**-0.5}
    own = points(curves, own=0.003, shared=0.003)
    found = compare(own, "power-floor", levels=[0.15, 0.4], bootstrap=DRAWS)
    low, high = found.pairs[0].multipliers
    assert (low.ratio, low.unreached) == (None, ("floor",))
    # the interval says that it takes more than deep needs, without an end
    assert low.low is not None
    assert low.high is None
    assert high.ratio == pytest.approx(9, rel=0.1)


# What the answer does not depend on.


def test_order_of_rows_and_repetition_have_no_say() -> None:
    own = points(CROSSING, cluster=False, pair=False)
    rng = np.random.default_rng(0)
    mixed = {}
    for name, one in own.items():
        order = rng.permutation(len(one.y))
        mixed[name] = Points(**{**vars(one), "x": one.x[order], "y": one.y[order]})
    here, there = (compare(one, "power", bootstrap=DRAWS).as_json() for one in (own, mixed))
    assert json.dumps(here, allow_nan=False) == json.dumps(there, allow_nan=False)


@pytest.mark.parametrize(("x_unit", "y_unit"), [(1e-6, 1.0), (1e9, 250.0)])
def test_units_do_not_matter(x_unit: float, y_unit: float) -> None:
    own = points(CROSSING)
    scaled = {
        name: Points(**{**vars(one), "x": one.x * x_unit, "y": one.y * y_unit}) for name, one in own.items()
    }
    here, there = (compare(one, "power-floor", bootstrap=DRAWS).pairs[0] for one in (own, scaled))
    for one in ("x", "low", "high"):
        before, after = getattr(here.crossover, one), getattr(there.crossover, one)
        assert after == pytest.approx(before * x_unit, rel=1e-3)
    assert there.multipliers[0].ratio == pytest.approx(here.multipliers[0].ratio, rel=1e-3)
    assert there.p_better == here.p_better


# Few clusters, no draws.


def test_two_clusters_are_too_few() -> None:
    found = compare(points(CROSSING, seeds=2), "power", bootstrap=DRAWS)
    (pair,) = found.pairs
    assert pair.crossover.answer == "not identified"
    assert (pair.crossover.x, pair.in_range, found.p_none_in_range) == (None, False, None)
    assert "convnet has 2 clusters and vit has 2 clusters, too few for an interval" in found.verdict
    assert found.p_better_at_target == {"convnet": None, "vit": None}
    # what the fitted curves do is still there to see
    assert len(pair.crossover.roots) == 1


def test_clusters_that_share_a_pair_count_once() -> None:
    own = points(CROSSING, seeds=6)
    coarse = {
        name: Points(**{**vars(one), "pair": tuple("ab"[int(label[1:]) % 2] for label in one.pair or ())})
        for name, one in own.items()
    }
    found = compare(coarse, "power", bootstrap=DRAWS)
    assert "convnet has 2 clusters" in found.verdict
    assert any("its 6 clusters share 2 pairs" in text for text in found.pairs[0].warnings)


def test_five_clusters_are_said_to_be_unreliable() -> None:
    found = compare(points(CROSSING, seeds=5), "power", bootstrap=DRAWS)
    assert found.verdict.endswith("unreliable for want of clusters (fewer than 10: convnet 5, vit 5)")


def test_pairs_that_do_not_match_and_clusters_that_do_are_told() -> None:
    own = points(CROSSING)
    renamed = Points(**{**vars(own["vit"]), "pair": tuple(f"v{label}" for label in own["vit"].pair or ())})
    found = compare({"convnet": own["convnet"], "vit": renamed}, "power", bootstrap=DRAWS)
    assert any("no pair in common" in text for text in found.pairs[0].warnings)
    found = compare(points(CROSSING, pair=False), "power", bootstrap=DRAWS)
    assert any("name them in --pair" in text for text in found.pairs[0].warnings)


def test_without_draws_the_fitted_curves_decide() -> None:
    found = compare(points(CROSSING), "power", bootstrap=0)
    at = found.pairs[0].crossover
    assert at.x == pytest.approx(1e6, rel=0.3)
    assert (at.low, at.high, found.p_none_in_range) == (None, None, None)
    assert found.pairs[0].in_range
    assert "(no interval) vit overtakes convnet" in found.verdict


def test_a_choice_of_laws_can_be_compared_as_well() -> None:
    found = compare(points(CROSSING, own=0.002, shared=0.002), "auto", bootstrap=0, starts=4)
    assert found.pairs[0].crossover.x == pytest.approx(1e6, rel=0.1)


# The command.


def test_the_command_prints_the_keys_of_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "runs.csv", points(CROSSING))
    found = json.loads(run("runs.csv", *COLUMNS, "--pair", "seed", "--bootstrap", "50"))
    assert set(found) == {"crossovers", "p_none_in_range", "p_better_at_target", "verdict"}
    (one,) = found["crossovers"]
    assert {"families", "x", "low", "high", "in_range"} <= set(one)
    assert one["families"] == ["convnet", "vit"]
    assert one["in_range"] is True
    assert one["low"] <= one["x"] <= one["high"]


def test_the_command_gives_the_same_bytes_again(tmp_path: Path) -> None:
    table = write(tmp_path / "runs.csv", points(CROSSING))
    more = ("--cluster", "seed", "--bootstrap", "50", "--out")
    first = run(table, *COLUMNS, *more, tmp_path / "a.parquet")
    assert run(table, *COLUMNS, *more, tmp_path / "b.parquet") == first
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_groups_are_compared_one_by_one(tmp_path: Path) -> None:
    parallel: dict[str, Law] = {"convnet": CROSSING["convnet"], "vit": lambda x: 2 * CROSSING["convnet"](x)}
    one = write(tmp_path / "one.csv", points(CROSSING), task="age").read_text()
    two = write(tmp_path / "two.csv", points(parallel), task="film").read_text()
    three = write(tmp_path / "three.csv", {"vit": points(CROSSING)["vit"]}, task="lone").read_text()
    table = tmp_path / "runs.csv"
    table.write_text(one + two.partition("\n")[2] + three.partition("\n")[2])
    out = tmp_path / "crossovers.parquet"
    result = CliRunner().invoke(
        verb, [str(table), *COLUMNS, "--group", "task", "--bootstrap", "50", "--out", str(out)]
    )
    found = json.loads(result.stdout)
    assert [part["group"] for part in found] == [{"task": "age"}, {"task": "film"}]
    assert found[1]["crossovers"][0]["answer"] == "none in range"
    assert "task = lone: column 'arch' names one family, 'vit'; a comparison needs two" in result.stderr
    rows = read_table(out, "crossovers").to_pylist()
    assert [(row["group"], row["family_a"], row["family_b"]) for row in rows] == [
        ("task = age", "convnet", "vit"),
        ("task = film", "convnet", "vit"),
    ]
    text = run(table, *COLUMNS, "--group", "task", "--bootstrap", "0", "--format", "csv")
    assert text.splitlines()[0].startswith(
        "task,x_column,y_column,law,family_a,family_b,answer,overtakes,x,low"
    )
    assert len(text.splitlines()) == 3


def test_a_table_for_people_shows_verdict_multiplier_and_warnings(tmp_path: Path) -> None:
    table = write(tmp_path / "runs.csv", points(CROSSING, seeds=5))
    text = run(table, *COLUMNS, "--pair", "seed", "--bootstrap", "50", "--format", "table")
    assert "beyond " in text
    assert "times (95 % " in text
    assert "the params of vit" in text
    assert "warning: convnet: " in text


def test_a_family_with_too_few_points_is_left_out_and_the_others_compared(tmp_path: Path) -> None:
    few = points({"mixer": CROSSING["vit"]}, sizes=np.array([1e5]))
    table = write(tmp_path / "runs.csv", {**points(CROSSING), **few})
    result = CliRunner().invoke(verb, [str(table), *COLUMNS, "--bootstrap", "50"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [one["families"] for one in found["crossovers"]] == [["convnet", "vit"]]
    assert "left out: 'mixer': column 'params' has one value" in found["verdict"]
    assert f"left out: {table}: 'mixer'" in result.stderr


def test_a_family_without_numbers_is_left_out_as_well(tmp_path: Path) -> None:
    table = write(tmp_path / "runs.csv", points(CROSSING))
    table.write_text(table.read_text() + "mixer,1e5,s0,\nmixer,1e6,s0,nan\n,1e6,s0,0.5\n")
    found, left_out = compare_table(table, "params", "loss", "arch", "power", bootstrap=0)
    assert len(found) == 1
    assert any("arch = mixer" in sentence for sentence in left_out)
    assert any("1 rows without a value in column 'arch'" in sentence for sentence in left_out)
    assert "left out: arch = mixer" in found[0].verdict


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--family", "arhc"), "column 'arhc' is missing; did you mean 'arch'?"),
        (("--family", "loss"), "column 'loss' is the scale or the outcome"),
        (("--law", "powre"), "law 'powre' is unknown; did you mean 'power'?"),
        (("--law", "transfer"), "law 'transfer' is one of several scales"),
        (("--range", "1e7", "1e5"), "--range 1e+07 100000: the first must lie below the second"),
        (("--range", "0", "1e5"), "--range 0 100000: scales must be above zero"),
        (("--target", "-1"), "--target must be a scale above zero, not -1"),
        (("--target", "nan"), "--target must be a scale above zero, not nan"),
        (("--level", "-0.5"), "a level of 'loss' must lie above zero"),
        (("--group", "arch"), "--group arch: the families are compared"),
        (("--family", "kind"), "column 'kind' names one family, 'x'; a comparison needs two"),
        (("--out", "crossovers.csv"), "name a .parquet file"),
        (("--law", "broken", "--breaks", "9"), "takes 0 to 3 breaks, not 9"),
        (("--cluster", "sede"), "column 'sede' is missing; did you mean 'seed'?"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    table = write(tmp_path / "runs.csv", points(CROSSING, seeds=3), kind="x")
    result = CliRunner().invoke(verb, [str(table), *COLUMNS, "--bootstrap", "0", *arguments])
    assert isinstance(result.exception, UserError)
    assert sentence in str(result.exception)
    assert "\n" not in str(result.exception)


def test_nothing_to_compare_is_one_sentence() -> None:
    own = points(CROSSING)
    with pytest.raises(UserError, match="there is one family, 'vit'; a comparison needs two"):
        compare({"vit": own["vit"]}, "power")
    with pytest.raises(UserError, match="there is no family"):
        compare({}, "power")


def test_a_comparison_imports_neither_torch_nor_scipy() -> None:
    code = "import sys, transferscale.scaling.comparisons.table; print({'torch', 'scipy', 'pandas'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_a_comparison_keeps_what_a_picture_needs() -> None:
    found: Comparison = compare(points(CROSSING), "power", bootstrap=DRAWS)
    assert list(found.fits) == ["convnet", "vit"]
    middle, low, high = found.fits["vit"].curve(SIZES)
    assert low is not None
    assert high is not None
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (found.window.low, found.window.high) == (1e5, 1e7)
