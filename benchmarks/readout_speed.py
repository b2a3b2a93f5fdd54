"""The frozen read-out of a whole label-count curve against a loop over scikit-learn.

    python -m benchmarks.readout_speed [--data ../shared/data] [--draws 10] [--rounds 3]
        [--out docs/benchmarks/readout-speed.md]

The problems are those of the real study: 77 people of OpenNeuro ds000228, windows of 20 volumes and 64 regions, five
outer folds, every draw of 16, 32 and all labelled people, three inner folds, four penalties. `film` tells eight windows
of the film apart (ridge, one row a window), from the unpooled tokens of a network of depth 2, of which each of three
layers is tried (10,240 features), or from the raw windows (1,280). `child_adult` tells children from adults by mean, SD
and covariance of their raw windows (logistic regression, one row a person, 6,656 features); the covariance of tokens, a
million features, is left out, because scikit-learn would have to form it. Without the data a set of the same size is
simulated.

Both sides centre and scale every feature block by the rows that are trained on, take the same folds, and choose by the
same loss. The loop fits each (problem, inner fold) with `GridSearchCV` of `Ridge`, which is what `RidgeCV` runs when it
is given folds, or with `LogisticRegressionCV`, and fits the chosen penalty once more on all labelled rows. Ours is
`fit_problems`, inner products included. One core, one thread; the two sides take turns, and a ratio is of medians.
Predictions are compared on the scale on which they are written: values, or distances from the boundary.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchmarks.machine import heading, publish
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from transferscale.ladder import scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.transfer.aggregate import covariances, membership, moments
from transferscale.transfer.choice import best
from transferscale.transfer.grams import gram
from transferscale.transfer.readout import Fitted, Problem, criterion, fit_problems, side_weights, targets

Real = npt.NDArray[np.float64]

OPTIONS: dict[str, Any] = {"penalties": [0.01, 0.1, 1.0, 10.0], "fixed_penalty": 1.0}
LABELS: tuple[int | str, ...] = (16, 32, "all")
PEOPLE, WINDOWS, VOLUMES, REGIONS, FOLDS, INNER = 77, 8, 20, 64, 5, 3
STUDY = "config/studies/pixar.yaml"


@dataclass(frozen=True)
class Curve:
    """All fits of a label-count curve: feature blocks (rows, features) of every layer, targets (rows, outputs)."""

    name: str
    kind: str
    layers: Sequence[Sequence[npt.NDArray[np.float32]]]
    target: Real
    problems: Sequence[Problem]


def curves_of(data: Path, draws: int) -> list[Curve]:
    """Curves on the real recordings."""
    import tempfile

    from transferscale.medical.index import index
    from transferscale.medical.reading import Splits, View
    from transferscale.medical.split import split
    from transferscale.medical.view import build
    from transferscale.study.grid import Grid
    from transferscale.study.load import load_study, read_yaml
    from transferscale.transfer.task import cells, load_task

    content = {**read_yaml(STUDY), "data_root": str(data)}
    grid = Grid(load_study(content))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index(grid.recordings_spec("pixar"), folder / "recordings.parquet", folder / "quarantine.parquet")
        build(grid.view_spec("pixar"), folder / "recordings.parquet", folder / "view", 1)
        split(grid.split_spec("pixar"), folder / "recordings.parquet", folder / "splits.json")
        view, splits = View(folder / "view"), Splits(folder / "splits.json")
        series, owner = view.series_windows(), view.window_subject
        found = []
        for name in ("film", "child_adult"):
            about = grid.study.task("pixar", name).spec()
            task = load_task(name, about, folder / "recordings.parquet", view)
            problems = [
                Problem(
                    task.rows(cell.train),
                    task.rows(cell.test),
                    [task.rows(held) for held in task.inner(cell.train, INNER)],
                )
                for n in LABELS
                for cell in cells(task, {"n_labels": n, "draws": draws, "fold": -1}, splits, view)
            ]
            blocks = blocks_of(task.kind, series, owner, len(view.subjects))
            target = targets(task.kind, task.y, len(task.classes))
            if task.kind == "state":
                found.append(Curve(f"{name}, network", "state", tokens_of(view.clips()), target, problems))
            found.append(Curve(f"{name}, raw", task.kind, [blocks], target, problems))
        return found


def simulated_curves(draws: int) -> list[Curve]:
    """Curves of the same size on noise with planted differences."""
    from transferscale.transfer.choice import inner_folds

    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(PEOPLE), WINDOWS)
    series = rng.standard_normal((len(owner), VOLUMES, REGIONS)).astype(np.float32)
    series += 0.3 * np.tile(rng.standard_normal((WINDOWS, VOLUMES, REGIONS)), (PEOPLE, 1, 1))
    adult = rng.permutation(PEOPLE) < PEOPLE // 5
    series[adult[owner]] *= np.linspace(0.7, 1.3, REGIONS, dtype=np.float32)
    found = []
    for name, kind in (("film", "state"), ("child_adult", "classification")):
        state = kind == "state"
        y = np.tile(np.arange(WINDOWS), PEOPLE) if state else adult.astype(np.float64)
        strata = np.zeros(PEOPLE) if state else y

        def rows(people: npt.NDArray[np.int64], state: bool = state) -> npt.NDArray[np.int64]:
            return np.concatenate([np.flatnonzero(owner == one) for one in people]) if state else people

        order = rng.permutation(PEOPLE)[np.argsort(strata[rng.permutation(PEOPLE)], kind="stable")]
        problems = []
        for n in LABELS:
            for fold in range(FOLDS):
                test = np.sort(order[fold::FOLDS])
                rest = np.setdiff1d(np.arange(PEOPLE), test)
                for draw in range(1 if n == "all" else draws):
                    mixed = np.random.default_rng([fold, draw]).permutation(rest)
                    adults = mixed[strata[mixed] > 0][:4]
                    labelled = np.concatenate([adults, np.setdiff1d(mixed, adults)])
                    train = rest if n == "all" else np.sort(labelled[: int(n)])
                    held = [rows(train[one]) for one in inner_folds(strata[train], INNER)]
                    problems.append(Problem(rows(train), rows(test), held))
        blocks = blocks_of(kind, series, owner, PEOPLE)
        target = targets(kind, y, 2 + 6 * state)
        if state:
            clips = np.repeat(np.repeat(series.reshape(*series.shape[:2], 8, 8), 4, axis=2), 4, axis=3)
            found.append(Curve(f"{name}, network (simulated)", kind, tokens_of(clips), target, problems))
        found.append(Curve(f"{name}, raw (simulated)", kind, [blocks], target, problems))
    return found


def tokens_of(clips: npt.NDArray[np.float32]) -> list[list[npt.NDArray[np.float32]]]:
    """Tokens of every layer of a network with random weights, a block a layer (windows, tokens * width)."""
    model = VideoEncoder(scale(2, VOLUMES, clips.shape[-1], {"frames": 2, "size": 8}, "vit"))
    initialise(model, generator("encoder", 0))
    with torch.inference_mode():
        parts = [model.layers(part) for part in torch.split(torch.from_numpy(clips), 32)]
    return [[torch.cat([part[layer].flatten(1) for part in parts]).numpy()] for layer in range(3)]


def blocks_of(
    kind: str, series: npt.NDArray[np.float32], owner: npt.NDArray[np.int64], people: int
) -> list[npt.NDArray[np.float32]]:
    """Feature blocks of rows, as arm `raw:linear` has them."""
    if kind == "state":
        return [series.reshape(len(series), -1)]
    member = membership(owner, people)
    mean, sd, deviation = moments(series, member)
    return [mean, sd, covariances(deviation, member)]


def ours(curve: Curve) -> list[Fitted]:
    """All problems at once."""
    grams = [[gram(block) for block in blocks] for blocks in curve.layers]
    return fit_problems(grams, curve.kind, curve.target, curve.problems, OPTIONS)


def loop(curve: Curve) -> list[tuple[int, float, Real]]:
    """Layer, penalty and scores of every problem, by scikit-learn, one after another."""
    penalties = sorted(map(float, OPTIONS["penalties"]), reverse=True)
    found = []
    for problem in curve.problems:
        side = side_weights(curve.kind, curve.target[problem.train])
        losses = np.zeros((len(curve.layers), len(penalties)))
        for layer, held in product(range(len(curve.layers)), problem.inner):
            rest = np.setdiff1d(problem.train, held)
            x = scaled(curve.layers[layer], rest, np.concatenate([rest, held]))
            y = curve.target[np.concatenate([rest, held])]
            parts = [(np.arange(len(rest)), np.arange(len(rest), len(x)))]
            losses[layer] += searched(curve.kind, x, y, parts, penalties, side)
        layer, place = divmod(best(losses.ravel()), len(penalties))
        x = scaled(curve.layers[layer], problem.train, np.concatenate([problem.train, problem.test]))
        rows, y = len(problem.train), curve.target[problem.train]
        scores = final(curve.kind, x[:rows], y, x[rows:], penalties[place])
        found.append((layer, penalties[place], scores))
    return found


def scaled(
    blocks: Sequence[npt.NDArray[np.float32]], train: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> Real:
    """Features of rows, each block centred and scaled by the rows that are trained on, side by side."""
    parts = []
    for block in blocks:
        centre = block[train].mean(axis=0, dtype=np.float64)
        size = np.mean(((block[train] - centre) ** 2).sum(axis=1))
        parts.append((block[rows] - centre) / (len(blocks) * size) ** 0.5)
    return np.concatenate(parts, axis=1)


def searched(
    kind: str, x: Real, y: Real, parts: list[Any], penalties: Sequence[float], side: Real
) -> npt.NDArray[np.float64]:
    """Held-out loss of every penalty on one inner fold."""

    def score(model: Any, rows: Real, truth: Real) -> float:
        if kind == "classification":
            told = model.decision_function(rows)[:, None]
            return -float(criterion(kind, told, truth[:, None], side).sum())
        return -float(criterion(kind, model.predict(rows).reshape(truth.shape), truth, side).sum())

    if kind == "classification":
        model = LogisticRegressionCV(
            Cs=[1 / penalty for penalty in penalties],
            cv=parts,
            scoring=score,
            class_weight="balanced",
            refit=False,
            max_iter=1000,
            use_legacy_attributes=True,
            l1_ratios=(0,),
        )
        model.fit(x, y[:, 0])
        return -np.asarray(model.scores_[1][0]).ravel()
    search = GridSearchCV(Ridge(), {"alpha": penalties}, scoring=score, cv=parts, refit=False)
    search.fit(x, y)
    return -np.asarray(search.cv_results_["mean_test_score"])


def final(kind: str, x: Real, y: Real, test: Real, penalty: float) -> Real:
    """Scores of the test rows, on the scale on which they are written."""
    if kind != "classification":
        return np.asarray(Ridge(alpha=penalty).fit(x, y).predict(test)).reshape(-1, y.shape[1])
    # Its own tolerance, 1e-4, leaves differences of a few thousandths.
    model = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=10_000, tol=1e-6)
    model.fit(x, y[:, 0])
    return np.asarray(model.decision_function(test)[:, None] / np.linalg.norm(model.coef_))


def measured(curve: Curve, rounds: int) -> Mapping[str, Any]:
    """Times of both sides, taking turns, and how well they agree."""
    times: dict[str, list[float]] = {"ours": [], "loop": []}
    for _ in range(rounds):
        started = time.perf_counter()
        fitted = ours(curve)
        between = time.perf_counter()
        told = loop(curve)
        times["ours"].append(between - started)
        times["loop"].append(time.perf_counter() - between)
    pairs = zip(fitted, told, strict=True)
    same = [(fit, scores) for fit, (*chosen, scores) in pairs if [fit.layer, fit.penalty] == chosen]
    furthest = max(float(np.abs(fit.scores - scores).max()) for fit, scores in same)
    return {
        "ours": statistics.median(times["ours"]),
        "loop": statistics.median(times["loop"]),
        "same": len(same),
        "furthest": furthest,
    }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    there = (given.data / "fmri" / "ds000228_pixar").is_dir()
    curves = curves_of(given.data, given.draws) if there else simulated_curves(given.draws)
    lines = [
        "# Speed of the frozen read-out",
        "",
        heading("--draws", str(given.draws), "--rounds", str(given.rounds)),
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        "| curve | problems | fits | scikit-learn, s | ours, s | times as fast | same choice | largest difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        for curve in curves:
            found = measured(curve, given.rounds)
            tried = len(curve.layers) * len(OPTIONS["penalties"])
            fits = sum(len(p.inner) * tried + 1 for p in curve.problems)
            lines.append(
                f"| {curve.name} | {len(curve.problems)} | {fits} | {found['loop']:.1f} | {found['ours']:.2f} | "
                f"{found['loop'] / found['ours']:.0f} | {found['same']} of {len(curve.problems)} | "
                f"{found['furthest']:.1e} |"
            )
    publish(lines, given.out)


if __name__ == "__main__":
    main()
