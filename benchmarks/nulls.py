"""How often the verdict `helps` is given where nothing helps: nulls through the whole read-out.

    python -m benchmarks.nulls [--nulls 2000] [--out docs/benchmarks/nulls.md]

Every null draws its own people, labels, folds, label draws and networks, and goes the way of a study: folds and nested
label orders as `medical split` makes them, inner products, `fit_problems` with layers and penalties, test predictions
pooled over folds, and the paired, crossed bootstrap behind `helps` (2,000 resamples of people, draws and seeds). Only
the first and last floors are left out: recordings, and the report.

48 people (60 where classes are uneven), two arms of three seeds each and two layers each, four folds, five draws. A
network's first layer is a random linear map of a person's 20 quantities, its second the hyperbolic tangent of it. Arms
differ by their random weights alone, so that the expected gain is zero.

- *nothing to find*: the quantities do not go with the classes; 16 labels, balanced classes;
- *both arms as good*: one quantity differs by 2 SD between the classes; 16 labels, balanced classes;
- *few and uneven*: the same, with 8 labels and classes of 1 to 4;
- *draws with seeds*: as *both arms as good*, with three draws, each for one of the seeds: how read-outs that train are
  fitted. So few fits tell little of their own spread;
- *one seed*: as *both arms as good*, with one network an arm. The interval is then for these two networks, as the
  verdict warns; whether another pair would differ is not asked, so this row is beyond the claim.

The nominal rate is 2.5 %, the lower end of a two-sided 95 % interval. Which arm is called the reference is arbitrary
here, so that every null is asked both ways: `helps`, and `hurts`, which is `helps` with the arms exchanged. The rate of
false alarms is the mean of the two. Beside it stands how often the corrected resampled t-test is significant (two-sided
5 %).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.machine import heading, publish
from threadpoolctl import threadpool_limits

from transferscale.medical.split import assign_folds, label_order
from transferscale.scaling.gains.cells import Cell, Rows, arrays
from transferscale.scaling.gains.comparison import compare
from transferscale.scaling.gains.scores import evaluate
from transferscale.transfer.choice import CHOICE_FROM, inner_folds
from transferscale.transfer.grams import gram
from transferscale.transfer.predictions import decide
from transferscale.transfer.readout import Problem, fit_problems, targets

Real = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

OPTIONS: dict[str, Any] = {"penalties": [0.01, 0.1, 1.0, 10.0], "fixed_penalty": 0.1}
FOLDS, DRAWS, INNER = 4, 5, 3
QUANTITIES, WIDTH = 20, 60


@dataclass(frozen=True)
class Setting:
    """People, labels and what there is to find."""

    name: str
    people: int
    rare: float
    n_labels: int
    effect: float
    seeds: int = 3
    paired: bool = False

    @property
    def draws(self) -> int:
        """Label draws a fold."""
        return self.seeds if self.paired else DRAWS


SETTINGS = (
    Setting("nothing to find", 48, 0.5, 16, 0.0),
    Setting("both arms as good", 48, 0.5, 16, 2.0),
    Setting("few and uneven", 60, 0.2, 8, 2.0),
    Setting("draws with seeds", 48, 0.5, 16, 2.0, paired=True),
    Setting("one seed", 48, 0.5, 16, 2.0, seeds=1),
)


def null(setting: Setting, number: int) -> dict[str, Any]:
    """The comparison of two arms that differ by their random weights alone."""
    rng = np.random.default_rng([SETTINGS.index(setting), number])
    people = setting.people
    y = rng.permutation((np.arange(people) < round(setting.rare * people)).astype(np.int64))
    quantities = rng.standard_normal((people, QUANTITIES))
    quantities[:, 0] += setting.effect * y
    places = laid_out(setting, y, rng)
    arms = [[network(quantities, rng) for _ in range(setting.seeds)] for _ in range(2)]
    scores = read_out(arms, y, places)
    cells = [
        cell(f"null {number}", name, y, places, scores[arm], setting.paired)
        for arm, name in enumerate(("one", "other"))
    ]
    arm, reference = (evaluate(one, "auroc") for one in cells)
    return compare(arm, reference, [reference], None)


def laid_out(setting: Setting, y: Int, rng: np.random.Generator) -> list[tuple[int, int, Int, Int]]:
    """Fold, draw, labelled and test people of every fit."""
    fold_of = assign_folds(y, [str(i) for i in range(len(y))], FOLDS, rng)
    found = []
    for fold in range(FOLDS):
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        for draw in range(setting.draws):
            order = train[label_order(y[train], rng)]
            found.append((fold, draw, np.sort(order[: setting.n_labels]), test))
    return found


def network(quantities: Real, rng: np.random.Generator) -> list[Real]:
    """Features of two layers (people, width)."""
    linear = quantities @ rng.standard_normal((QUANTITIES, WIDTH)) / QUANTITIES**0.5
    return [linear, np.tanh(linear)]


def read_out(arms: list[list[list[Real]]], y: Int, places: list[tuple[int, int, Int, Int]]) -> Real:
    """Scores of the test people, (arms, seeds, fits, people); NaN where one is not tested.

    The networks' inner products stand along the diagonal of one matrix, so that all fits of a null are one batch.
    """
    networks, people = [seed for arm in arms for seed in arm], len(y)
    layers = []
    for layer in range(len(networks[0])):
        whole = np.zeros((len(networks) * people, len(networks) * people), dtype=np.float32)
        for i, features in enumerate(networks):
            part = slice(i * people, (i + 1) * people)
            whole[part, part] = gram(features[layer])
        layers.append([whole])
    problems = []
    for i in range(len(networks)):
        for _, _, train, test in places:
            chosen = inner_folds(y[train].astype(np.float64), INNER) if len(train) >= CHOICE_FROM else []
            own = i * people
            problems.append(Problem(train + own, test + own, [train[held] + own for held in chosen]))
    target = targets("classification", np.tile(y, len(networks)).astype(np.float64), 2)
    fitted = fit_problems(layers, "classification", target, problems, OPTIONS)
    scores = np.full((len(networks), len(places), people), np.nan)
    for at, fit in enumerate(fitted):
        i, place = divmod(at, len(places))
        scores[i, place, places[place][3]] = fit.scores[:, 0]
    return scores.reshape(len(arms), -1, len(places), people)


def cell(
    task: str, arm: str, y: Int, places: list[tuple[int, int, Int, Int]], scores: Real, paired: bool
) -> Cell:
    """The arm's test predictions as gains read them: of every seed with every draw, or with its own alone."""
    rows: dict[str, list[Any]] = {name: [] for name in ("subject", "columns", "fold", "score")}
    for seed in range(len(scores)):
        for place, (fold, draw, _, test) in enumerate(places):
            if paired and draw != seed:
                continue
            rows["subject"] += test.tolist()
            rows["columns"] += [(0, draw, seed)] * len(test)
            rows["fold"] += [fold] * len(test)
            rows["score"] += scores[seed, place, test].tolist()
    subject = np.array(rows["subject"], dtype=np.int64)
    predicted, listed = decide("classification", np.array(rows["score"])[:, None])
    laid = Rows(
        subject=subject,
        subject_names=[f"{i:02d}" for i in range(len(y))],
        family=subject,
        places=(np.zeros_like(subject),),
        columns=np.array(rows["columns"], dtype=np.int64),
        fold=np.array(rows["fold"], dtype=np.int64),
        truth=y[subject].astype(np.float64),
        predicted=predicted,
        score=listed,
    )
    n_labels = len(places[0][2])
    found = arrays(laid, str(n_labels), task)
    return Cell(
        **found, task=task, arm=arm, kind="classification", n_labels=str(n_labels), n_train=float(n_labels)
    )


