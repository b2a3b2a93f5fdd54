"""Plans for a study: its scores joined to the FLOPs of its checkpoints."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.plans.cost import Rate, given_rate, measured_rate, prices_of
from transferscale.scaling.plans.plan import Plan, plan
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.plans.ways import Question, Runs
from transferscale.study.plan import PlanFor
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.tables import read_table

Rows = Sequence[Mapping[str, Any]]

# Arms that tell what a score is worth, and are no way to reach one.
NO_WAY = ("dummy", "drift", "confounds")
# Arms that are beside the question of a plan: spoiled or less video, and recordings, whose cost is of another kind.
BESIDE = re.compile(r"control:.+|video:.+|fmri|video\+fmri")
SAME_SUBJECTS = (
    "the scores of a study share their test subjects: intervals are for new pretraining runs, not for new "
    "test subjects"
)


def study_rate(study: Study, file: Path, checkpoints: Path) -> Rate:
    """FLOP rate of a study's largest model.

    Parameters
    ----------
    file
        The study's file: the results are beside it where it is the completed study.json.
    """
    rows = read_table(checkpoints, "checkpoints").to_pylist()
    folders = [Path(study.folder), file.parent]
    there = [folder for folder in folders if (folder / rows[0]["path"]).is_dir()]
    return measured_rate(rows, there[0] if there else folders[0])


def study_question(study: Study, file: Path, checkpoints: Path, said: PlanFor, **more: Any) -> Question:
    """What a study asks of its plan.

    Parameters
    ----------
    file
        The study's file, as for :func:`study_rate`.
    said
        Score, prices and FLOP rate; without a rate, the measured one counts.
    **more
        Fields of :class:`Question` that a study does not have: law, beyond, bootstrap, seed.

    Raises
    ------
    UserError
        If an option is wrong, or no FLOP rate was measured and none is given.
    """
    target = target_of(said.metric, said.target, more.pop("chance", None), more.pop("ceiling", None))
    given = said.flops_per_second
    rate = study_rate(study, file, checkpoints) if given is None else given_rate(given)
    return Question(
        target,
        rate,
        prices_of(rate, said.price_gpu_hour, said.price_subject),
        most_subjects=said.subjects,
        names=("flops_formula", "n_train"),
        **more,
    )


def plan_study(
    study: Study, scores: Path, checkpoints: Path, question: Question, empty_ok: bool = False
) -> tuple[list[Plan], list[str]]:
    """The plan of every task and read-out that has the target's metric, and a sentence for each that has none.

    Arms: the pretrained one by the FLOPs of its checkpoints (one a family), and without pretraining its
    reference of all depths and the classical baselines. Scores of a checkpoint are means over its seeds; the
    checkpoints of a depth are a cluster.

    Raises
    ------
    UserError
        If no score has the metric, a score's checkpoint is missing, or no task has a plan.
    """
    rows = read_table(scores, "scores").to_pylist()
    own = [row for row in rows if row["metric"] == question.target.metric]
    if not own:
        found = {row["metric"] for row in rows}
        raise UserError(
            f"{scores}: no score has the metric '{question.target.metric}'; "
            f"{nearest(question.target.metric, found)}"
        )
    trained = _trained(read_table(checkpoints, "checkpoints").to_pylist())
    baselines = set(study.transfer.baselines)
    keys = {(r["dataset"], r["task"], r["read_out"]) for r in own}
    plans, refused = [], []
    for key in sorted(keys):
        group = dict(zip(("dataset", "task", "read_out"), key, strict=True))
        of_task = [
            row
            for row in own
            if (row["dataset"], row["task"]) == key[:2]
            and (row["read_out"] == key[2] or row["arm"] in baselines)
        ]
        runs = _runs(of_task, trained, scores, checkpoints)
        try:
            plans.append(plan(runs, question, group, [SAME_SUBJECTS]))
        except UserError as error:
            refused.append(f"{scores}, {key[0]}/{key[1]}, {key[2]}: {error}")
    if not plans and not empty_ok:
        raise UserError(refused[0] + (f" (and {len(refused) - 1} more such tasks)" if refused[1:] else ""))
    return plans, refused


def _trained(checkpoints: Rows) -> dict[str, tuple[str, str, float]]:
    """Family, trunk without its seed, and FLOPs of every reader group that was pretrained on the corpus."""
    found = {}
    for row in checkpoints:
        if not row["control"]:
            reader = Reader.parse(row["reader_id"])
            found[reader.group] = (reader.family, f"{reader.family}-d{reader.depth}", row["flops_formula"])
    return found


def _runs(
    rows: Rows, trained: Mapping[str, tuple[str, str, float]], scores: Path, checkpoints: Path
) -> list[Runs]:
    families = {family for family, _, _ in trained.values()}
    arms: dict[str, list[tuple[float, float, float, str]]] = {}
    for row in rows:
        arm, group = row["arm"], row["reader_group"]
        if arm in NO_WAY or BESIDE.fullmatch(arm):
            continue
        cluster, flops = group, 0.0
        if row["rung"]:
            if group not in trained:
                raise UserError(
                    f"{scores}: '{group}' is no checkpoint of {checkpoints}; gather the checkpoints again"
                )
            family, cluster, flops = trained[group]
            arm = f"{arm} {family}" if len(families) > 1 else arm
        arms.setdefault(arm, []).append((flops, row["n_train"], row["value"], cluster))
    return [
        Runs(
            arm=arm,
            flops=np.array([run[0] for run in runs]),
            subjects=np.array([run[1] for run in runs]),
            score=np.array([run[2] for run in runs]),
            # A baseline is one reader: its label counts are its points.
            cluster=tuple(run[3] for run in runs) if len({run[3] for run in runs}) > 1 else None,
        )
        for arm, runs in arms.items()
    ]
