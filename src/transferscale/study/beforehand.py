"""What the primary claims of a study could detect, from the number of test subjects alone, before anything is run."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from transferscale.errors import UserError
from transferscale.study.checks import participant_rows
from transferscale.study.condition import Condition
from transferscale.study.dataset import Dataset, Task
from transferscale.study.detectable import (
    ASSUMED,
    CORRELATION,
    METHOD,
    Answers,
    detectable_gain,
    standard_error,
)
from transferscale.study.people import value
from transferscale.study.study import Study
from transferscale.study.verdict import Claim
from transferscale.study.where import matches


def detectable_gains(study: Study) -> list[str]:
    """A sentence a primary claim: the smallest gain that its number of test subjects can show.

    Raises
    ------
    UserError
        If a participants table cannot be read.
    """
    return [_detectable_gain(study, claim) for claim in study.verdict]


def _detectable_gain(study: Study, claim: Claim) -> str:
    dataset = study.dataset(study.claim_dataset(claim))
    name = f"{dataset.dataset}/{claim.task}"
    unknown = why_unknown(dataset)
    if unknown:
        return f"{name}: the smallest detectable gain cannot be told {unknown}"
    task = dataset.tasks[claim.task]
    subjects = subjects_of(dataset, task)
    windows = windows_of(dataset)
    if task.kind == "state":
        if windows is None:
            return (
                f"{name}: the smallest detectable gain cannot be told before the recordings are read, "
                "because windows.count is not set"
            )
        answers = Answers(subjects.total() * windows, (subjects.total(),) * windows)
        tested = f"{subjects.total()} subjects and {windows} windows of each, counted as independent,"
    else:
        answers = Answers(subjects.total(), tuple(subjects.values()) if task.kind == "classification" else ())
        tested = f"{subjects.total()} subjects"
        if task.kind == "classification":
            tested += f" ({', '.join(f'{n} {label}' for label, n in subjects.items())})"
    smallest = detectable_gain(standard_error(claim.metric, answers))
    if math.isinf(smallest):
        return f"{name}: with {tested} tested, no gain in {claim.metric} can be detected"
    text = (
        f"{name}: with {tested} tested, the smallest detectable gain in {claim.metric} is about {smallest:.2g} "
        f"(80 % power at two-sided 5 %, {METHOD[claim.metric]}, were {claim.reference} at {ASSUMED[claim.metric]} "
        f"and correlated {CORRELATION} with {claim.arm}; label draws and seeds come on top)"
    )
    if smallest > claim.sesoi:
        text += f", more than the smallest effect of interest {claim.sesoi:g}"
    return text


def check_label_counts(study: Study) -> None:
    """Refuse a label count that no task of a dataset can have, before hours of pretraining.

    Raises
    ------
    UserError
        Naming the count, and how many training subjects a fold has at most.
    """
    counts = [n for n in study.transfer.labels if n != "all"]
    for dataset in study.datasets:
        if why_unknown(dataset) or dataset.hold_out == "sites" or not counts:
            continue
        totals = [subjects_of(dataset, task).total() for task in dataset.tasks.values()]
        # Folds are as even as can be, so the largest holds this many.
        most = max(total - math.ceil(total / study.transfer.folds) for total in totals)
        if max(counts) > most:
            raise UserError(
                f"transfer.labels: {max(counts)} labelled subjects are asked for, but a fold of dataset "
                f"'{dataset.dataset}' has at most {most} training subjects ({max(totals)} subjects in "
                f"{study.transfer.folds} folds); lower it or write all"
            )


def why_unknown(dataset: Dataset) -> str:
    """Why nobody's number can be told beforehand, empty where it can."""
    if dataset.fetch is not None and not (Path(dataset.root) / str(dataset.participants)).is_file():
        return "before the dataset is downloaded"
    if dataset.simulate is None and dataset.participants is None:
        return "before the recordings are read, because there is no participants table"
    return ""


def subjects_of(dataset: Dataset, task: Task) -> Counter[str]:
    """Number of subjects of each class that a task keeps; of one class '' where it has none."""
    if dataset.simulate is not None:
        total = dataset.simulate.subjects
        if task.kind != "classification":
            return Counter({"": total})
        return Counter({"of one class": total // 2, "of the other": total - total // 2})
    people = [
        {name: value(text, dataset.missing) for name, text in row.items()}
        for row in participant_rows(dataset)
    ]
    kept = [
        row
        for row in people
        if all(matches(row.get(key), wanted) for key, wanted in task.where.items())
        and _included(dataset, row)
    ]
    if task.kind == "state":
        return Counter({"": len(kept)})
    values = [text for row in kept if (text := row.get(task.target)) is not None]
    if task.kind == "regression":
        return Counter({"": len(values)})
    found = Counter(values)
    return Counter({label: found[label] for label in task.classes or sorted(found)})


def sites_of(dataset: Dataset) -> int:
    """Number of sites that a dataset's table names; 0 where it has no column for them."""
    if dataset.site_column is None:
        return 0
    if dataset.simulate is not None:
        return dataset.simulate.sites
    named = (value(row.get(dataset.site_column, ""), dataset.missing) for row in participant_rows(dataset))
    return len({site for site in named if site is not None})


def _included(dataset: Dataset, row: Mapping[str, str | None]) -> bool:
    """Whether the conditions that the table alone can tell keep a subject."""
    conditions = [Condition.parse(text) for text in dataset.include]
    return all(one.holds(row) for one in conditions if set(one.names) <= set(row))


def windows_of(dataset: Dataset) -> int | None:
    """Windows of a recording, None where only the recordings tell."""
    windows = dataset.windows
    if windows.count is not None or dataset.simulate is None:
        return windows.count
    left = dataset.simulate.volumes - windows.start - windows.volumes
    return left // (windows.step or windows.volumes) + 1