def row(setting: Setting, nulls: int) -> str:
    """Rates of a setting as a row of the table."""
    started = time.perf_counter()
    found = [null(setting, number) for number in range(nulls)]
    seconds = time.perf_counter() - started
    helps, hurts = (100 * np.mean([one["verdict"] == word for one in found]) for word in ("helps", "hurts"))
    tested = [one["nb_p_value"] for one in found if one["nb_p_value"] is not None]
    score = np.mean([one["arm_value"] for one in found])
    return (
        f"| {setting.name} | {setting.n_labels} | {score:.2f} | {(helps + hurts) / 2:.2f} % | {helps:.2f} % | "
        f"{hurts:.2f} % | "
        f"{100 * np.mean(np.array(tested) < 0.05):.1f} % | {seconds:.0f} |"
    )


def main() -> None:
    """Simulate, count, publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nulls", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with threadpool_limits(1):
        rows = [row(setting, given.nulls) for setting in SETTINGS]
    # Of one null at most one of the two questions is answered yes.
    error = 100 * (0.025 * 0.975 / given.nulls / 2) ** 0.5
    lines = [
        "# False alarms of the verdict",
        "",
        heading("--nulls", str(given.nulls)),
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        f"{given.nulls:,} nulls a setting, each asked both ways; standard error of a rate of 2.5 %: {error:.2f} %.",
        "",
        "| setting | labels | mean AUROC | false alarms | helps | hurts | t-test, p < 0.05 | s |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    publish(lines, given.out)


if __name__ == "__main__":
    main()
