"""The plan on the page: what it would take to reach the score that the study asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transferscale.errors import UserError
from transferscale.report.tasks import READ_OUTS, TaskOf, tasks
from transferscale.scaling.pictures.page import embed
from transferscale.scaling.pictures.plan import picture
from transferscale.scaling.plans.plan import Plan
from transferscale.scaling.plans.study import plan_study, study_question
from transferscale.study.study import Study

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Planned:
    """The plan of a task and read-out: its picture with what the marks mean, and rows of the `plan` table."""

    task: TaskOf
    title: str
    words: str
    pictures: str
    key: Sequence[str]
    rows: Rows


def planned(study: Study, scores: Path, checkpoints: Path) -> tuple[list[Plan], list[str]]:
    """The plans that the study asks for, as `scaling plan` gives them in the workflow.

    Returns
    -------
    plans, refused
        A plan a task and read-out, and a sentence for each that has none. Both are empty where the study has no
        section `plan`.

    Raises
    ------
    UserError
        If no score has the metric, or no FLOP rate was measured and none is given.
    """
    said = study.plan
    if said is None:
        return [], []
    question = study_question(study, Path(study.folder) / "study.json", checkpoints, said)
    plans, refused = plan_study(study, scores, checkpoints, question, empty_ok=True)
    return plans, [sentence.removeprefix(f"{scores}, ") for sentence in refused]


def sections(study: Study, plans: Sequence[Plan], rows: Rows) -> list[Planned]:
    """Plans in the order of the tasks.

    Raises
    ------
    UserError
        If the `plan` table lacks one of them.
    """

    out = []
    for task in tasks(study):
        for one in plans:
            group = one.group
            if (group["dataset"], group["task"]) != (task.dataset, task.task):
                continue
            name = ", ".join(f"{key} {value}" for key, value in group.items())
            own = [row for row in rows if row["group"] == name]
            if not own:
                raise UserError(
                    f"study '{study.study}': table plan has no '{name}'; run `transferscale scaling plan` again"
                )
            read_out = group["read_out"]
            title = f"{task.task}, {READ_OUTS[read_out]}"
            # The title of the part names the group.
            made = picture([replace(one, group={})])
            pictures = embed(made, f"plan-{task.dataset}-{task.task}-{read_out}")
            out.append(Planned(task, title, own[0]["words"], pictures, made.lines, own))
    return out
