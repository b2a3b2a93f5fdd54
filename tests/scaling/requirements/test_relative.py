"""Requirements against difficulty: planted laws are found, bounds stay bounds, too little gives no law."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.cli.scaling.relative import relative as verb
from transferscale.errors import UserError
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.requirements.censored import line
from transferscale.scaling.requirements.enough import best_cell, cells, enough
from transferscale.scaling.requirements.need import COMPUTE, LABELS, PARAMS, Task
from transferscale.scaling.requirements.need_law import NeedLaw
from transferscale.scaling.requirements.relative import Relative, relative
from transferscale.scaling.requirements.table import relative_table
from transferscale.tables import TABLES, read_table

E, A, DELTA, ALPHA, BETA = 0.06, 19.0, 0.15, 0.1, 0.25
MODELS, STEPS, SUBJECTS = (
    np.geomspace(1e6, 6.4e7, 4),
    np.geomspace(1e6, 1e8, 3),
    np.array([16.0, 64.0, 256.0]),
)
TARGET = target_of("accuracy", 0.75)


def score(difficulty: float, compute: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return 1 - (E + A * difficulty**DELTA * compute**-ALPHA * labels**-BETA)


def task(difficulty: float, noise: float = 0.0, seed: int = 0, labels: bool = True) -> Task:
    """Runs of four model sizes, three budgets and three label counts."""
    rng = np.random.default_rng([seed, int(difficulty * 100)])
    counts = SUBJECTS if labels else SUBJECTS[-1:]
    params, steps, many = (g.ravel() for g in np.meshgrid(MODELS, STEPS, counts, indexing="ij"))
    compute = 6 * params * steps
    error = (1 - score(difficulty, compute, many)) * np.exp(noise * rng.standard_normal(len(compute)))
    scales = {COMPUTE: compute, PARAMS: params, **({LABELS: many} if labels else {})}
    return Task(f"{difficulty:g}", difficulty, scales, 1 - error)


def compute_only(one: Task) -> Task:
    return Task(one.difficulty, one.place, {COMPUTE: one.scales[COMPUTE]}, one.score)


def law(found: Relative, resource: str) -> NeedLaw:
    return next(one for one in found.laws if one.resource == resource)


def needed(difficulty: float) -> float:
    """Compute that the target takes with all labels."""
    return float((A * difficulty**DELTA * 256**-BETA / (0.25 - E)) ** (1 / ALPHA))


# -- planted laws ----------------------------------------------------------------------------------------------------


def test_planted_requirements_and_their_exponents_are_found() -> None:
    found = relative([task(d) for d in (1.0, 2.0, 4.0, 8.0)], TARGET, bootstrap=0)
    for one in found.needs:
        if one.resource == COMPUTE:
            assert one.bound == ""
            assert one.value == pytest.approx(needed(one.place), rel=1e-3)
    assert law(found, COMPUTE).exponent == pytest.approx(DELTA / ALPHA, rel=1e-3)
    assert law(found, COMPUTE).growth == pytest.approx(2 ** (DELTA / ALPHA), rel=1e-3)
    assert law(found, LABELS).exponent == pytest.approx(DELTA / BETA, rel=1e-3)
    assert law(found, LABELS).measured == 4


def test_model_size_is_required_with_its_most_compute() -> None:
    found = relative([task(d) for d in (4.0, 6.0, 8.0)], TARGET, bootstrap=0)
    sizes = {one.difficulty: one.value for one in found.needs if one.resource == PARAMS}
    # The largest budget is 6 N x 1e8.
    assert sizes["4"] == pytest.approx(needed(4.0) / 6e8, rel=1e-3)
    assert law(found, PARAMS).exponent == pytest.approx(DELTA / ALPHA, rel=1e-2)


def test_without_a_column_of_labels_compute_alone_is_fitted() -> None:
    found = relative([task(d, labels=False) for d in (1.0, 2.0, 4.0, 8.0)], TARGET, bootstrap=0)
    assert {one.law for one in found.needs} == {"power-floor"}
    assert law(found, COMPUTE).exponent == pytest.approx(DELTA / ALPHA, rel=0.01)


def test_the_interval_of_the_exponent_covers_the_truth() -> None:
    trials, covered = 6, 0
    for seed in range(trials):
        tasks = [compute_only(task(d, 0.02, seed, labels=False)) for d in (1.0, 2.0, 4.0, 8.0)]
        found = law(relative(tasks, TARGET, bootstrap=100), COMPUTE)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= DELTA / ALPHA <= found.high
    # 6 trials at 95 %: 4 is three standard errors below.
    assert covered >= 4


def test_diversity_is_a_difficulty_like_any_other() -> None:
    tasks = [task(d) for d in (1.0, 2.0, 4.0)]
    found = relative(tasks, TARGET, difficulty="diversity", bootstrap=0)
    assert found.as_json()["difficulty"] == "diversity"


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_what_the_largest_scale_does_not_reach_is_a_lower_bound_and_enters_the_law_as_one() -> None:
    found = relative([task(d, 0.01) for d in (1.0, 2.0, 4.0, 8.0, 64.0)], TARGET, bootstrap=100)
    hard = next(one for one in found.needs if one.resource == COMPUTE and one.difficulty == "64")
    assert (hard.bound, hard.open) == (">=", "high")
    assert hard.value == pytest.approx(6 * 6.4e7 * 1e8)
    compute = law(found, COMPUTE)
    assert (compute.measured, compute.bounded) == (4, 1)
    assert compute.exponent == pytest.approx(DELTA / ALPHA, rel=0.15)


def test_what_the_smallest_scale_reaches_is_an_upper_bound() -> None:
    found = relative([task(d, 0.01) for d in (0.01, 1.0, 2.0, 4.0)], TARGET, bootstrap=100)
    easy = next(one for one in found.needs if one.resource == COMPUTE and one.difficulty == "0.01")
    assert (easy.bound, easy.open) == ("<=", "low")
    assert easy.value == pytest.approx(6 * 1e6 * 1e6)
    assert law(found, COMPUTE).exponent == pytest.approx(DELTA / ALPHA, rel=0.15)


def test_requirements_that_are_only_bounded_give_no_law() -> None:
    found = relative([task(d, 0.01) for d in (64.0, 128.0, 256.0)], TARGET, bootstrap=50)
    compute = law(found, COMPUTE)
    assert compute.exponent is None
    assert compute.refused.startswith("not identified: the requirement is measured at 0 of 3 difficulties")


def test_scores_that_do_not_change_with_scale_identify_no_requirement() -> None:
    rng = np.random.default_rng(0)
    flat = [
        Task(f"{d}", d, {COMPUTE: np.geomspace(1e10, 1e14, 10)}, 0.7 + 0.05 * rng.standard_normal(10))
        for d in (1.0, 2.0, 4.0)
    ]
    found = relative(flat, target_of("accuracy", 0.7), bootstrap=200)
    assert {one.bound for one in found.needs} == {"not identified"}
    assert law(found, COMPUTE).exponent is None


@settings(max_examples=30, deadline=None)
@given(slope=st.floats(-3, 3), intercept=st.floats(-5, 5), cut=st.floats(-4, 4))
def test_a_line_through_bounds_that_it_keeps_is_the_line_itself(
    slope: float, intercept: float, cut: float
) -> None:
    x = np.linspace(0, 3, 7)
    y = intercept + slope * x
    side = np.where(y > cut, 1, 0)
    side[:3] = 0
    # A bound well below the line: the measured points decide.
    bounded = np.where(side == 1, y - 5, y)
    found = line(x, bounded[None], side[None])
    assert found.slope[0] == pytest.approx(slope, abs=1e-5)
    assert found.at(2.0)[0] == pytest.approx(intercept + 2 * slope, abs=1e-5)


def test_bounds_remove_the_bias_of_leaving_them_at_their_end() -> None:
    rng = np.random.default_rng(0)
    x = np.tile(np.linspace(0, 4, 12), (200, 1))
    y = x[0] + 0.5 * rng.standard_normal(x.shape)
    side = np.where(y > 3, 1, 0)
    capped = np.minimum(y, 3.0)
    assert line(x[0], capped, side).slope.mean() == pytest.approx(1.0, abs=0.03)
    assert line(x[0], capped, 0 * side).slope.mean() < 0.9
    # Seen in a mirror, the bounds are from above.
    mirrored = line(x[0], -capped, -side)
    assert mirrored.slope == pytest.approx(-line(x[0], capped, side).slope, abs=1e-6)


# -- how little is enough --------------------------------------------------------------------------------------------


def test_the_least_within_the_tolerance_of_the_best_is_enough() -> None:
    scales = {COMPUTE: np.array([1.0, 10.0, 10.0, 100.0]), LABELS: np.array([64.0, 16.0, 64.0, 64.0])}
    grid = cells(scales, np.array([0.80, 0.90, 0.95, 0.96]))
    found = {one.resource: one for one in enough(grid, target_of("auroc", 0.75), 0.02)}
    assert found[COMPUTE].cell.scales == {COMPUTE: 10.0, LABELS: 64.0}
    assert found[COMPUTE].saving == 10
    assert found[LABELS].saving == 1
    wide = {one.resource: one for one in enough(grid, target_of("auroc", 0.75), 0.06)}
    assert wide[LABELS].cell.scales == {COMPUTE: 10.0, LABELS: 16.0}


def test_replicates_are_one_cell_and_a_loss_is_best_where_it_is_least() -> None:
    grid = cells({COMPUTE: np.array([1.0, 1.0, 2.0])}, np.array([0.3, 0.5, 0.2]))
    assert [(cell.score, cell.runs) for cell in grid] == [(0.4, 2), (0.2, 1)]
    assert best_cell(grid, target_of("loss", 0.3)).score == 0.2
    assert best_cell(grid, target_of("auroc", 0.6)).score == 0.4


def test_an_easy_task_saves_more_than_a_hard_one() -> None:
    found = relative([task(d) for d in (0.01, 1.0, 8.0)], TARGET, bootstrap=0, tolerance=0.02)
    saving = {name: own[0].saving for name, own in found.enough.items()}
    assert saving["0.01"] > saving["8"]


# -- what must not matter --------------------------------------------------------------------------------------------


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_and_tasks_has_no_say(seed: int) -> None:
    tasks = [compute_only(task(d, 0.02, labels=False)) for d in (1.0, 2.0, 4.0)]
    rng = np.random.default_rng(seed)
    mixed = []
    for one in tasks[::-1]:
        order = rng.permutation(len(one.score))
        scales = {name: values[order] for name, values in one.scales.items()}
        mixed.append(Task(one.difficulty, one.place, scales, one.score[order]))
    here, there = (relative(own, TARGET, bootstrap=20).as_json() for own in (tasks, mixed))
    assert here["requirements"] == there["requirements"]
    assert here["laws"] == there["laws"]


def test_units_of_compute_and_difficulty_do_not_change_the_exponent() -> None:
    def scaled(unit: float) -> NeedLaw:
        tasks = [compute_only(task(d, labels=False)) for d in (1.0, 2.0, 4.0, 8.0)]
        moved = [
            Task(one.difficulty, one.place * unit, {COMPUTE: one.scales[COMPUTE] * unit}, one.score)
            for one in tasks
        ]
        return law(relative(moved, TARGET, bootstrap=20), COMPUTE)

    one, other = scaled(1.0), scaled(1e3)
    assert other.exponent == pytest.approx(one.exponent, rel=1e-3)
    assert other.high == pytest.approx(one.high, rel=1e-2)


# -- a table ---------------------------------------------------------------------------------------------------------


def written(folder: Path, tasks: list[Task], **more: str) -> Path:
    path = folder / "runs.csv"
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["classes", "flops", "params", "n_labels", "accuracy", *more])
        for one in tasks:
            columns = (one.scales[COMPUTE], one.scales[PARAMS], one.scales[LABELS], one.score)
            for values in zip(*columns, strict=True):
                out.writerow([one.difficulty, *values, *more.values()])
    return path


COLUMNS = {COMPUTE: "flops", PARAMS: "params", LABELS: "n_labels"}


def run(table: Path, *arguments: str) -> Result:
    columns = ["--difficulty", "classes", "--compute", "flops", "--labels", "n_labels", "--score", "accuracy"]
    return CliRunner().invoke(verb, [str(table), *columns, "--bootstrap", "30", *arguments])


def test_the_verb_prints_tables_json_and_csv_and_writes_parquet(tmp_path: Path) -> None:
    table = written(tmp_path, [task(d, 0.01) for d in (1.0, 2.0, 4.0, 64.0)])
    out = tmp_path / "relative.parquet"
    done = run(table, "--target", "0.75", "--out", str(out))
    assert done.exit_code == 0
    assert "compute ~ classes^1.5" in done.stdout or "compute ~ classes^1.4" in done.stdout
    assert "(the largest does not suffice)" in done.stdout
    assert "enough: the least within 0.02 of the best score" in done.stdout
    rows = read_table(out, "relative").to_pylist()
    assert list(rows[0]) == list(TABLES["relative"].columns)
    assert {row["row"] for row in rows} == {"requirement", "law", "enough"}
    text = run(table, "--target", "0.75", "--format", "csv").stdout
    assert len(list(csv.DictReader(text.splitlines()))) == len(rows)
    (tree,) = json.loads(run(table, "--target", "0.75", "--format", "json").stdout)
    assert [one["resource"] for one in tree["laws"]] == [COMPUTE, LABELS]


def test_ordered_difficulties_have_a_law_of_their_ranks(tmp_path: Path) -> None:
    table = written(tmp_path, [task(d) for d in (1.0, 2.0, 4.0)])
    words = {"1,": "easy,", "2,": "medium,", "4,": "hard,"}
    lines = table.read_text().splitlines()
    named = [
        next((word + line[2:] for key, word in words.items() if line.startswith(key)), line) for line in lines
    ]
    table.write_text("\n".join(named) + "\n")
    (found,), _ = relative_table(
        table, TARGET, "classes", COLUMNS, "accuracy", order=("easy", "medium", "hard"), bootstrap=0
    )
    compute = law(found, COMPUTE)
    assert compute.growth == pytest.approx(2 ** (DELTA / ALPHA), rel=0.01)
    assert [one.difficulty for one in found.needs[:3]] == ["easy", "medium", "hard"]
    with pytest.raises(UserError, match="'easy' is no number above 0; give --order"):
        relative_table(table, TARGET, "classes", COLUMNS, "accuracy")
    with pytest.raises(UserError, match="'hard' is not in --order; did you mean 'hart'"):
        relative_table(table, TARGET, "classes", COLUMNS, "accuracy", order=("easy", "medium", "hart"))


@pytest.mark.parametrize(("many", "told"), [(1, "1 value;"), (2, "2 values;")])
def test_fewer_than_three_difficulties_are_told_and_give_no_law(tmp_path: Path, many: int, told: str) -> None:
    table = written(tmp_path, [task(d) for d in (1.0, 2.0)[:many]])
    done = run(table, "--target", "0.75")
    assert done.exit_code == 0
    assert f"no law: column 'classes' has {told} a law wants at least 3" in done.stdout


def test_groups_are_fitted_alone_and_a_bad_one_costs_itself_only(tmp_path: Path) -> None:
    good = written(tmp_path, [task(d) for d in (1.0, 2.0, 4.0)], family="vit").read_text()
    path = tmp_path / "two.csv"
    path.write_text(good + "1,1e12,1e6,16,0.5,convnet\n2,1e12,1e6,16,0.4,convnet\n")
    found, refused = relative_table(
        path, TARGET, "classes", COLUMNS, "accuracy", group=["family"], bootstrap=0
    )
    assert [one.group for one in found] == [{"family": "vit"}]
    assert len(refused) == 1
    assert "family = convnet: classes 1, flops: all runs have 'flops' 1e+12 and 'n_labels' 16" in refused[0]


def test_a_difficulty_without_enough_runs_is_left_out_by_name(tmp_path: Path) -> None:
    table = written(tmp_path, [task(d) for d in (1.0, 2.0, 4.0)])
    table.write_text(table.read_text() + "8,1e12,1e6,16,0.5\n")
    done = run(table, "--target", "0.75")
    assert done.exit_code == 0
    assert "left out: classes 8, flops: all runs have 'flops' 1e+12 and 'n_labels' 16" in done.stderr


@pytest.mark.parametrize(
    ("columns", "difficulty", "row", "sentence"),
    [
        ({COMPUTE: "flop"}, "classes", "", "column 'flop' is missing; did you mean 'flops'"),
        ({COMPUTE: "flops"}, "class", "", "column 'class' is missing; did you mean 'classes'"),
        ({COMPUTE: "flops"}, "classes", "0,1e12,1e6,16,0.5\n", "difficulty '0' is no number above 0"),
        ({COMPUTE: "flops"}, "classes", "-2,1e12,1e6,16,0.5\n", "difficulty '-2' is no number above 0"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(
    tmp_path: Path, columns: dict[str, str], difficulty: str, row: str, sentence: str
) -> None:
    path = written(tmp_path, [task(1.0)])
    path.write_text(path.read_text() + row)
    with pytest.raises(UserError, match=sentence):
        relative_table(path, TARGET, difficulty, columns, "accuracy", bootstrap=0)


def test_a_score_under_a_metric_that_falls_is_refused(tmp_path: Path) -> None:
    table = written(tmp_path, [task(d) for d in (1.0, 2.0, 4.0)])
    done = run(table, "--target", "0.75", "--metric", "loss")
    assert isinstance(done.exception, UserError)
    sentence = "column 'accuracy' rises with 'flops' and 'n_labels', so it is a score and no loss"
    assert sentence in str(done.exception)


def test_a_loss_under_a_metric_that_rises_is_warned_of(tmp_path: Path) -> None:
    flipped = [replace(one, score=1 - one.score) for one in (task(d) for d in (1.0, 2.0, 4.0))]
    done = run(written(tmp_path, flipped), "--target", "0.75")
    assert done.exit_code == 0
    assert done.stdout.count("column 'accuracy' falls with 'flops' and 'n_labels'") == 1


def test_sentences_name_the_column_and_not_the_metric(tmp_path: Path) -> None:
    path = written(tmp_path, [task(d) for d in (1.0, 2.0, 4.0)])
    path.write_text(path.read_text() + "1,1e12,1e6,16,66.6\n")
    done = run(path, "--target", "0.75", "--metric", "balanced_accuracy")
    assert "classes 1, flops: column 'accuracy': 66.6 reaches the ceiling (1)" in done.stderr


def test_without_draws_a_law_has_no_interval_and_still_a_verdict(tmp_path: Path) -> None:
    table = written(tmp_path, [task(d, 0.01) for d in (1.0, 2.0, 4.0, 8.0)])
    done = run(table, "--target", "0.75", "--bootstrap", "0", "--plot", str(tmp_path / "p.svg"))
    assert done.exit_code == 0, done.output
    assert "compute ~ classes^1." in done.stdout
    assert "95 %" not in done.stdout
    (tree,) = json.loads(run(table, "--target", "0.75", "--bootstrap", "0", "--format", "json").stdout)
    for one in tree["laws"]:
        assert one["exponent"] is not None
        assert [one[end] for end in ("low", "high", "growth_low", "growth_high")] == [None] * 4
    assert tree["laws"][0]["identified"]
    assert "No law" not in (tmp_path / "p.svg").read_text()


def test_a_target_above_the_ceiling_and_a_negative_tolerance_are_refused(tmp_path: Path) -> None:
    table = written(tmp_path, [task(1.0)])
    done = run(table, "--target", "1.5")
    assert isinstance(done.exception, UserError)
    assert "accuracy 1.5 is not below the ceiling, 1" in str(done.exception)
    with pytest.raises(UserError, match="--tolerance must be at least 0, not -1"):
        relative([task(1.0)], TARGET, tolerance=-1)
