"""Plans: what was planted is found, what cannot be reached or known is not given a number."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scaling.results_folder import demo
from transferscale.artefacts import write_json
from transferscale.cli.scaling.plan import plan as verb
from transferscale.errors import UserError
from transferscale.scaling.plans.cost import Prices, Rate, given_rate, measured_rate, prices_of
from transferscale.scaling.plans.direction import concordance
from transferscale.scaling.plans.plan import Plan, plan
from transferscale.scaling.plans.study import plan_study, study_rate
from transferscale.scaling.plans.table import Columns, plan_table
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.plans.ways import (
    FRONTIER,
    INSIDE,
    LEAST,
    NOT_IDENTIFIED,
    NOT_REACHABLE,
    REACHABLE,
    Question,
    Runs,
    Way,
)
from transferscale.scaling.plans.words import extrapolated
from transferscale.study.study import Study
from transferscale.tables import TABLES, read_table, write_table

E, A, ALPHA, BETA = 0.15, 38.0, 0.1, 0.35
FLOPS, SUBJECTS = np.geomspace(1e13, 1e16, 10), np.array([8.0, 16.0, 32.0, 64.0, 128.0])
RATE = Rate(1e13, "planted")
AUROC = target_of("auroc", 0.75)


def auroc(error: np.ndarray) -> np.ndarray:
    return 1 - 0.5 * error


def surface(flops: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    return E + A * flops**-ALPHA * subjects**-BETA


def pretrained(noise: float = 0.0, seed: int = 0, trunks: np.ndarray = FLOPS) -> Runs:
    """Runs on the planted surface, the label counts of a trunk together."""
    rng = np.random.default_rng(seed)
    flops, subjects = (grid.ravel() for grid in np.meshgrid(trunks, SUBJECTS, indexing="ij"))
    trunk = np.repeat(np.arange(len(trunks)), len(SUBJECTS))
    wiggle = noise * (rng.standard_normal(len(trunks))[trunk] + 0.5 * rng.standard_normal(len(flops)))
    return Runs(
        "video", flops, subjects, auroc(surface(flops, subjects) * np.exp(wiggle)), tuple(map(str, trunk))
    )


def alone(factor: float = 1.45, noise: float = 0.0, seed: int = 1, name: str = "scratch") -> Runs:
    """Three runs without pretraining on a planted label curve."""
    rng = np.random.default_rng(seed)
    subjects = np.tile(SUBJECTS, 3)
    error = (E + factor * subjects**-BETA) * np.exp(noise * rng.standard_normal(len(subjects)))
    return Runs(
        name,
        np.zeros(len(subjects)),
        subjects,
        auroc(error),
        tuple(f"{name}{i}" for i in np.repeat([0, 1, 2], 5)),
    )


def least(prices: Prices, target: float, most_flops: float, most_subjects: float) -> tuple[float, ...]:
    """Cost, FLOPs and subjects of the cheapest way on the planted surface, by trying every label count."""
    subjects = np.arange(8, most_subjects + 1)
    left = (1 - target) / 0.5 - E
    flops = np.maximum((A / (left * subjects**BETA)) ** (1 / ALPHA), 1e13)
    cost = np.where(flops <= most_flops, prices.cost(flops, subjects), np.inf)
    best = int(cost.argmin())
    return float(cost[best]), float(flops[best]), float(subjects[best])


def way(found: Plan, arm: str, kind: str = LEAST) -> Way:
    one = next(option for option in found.options if option.arm == arm).way(kind)
    assert one is not None
    return one


# -- planted surfaces ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hour", "subject"), [(2000.0, 3.0), (200.0, 3.0), (20.0, 30.0)])
def test_the_cheapest_way_on_a_planted_surface_is_found(hour: float, subject: float) -> None:
    prices = Prices(RATE, hour, subject)
    found = plan([pretrained()], Question(AUROC, RATE, prices, bootstrap=0))
    cost, flops, subjects = least(prices, 0.75, 1e17, 1280)
    best = way(found, "video")
    assert best.status == REACHABLE
    assert best.cost.value == pytest.approx(cost, rel=2e-3)
    # The cost is flat around its least, so compute and subjects themselves are less sharp.
    assert best.subjects.value == pytest.approx(subjects, rel=0.05)
    assert best.flops.value == pytest.approx(flops, rel=0.2)
    assert best.hours.value == pytest.approx((best.flops.value or 0) / 1e13 / 3600)


def test_the_frontier_lies_on_the_planted_curve() -> None:
    found = plan([pretrained()], Question(AUROC, bootstrap=0))
    frontier = found.options[0].frontier
    assert len(frontier) == 8
    for one in frontier:
        flops, subjects = one.flops.value or 0.0, one.subjects.value or 0.0
        assert auroc(surface(np.array(flops), np.array(subjects + 0.01))) >= 0.75
        assert auroc(surface(np.array(flops), np.array(subjects - 1.01))) < 0.75


def test_a_sum_of_two_terms_is_planned_for_as_well() -> None:
    runs = pretrained()
    score = auroc(0.1 + 60 * runs.flops**-0.18 + 0.9 * runs.subjects**-0.4)
    summed = Runs("video", runs.flops, runs.subjects, score, runs.cluster)
    found = plan([summed], Question(target_of("auroc", 0.72), law="chinchilla", bootstrap=0))
    largest = found.options[0].frontier[5]
    left = (1 - 0.72) / 0.5 - 0.1 - 60 * (largest.flops.value or 0) ** -0.18
    assert largest.subjects.value == np.ceil((0.9 / left) ** (1 / 0.4))


def test_the_interval_of_the_cost_covers_the_truth() -> None:
    prices, trials = Prices(RATE, 40.0, 100.0), 20
    true = least(prices, 0.75, 1e17, 1280)[0]
    covered = 0
    for seed in range(trials):
        runs = pretrained(0.03, seed)
        cost = way(plan([runs], Question(AUROC, RATE, prices, bootstrap=100)), "video").cost
        assert cost.low is not None
        assert cost.high is not None
        covered += cost.low <= true <= cost.high
    # 20 trials at 95 %: 0.8 is three standard errors below.
    assert covered / trials >= 0.8


# -- labelling alone -------------------------------------------------------------------------------------------------


def test_labelling_alone_is_the_cheapest_where_compute_is_dear() -> None:
    dear = plan([pretrained(0.01), alone()], Question(AUROC, RATE, Prices(RATE, 1e6, 1.0), bootstrap=100))
    assert dear.best == "scratch"
    assert "labelling alone" in dear.words
    assert way(dear, "scratch").flops.value == 0
    assert dear.p_cheapest == {"scratch": 1.0, "video": 0.0}
    cheap = plan([pretrained(0.01), alone()], Question(AUROC, RATE, Prices(RATE, 1.0, 100.0), bootstrap=100))
    assert cheap.best == "video"


def test_without_prices_the_plan_says_when_pretraining_pays() -> None:
    found = plan([pretrained(0.01), alone()], Question(AUROC, RATE, bootstrap=100))
    own = way(found, "scratch", FRONTIER)
    assert own.subjects.value == np.ceil((1.45 / 0.35) ** (1 / BETA))
    saved = [
        (one.hours.value or 0) / ((own.subjects.value or 0) - (one.subjects.value or 0))
        for one in next(option for option in found.options if option.pretrained).frontier
        if (one.subjects.value or np.inf) < (own.subjects.value or 0)
    ]
    assert f"pretraining pays where a subject costs more than {min(saved):.3g} hours" in found.words
    assert way(found, "video", FRONTIER).cost.value is None


def test_labelling_alone_dominates_where_pretraining_hurts() -> None:
    found = plan([pretrained(0.01), alone(0.3)], Question(AUROC, bootstrap=100, beyond=1))
    assert "labelling alone is the cheapest at any price" in found.words


def test_the_best_of_several_baselines_is_named() -> None:
    arms = [alone(), alone(1.2, name="connectivity"), pretrained(0.01)]
    found = plan(arms, Question(AUROC, RATE, Prices(RATE, 1e6, 1.0), bootstrap=0))
    assert found.best == "connectivity"


# -- ends of the range -----------------------------------------------------------------------------------------------


def test_a_target_beyond_the_range_is_not_reachable_and_has_no_number() -> None:
    found = plan([pretrained(0.01), alone(noise=0.01)], Question(target_of("auroc", 0.93), bootstrap=100))
    assert {one.status for option in found.options for one in option.ways} == {NOT_REACHABLE}
    assert all(one.subjects.value is None for option in found.options for one in option.ways)
    assert (
        "not reachable in range, which ends at 1e+17 FLOPs of pretraining and 1,280 subjects" in found.words
    )


def test_without_extrapolation_the_same_target_is_out_of_range() -> None:
    target = target_of("auroc", 0.84)
    for beyond, status in ((1.0, NOT_REACHABLE), (10.0, REACHABLE)):
        found = plan([pretrained(0.003)], Question(target, bootstrap=100, beyond=beyond))
        assert found.options[0].frontier[5].status == status


def test_fewer_subjects_than_needed_make_it_unreachable() -> None:
    question = Question(AUROC, RATE, Prices(RATE, 1.0, 1.0), most_subjects=40, bootstrap=100)
    found = plan([pretrained(0.01), alone(noise=0.01)], question)
    assert way(found, "scratch").status == NOT_REACHABLE
    assert (way(found, "video").subjects.value or np.inf) <= 40


def test_what_suffices_at_the_smallest_scale_is_only_an_upper_bound() -> None:
    found = plan([alone()], Question(target_of("auroc", 0.55), bootstrap=0))
    one = way(found, "scratch", FRONTIER)
    assert (one.bound, one.subjects.value) == ("<=", 8)
    assert "at most 8 subjects" in found.words


def test_every_line_that_lies_beyond_the_data_says_how_far(tmp_path: Path) -> None:
    table = written(tmp_path, [pretrained(0.003), alone(noise=0.003)])
    done = run(table, "--target", "0.84", "--beyond", "30", "--price-gpu-hour", "1", "--price-subject", "50")
    assert done.exit_code == 0
    tree = json.loads(run(table, *prices(1, 50), "--target", "0.84", "--beyond", "30", layout="json").stdout)
    kinds = [one for option in tree[0]["options"] for one in option["ways"]]
    assert max(one["extrapolated"] for one in kinds) > 10
    for line in done.stdout.splitlines():
        if " FLOPs " in line and "subjects [" in line:
            flops = float(line.split(" FLOPs")[0].split()[-1])
            many = float(line.split(" subjects")[0].split()[-1].replace(",", ""))
            beyond = max(flops / 1e16, many / 128)
            told = [part for part in line.split(", ") if part.startswith("extrapolated")]
            assert len(told) == (beyond > 1.005)
            assert not told or float(told[0].split()[1]) == pytest.approx(beyond, rel=0.05)
    assert "extrapolated" in done.stdout.splitlines()[0]


def test_an_extrapolated_plan_is_told_with_the_cheapest_within_the_data() -> None:
    prices = Prices(RATE, 1.0, 1000.0)
    found = plan([pretrained(0.003)], Question(AUROC, RATE, prices, bootstrap=100))
    assert way(found, "video").extrapolated > 1
    inside = way(found, "video", INSIDE)
    assert inside.extrapolated == 1
    assert inside.cost.value == pytest.approx(least(prices, 0.75, 1e16, 128)[0], rel=0.05)
    assert extrapolated(inside) == ""
    assert f"x, within the data {inside.cost.value:,.0f}" in found.words


# -- what the data do not say ----------------------------------------------------------------------------------------


def test_noise_and_few_cells_give_no_number() -> None:
    rng = np.random.default_rng(3)
    flops, subjects = (grid.ravel() for grid in np.meshgrid([1e13, 1e14, 1e15], [8.0, 16.0], indexing="ij"))
    score = 0.6 + 0.08 * rng.standard_normal(len(flops))
    found = plan(
        [Runs("video", flops, subjects, score)], Question(target_of("auroc", 0.68), RATE, bootstrap=200)
    )
    assert found.words == "auroc 0.68: not identified, the draws do not agree on what it takes"
    told = {one.status for one in found.options[0].ways}
    assert NOT_IDENTIFIED in told
    assert REACHABLE not in told
    assert all(one.subjects.value is None for one in found.options[0].ways)


def test_compute_that_makes_no_difference_is_not_extrapolated() -> None:
    rng = np.random.default_rng(0)
    runs = pretrained()
    error = (0.15 + 1.1 * runs.subjects**-0.35) * np.exp(0.02 * rng.standard_normal(len(runs.flops)))
    flat = Runs("video", runs.flops, runs.subjects, auroc(error), runs.cluster)
    found = plan([flat], Question(AUROC, RATE, Prices(RATE, 1e-6, 100.0), bootstrap=200))
    assert all((one.flops.value or 0) <= 1e16 * (1 + 1e-9) for one in found.options[0].ways)
    assert "'flops' is not extrapolated, as its exponent is not identified" in found.options[0].warnings


def test_an_arm_that_cannot_be_fitted_is_named_and_the_others_are_planned_for() -> None:
    one_count = Runs("scratch", np.zeros(3), np.full(3, 16.0), np.array([0.7, 0.72, 0.69]))
    found = plan([pretrained(0.01), one_count], Question(AUROC, bootstrap=0))
    assert [option.refused for option in found.options] == [
        "all runs have 'flops' 0 and 'subjects' 16; a law needs several",
        "",
    ]
    with pytest.raises(UserError, match="scratch: all runs have"):
        plan([one_count], Question(AUROC, bootstrap=0))


def test_a_single_pretrained_model_has_a_label_curve() -> None:
    runs = pretrained(trunks=np.array([1e15]))
    drawn = Runs("video", runs.flops, runs.subjects, runs.score)
    found = plan([drawn], Question(AUROC, bootstrap=0))
    (only,) = found.options[0].frontier
    assert only.flops.value == 1e15
    assert only.subjects.value == np.ceil((A * 1e15**-ALPHA / 0.35) ** (1 / BETA))


# -- what must not matter --------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_rows_has_no_say(seed: int) -> None:
    runs = pretrained(0.02)
    order = np.random.default_rng(seed).permutation(len(runs.flops))
    assert runs.cluster is not None
    mixed = Runs(
        "video",
        runs.flops[order],
        runs.subjects[order],
        runs.score[order],
        tuple(runs.cluster[i] for i in order),
    )
    question = Question(AUROC, RATE, Prices(RATE, 10.0, 10.0), bootstrap=30)
    assert plan([mixed], question).as_json() == plan([runs], question).as_json()


@settings(max_examples=6, deadline=None)
@given(unit=st.floats(1e-22, 1e6))
def test_the_units_of_compute_and_money_do_not_matter(unit: float) -> None:
    runs = pretrained(0.02)
    here = plan([runs], Question(AUROC, RATE, Prices(RATE, 10.0, 10.0), bootstrap=0))
    rate = Rate(RATE.flops_per_second * unit, "")
    scaled = Runs("video", runs.flops * unit, runs.subjects, runs.score, runs.cluster)
    there = plan([scaled], Question(AUROC, rate, Prices(rate, 10.0 * unit, 10.0 * unit), bootstrap=0))
    one, other = way(here, "video"), way(there, "video")
    assert other.cost.value == pytest.approx((one.cost.value or 0) * unit, rel=1e-3)
    assert other.flops.value == pytest.approx((one.flops.value or 0) * unit, rel=0.02)
    assert other.hours.value == pytest.approx(one.hours.value, rel=0.02)


def test_a_loss_and_its_score_are_planned_for_alike() -> None:
    runs = pretrained(0.01)
    error = Runs("video", runs.flops, runs.subjects, (1 - runs.score) / 0.5, runs.cluster)
    one = plan([runs], Question(AUROC, bootstrap=30))
    other = plan([error], Question(target_of("loss", 0.5), bootstrap=30))
    here, there = (
        [way.subjects for option in found.options for way in option.ways] for found in (one, other)
    )
    assert here == there


def test_the_same_input_gives_the_same_plan_and_another_seed_another_interval() -> None:
    runs = [pretrained(0.02), alone(noise=0.02)]
    found = [plan(runs, Question(AUROC, bootstrap=50, seed=seed)).as_json() for seed in (0, 0, 1)]
    assert found[0] == found[1]
    assert found[0] != found[2]


# -- prices and rates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "hour", "subject", "sentence"),
    [
        (RATE, 2.0, None, "--price-gpu-hour needs --price-subject as well"),
        (RATE, None, 2.0, "--price-subject needs --price-gpu-hour as well"),
        (RATE, 0.0, 0.0, "both 0"),
        (RATE, -1.0, 2.0, "--price-gpu-hour must be a price of at least 0, not -1"),
        (None, 1.0, 2.0, "give --flops-per-second"),
    ],
)
def test_prices_that_compare_nothing_are_refused(
    rate: Rate | None, hour: float | None, subject: float | None, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        prices_of(rate, hour, subject)


def test_no_price_is_no_cost() -> None:
    assert prices_of(None, None, None) is None
    with pytest.raises(UserError, match="--flops-per-second must be above 0, not 0"):
        given_rate(0.0)


def test_the_measured_rate_is_that_of_the_largest_model(tmp_path: Path) -> None:
    rows = []
    for params, seed, speed in ((10, 0, 5.0), (20, 0, 100.0), (20, 1, 300.0)):
        name = f"d{params}-s{seed}"
        facts = {"train_s": 2.0, "clips_per_second": speed, "device": "cuda"}
        write_json(tmp_path / name / "model.json.prov.json", facts)
        rows.append({"params_total": params, "flops_formula": 1e6, "clips_seen": 1000, "path": name})
    found = measured_rate(rows, tmp_path)
    # 1000 FLOPs a clip; 200 and 600 clips in 2 seconds each.
    assert found.flops_per_second == pytest.approx(200e3)
    assert found.source == "2e+05 FLOP/s as measured over 2 runs of the largest model on cuda"
    (tmp_path / "d20-s1" / "model.json.prov.json").unlink()
    with pytest.raises(UserError, match=r"d20-s1.*no such file.*--flops-per-second"):
        measured_rate(rows, tmp_path)


# -- a table ---------------------------------------------------------------------------------------------------------


def written(folder: Path, arms: list[Runs], **more: Any) -> Path:
    """A CSV of runs."""
    path = folder / "runs.csv"
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["flops", "n_labels", "score", "arm", "trunk", *more])
        for runs in arms:
            for i in range(len(runs.flops)):
                cluster = runs.cluster[i] if runs.cluster else ""
                out.writerow(
                    [runs.flops[i], runs.subjects[i], runs.score[i], runs.arm, cluster, *more.values()]
                )
    return path


def prices(hour: float, subject: float) -> tuple[str, ...]:
    return "--price-gpu-hour", str(hour), "--price-subject", str(subject)


def run(table: Path, *arguments: str, layout: str = "table") -> Result:
    common = ["--metric", "auroc", "--bootstrap", "60", "--flops-per-second", "1e13", "--format", layout]
    return CliRunner().invoke(verb, [str(table), *common, "--cluster", "trunk", "--arm", "arm", *arguments])


def test_a_table_gives_the_plan_of_its_arms(tmp_path: Path) -> None:
    arms = [pretrained(0.01), alone(noise=0.01)]
    (found,), refused = plan_table(
        written(tmp_path, arms),
        Question(AUROC, bootstrap=30, names=("flops", "n_labels")),
        Columns(arm="arm", cluster="trunk"),
    )
    assert refused == []
    direct = plan(arms, Question(AUROC, bootstrap=30, names=("flops", "n_labels")))
    assert found.as_json() == direct.as_json()


def test_without_an_arm_column_runs_are_pretrained_or_not(tmp_path: Path) -> None:
    path = written(tmp_path, [pretrained(0.01), alone(noise=0.01)])
    (found,), _ = plan_table(path, Question(AUROC, bootstrap=0), Columns())
    assert [option.arm for option in found.options] == ["no pretraining", "pretraining"]


def test_the_verb_prints_tables_json_and_csv_and_writes_parquet(tmp_path: Path) -> None:
    table = written(tmp_path, [pretrained(0.01), alone(noise=0.01)])
    out = tmp_path / "plan.parquet"
    done = run(table, "--target", "0.75", *prices(1, 50), "--out", str(out))
    assert done.exit_code == 0
    assert done.stdout.startswith("auroc 0.75: least cost ")
    rows = read_table(out, "plan").to_pylist()
    assert list(rows[0]) == list(TABLES["plan"].columns)
    assert sum(row["best"] for row in rows) == 1
    text = run(table, "--target", "0.75", *prices(1, 50), layout="csv").stdout
    assert len(list(csv.DictReader(text.splitlines()))) == len(rows)
    (tree,) = json.loads(run(table, "--target", "0.75", *prices(1, 50), layout="json").stdout)
    assert tree["best"] == "video"
    assert tree["flop_rate"] == "1e+13 FLOP/s as given"


def test_json_has_null_for_an_end_beyond_the_range(tmp_path: Path) -> None:
    table = written(tmp_path, [alone(noise=0.03)])
    text = run(table, "--target", "0.86", layout="json").stdout
    assert "Infinity" not in text
    (tree,) = json.loads(text)
    assert tree["options"][0]["ways"][0]["subjects"]["high"] is None


def test_groups_are_planned_for_alone_and_a_bad_one_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    lines = ["task,flops,n_labels,score"]
    lines += [f"age,0,{n:g},{auroc(0.15 + 1.4 * n**-0.35):.6f}" for n in SUBJECTS]
    lines += ["sex,0,8,0.6", "sex,0,16,0.7"]
    path.write_text("\n".join(lines) + "\n")
    plans, refused = plan_table(path, Question(AUROC, bootstrap=0), Columns(), ["task"])
    assert [one.group for one in plans] == [{"task": "age"}]
    assert refused == [
        f"{path}, task = sex: no pretraining: 'subjects' has 2 different values; a curve needs 3"
    ]


def test_a_column_of_metrics_is_filtered(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    lines = ["metric,flops,n_labels,score"]
    for n in SUBJECTS:
        lines += [f"auroc,0,{n:g},{auroc(0.15 + 1.4 * n**-0.35):.6f}", f"accuracy,0,{n:g},0.5"]
    path.write_text("\n".join(lines) + "\n")
    (found,), _ = plan_table(path, Question(AUROC, bootstrap=0), Columns())
    surface = found.options[0].surface
    assert surface is not None
    assert surface.fit.n == 5
    with pytest.raises(UserError, match="column 'metric' has no 'r2'"):
        plan_table(path, Question(target_of("r2", 0.5)), Columns())


def test_a_score_under_a_metric_that_falls_is_refused(tmp_path: Path) -> None:
    table = written(tmp_path, [pretrained(), alone()])
    done = run(table, "--target", "0.75", "--metric", "loss")
    assert isinstance(done.exception, UserError)
    assert (
        "column 'score' rises with 'flops' and 'n_labels', so it is a score and no loss; give its --metric (auroc, "
        "accuracy, balanced_accuracy, r, r2, or another name with its --ceiling)" in str(done.exception)
    )


def test_a_loss_under_a_metric_that_rises_is_warned_of(tmp_path: Path) -> None:
    flipped = replace(alone(), score=1 - alone().score)
    done = run(written(tmp_path, [flipped]), "--target", "0.6", "--metric", "accuracy")
    assert done.exit_code == 0
    assert "column 'score' falls with 'flops' and 'n_labels', where accuracy should rise" in done.stdout


def test_too_few_runs_to_tell_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("flops,n_labels,score\n0,8,0.6\n0,16,0.7\n0,32,0.75\n")
    (found,), _ = plan_table(path, Question(target_of("loss", 0.5), bootstrap=0), Columns())
    assert found.warnings == (
        "column 'score' rises with 'flops' and 'subjects', where loss should fall: if it is a score, give its "
        "--metric",
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_concordance_is_that_of_every_ordered_pair(seed: int, many: int) -> None:
    rng = np.random.default_rng(seed)
    scales, score = rng.integers(1, 5, (many, 2)).astype(float), rng.integers(0, 5, many).astype(float)
    signs = [
        np.sign(score[j] - score[i])
        for i in range(many)
        for j in range(many)
        if (scales[j] >= scales[i]).all() and (scales[j] > scales[i]).any()
    ]
    tau, _ = concordance([(scales, score)])
    assert tau == pytest.approx(np.mean(signs) if signs else 0.0)
    assert concordance([(scales, -score)])[0] == -tau


@pytest.mark.parametrize(("many", "errors"), [(3, 1.567), (4, 2.038), (10, 4.025)])
def test_a_rising_curve_is_so_many_standard_errors_from_none(many: int, errors: float) -> None:
    rising = np.arange(1.0, many + 1)
    tau, found = concordance([(rising[:, None], rising)])
    assert tau == 1
    # Kendall (1938): sqrt of n(n - 1)(2n + 5) / 18.
    assert found == pytest.approx(errors, abs=1e-3)


def test_sentences_name_the_column_and_not_the_metric(tmp_path: Path) -> None:
    path = written(tmp_path, [alone()])
    path.write_text(path.read_text() + "0.0,256,66.6,scratch,x\n")
    done = run(path, "--target", "0.75", "--metric", "accuracy")
    assert "column 'score': 66.6 reaches the ceiling (1)" in str(done.exception)


def test_a_blank_cluster_is_refused_by_row(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    rows = [f"0,{n:g},{auroc(np.array(0.15 + 1.4 * n**-0.35)):.6f},{seed}" for n in SUBJECTS for seed in "ab"]
    path.write_text("\n".join(["flops,n_labels,score,seed", *rows, "0,256,0.9,"]) + "\n")
    with pytest.raises(UserError, match="column 'seed' is blank in row 11; name what the row belongs to, or"):
        plan_table(path, Question(AUROC, bootstrap=0), Columns(cluster="seed"))


@pytest.mark.parametrize(
    ("metric", "target", "options", "sentence"),
    [
        ("aurok", 0.75, {}, "metric 'aurok' is unknown; did you mean 'auroc'"),
        ("auroc", 1.0, {}, "auroc 1 is not below the ceiling, 1"),
        ("auroc", 1.2, {}, "auroc 1.2 is not below the ceiling"),
        ("auroc", 0.5, {}, "auroc 0.5 is not above chance, 0.5: it takes nothing"),
        ("accuracy", 0.2, {"chance": 0.25}, "accuracy 0.2 is not above chance, 0.25"),
        ("dice", 0.9, {"ceiling": 0.8}, "dice 0.9 is not below the ceiling, 0.8"),
        ("dice", 0.9, {"ceiling": 1.0, "chance": 2.0}, r"--ceiling \(1\) must lie above --chance \(2\)"),
        ("loss", 0.0, {}, "loss 0 is not above 0"),
        ("loss", 0.5, {"ceiling": 1.0}, "is a loss, which has no --ceiling"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(
    metric: str, target: float, options: dict[str, float], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        target_of(metric, target, **options)


@pytest.mark.parametrize(
    ("change", "columns", "sentence"),
    [
        (str, Columns(compute="flop"), "column 'flop' is missing; did you mean 'flops'"),
        (str, Columns(labels="labels"), "column 'labels' is missing; did you mean 'n_labels'"),
        (str, Columns(score="auroc"), "column 'auroc' is missing"),
        (lambda text: text.replace("0.0,8.0", "none,8.0", 1), Columns(), "no number of FLOPs"),
        (lambda text: text.replace("0.0,8.0", "much,8.0", 1), Columns(), "must hold numbers, found 'much'"),
        (lambda text: text.replace("0.0,8.0", "-1,8.0", 1), Columns(), "'-1.*no number of FLOPs"),
        (
            lambda text: text.replace("0.0,8.0", "0.0,all", 1),
            Columns(),
            "'n_labels' must hold numbers, found 'all'",
        ),
    ],
)
def test_a_table_that_cannot_be_read_says_where(
    tmp_path: Path, change: Callable[[str], str], columns: Columns, sentence: str
) -> None:
    path = written(tmp_path, [alone()])
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=sentence):
        plan_table(path, Question(AUROC, bootstrap=0), columns)


def test_a_range_or_a_number_of_subjects_below_the_data_is_refused() -> None:
    with pytest.raises(UserError, match="--beyond must be at least 1"):
        plan([alone()], Question(AUROC, beyond=0.5))
    with pytest.raises(UserError, match="--subjects 4 is below the fewest that were measured, 8"):
        plan([alone()], Question(AUROC, most_subjects=4, bootstrap=0))


def test_a_table_or_a_study_must_be_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(verb, ["--target", "0.75", "--metric", "auroc"])
    assert done.exit_code == 2
    assert "give a TABLE, or --study, --scores and --checkpoints" in done.stderr


# -- a study ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The demo study with scores on the planted surface."""
    made = demo(tmp_path_factory.mktemp("results"))
    folder = Path(made.folder)
    common = {"dataset": "demo", "task": "group", "metric": "auroc", "read_out": "ridge"}
    scores, checkpoints = [], []
    for n in SUBJECTS:
        plain = {**common, "n_train": n, "rung": 0}
        error = np.array(0.15 + 1.45 * n**-0.35)
        scores += [
            {**plain, "arm": arm, "reader_group": arm, "value": auroc(factor * error)}
            for arm, factor in (("connectivity", 1.0), ("dummy", 0.1))
        ]
        scores += [
            {
                **plain,
                "arm": "random",
                "reader_group": f"random.vit-d{d}",
                "value": auroc((1.1 + d / 100) * error),
            }
            for d in (1, 2)
        ]
    for depth in (1, 2, 3, 4):
        for rung in (1, 2, 3):
            flops = 1e12 * 4.0**depth * 2.0**rung
            path = f"pretrain/motion/mae/vit-d{depth}/seed0/rung{rung}"
            numbers = {"params_total": depth, "flops_formula": flops, "clips_seen": 1000, "depth": depth}
            reader = f"video.motion.mae.vit-d{depth}.s0.r{rung}"
            checkpoints.append({"reader_id": reader, "control": "", "rung": rung, "path": path, **numbers})
            facts = {"train_s": 1.0, "clips_per_second": 10.0, "device": "cpu", "threads": 2}
            write_json(folder / path / "model.json.prov.json", facts)
            group = f"video.motion.mae.vit-d{depth}.r{rung}"
            scores += [
                {
                    **common,
                    "n_train": n,
                    "rung": rung,
                    "arm": "video",
                    "reader_group": group,
                    "value": auroc(surface(np.array(flops), np.array(n))),
                }
                for n in SUBJECTS
            ]
    write_table(folder / "scores.parquet", "scores", scores)
    write_table(folder / "checkpoints.parquet", "checkpoints", checkpoints)
    return made


def test_a_study_is_planned_for_from_its_tables(study: Study) -> None:
    folder = Path(study.folder)
    (found,), refused = plan_study(
        study, folder / "scores.parquet", folder / "checkpoints.parquet", Question(AUROC, bootstrap=0)
    )
    assert refused == []
    assert found.group == {"dataset": "demo", "task": "group", "read_out": "ridge"}
    # A guess is no way to a score.
    assert [option.arm for option in found.options] == ["connectivity", "random", "video"]
    assert way(found, "connectivity", FRONTIER).subjects.value == np.ceil((1.45 / 0.35) ** (1 / BETA))
    one = found.options[2].frontier[2]
    flops, many = one.flops.value or 0.0, one.subjects.value or 0.0
    assert auroc(surface(np.array(flops), np.array(many + 0.01))) >= 0.75
    assert "not for new test subjects" in found.warnings[0]


def test_the_rate_of_a_study_is_measured_on_its_largest_model(study: Study) -> None:
    folder = Path(study.folder)
    found = study_rate(study, folder / "study.json", folder / "checkpoints.parquet")
    mean = np.mean([1e12 * 4.0**4 * 2.0**rung / 1000 * 10 for rung in (1, 2, 3)])
    assert found.flops_per_second == pytest.approx(mean)
    assert "3 runs of the largest model on cpu, 2 threads" in found.source


def test_a_metric_that_the_study_lacks_and_a_lost_checkpoint_are_named(study: Study, tmp_path: Path) -> None:
    folder = Path(study.folder)
    with pytest.raises(UserError, match="no score has the metric 'accuracy'"):
        plan_study(
            study,
            folder / "scores.parquet",
            folder / "checkpoints.parquet",
            Question(target_of("accuracy", 0.7)),
        )
    rows = read_table(folder / "checkpoints.parquet", "checkpoints").to_pylist()
    write_table(tmp_path / "few.parquet", "checkpoints", rows[1:])
    with pytest.raises(UserError, match=r"'video.motion.mae.vit-d1.r1' is no checkpoint"):
        plan_study(study, folder / "scores.parquet", tmp_path / "few.parquet", Question(AUROC))
