"""The jobs of the `behaviour` section: which reader, read-out and label count, and the spec of each."""

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from transferscale.study.behaviour import (
    ARMS_OF,
    Behaviour,
    knows_hemispheres,
    task_onto,
    why_no_sites,
)
from transferscale.study.cells import Cell, checkpoint
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.study.trunks import ladder_trunks

# Read-out ridge is the one that trains with nothing trained: its head at the optimum on the untouched last layer.
UNTRAINED = {"steps": 0, "batch_subjects": 1, "learning_rates": [0.0], "weight_decay": 0.0}


@dataclass(frozen=True)
class BehaviourCell(Cell):
    """All conditions but `continual` of one reader, read-out and label count on a dataset."""

    part: ClassVar[str] = "behaviour/"


@dataclass(frozen=True)
class ContinualCell:
    """One sequence of tasks learned by one reader, read-out and label count; ``sequence`` counts from 1."""

    sequence: int
    read_out: str
    reader: Reader
    n_labels: str

    @property
    def path(self) -> str:
        """Path of the predictions."""
        folder = f"transfer/continual/{self.sequence}/{self.read_out}/{self.reader.reader_id}"
        return f"{folder}/n{self.n_labels}/predictions.parquet"


def behaviour_cells(study: Study) -> list[BehaviourCell]:
    """Every job of the conditions but `continual`; none where no such condition is asked."""
    asked = study.behaviour
    if asked is None or not (asked.corruptions or asked.radii or asked.sites or asked.onto):
        return []
    return [
        BehaviourCell(dataset.dataset, dataset.view.kind, read_out, reader, str(n))
        for dataset in study.datasets
        if _tasks(asked, dataset.dataset, list(dataset.tasks))
        for read_out, reader, n in _what(study, asked)
    ]


def continual_cells(study: Study) -> list[ContinualCell]:
    """Every job of the sequences of tasks."""
    asked = study.behaviour
    if asked is None:
        return []
    return [
        ContinualCell(number + 1, read_out, reader, str(n))
        for number in range(len(asked.continual))
        for read_out, reader, n in _what(study, asked)
    ]


def _what(study: Study, asked: Behaviour) -> list[tuple[str, Reader, Any]]:
    """(read-out, reader, label count) of every job."""
    return [
        (read_out, reader, n)
        for read_out in asked.read_outs
        for reader, n in product(_readers(study, asked, read_out), asked.labels)
    ]


def _readers(study: Study, asked: Behaviour, read_out: str) -> list[Reader]:
    readers: list[Reader] = []
    arms = [arm for arm in ARMS_OF[read_out] if arm in asked.arms]
    for arm in arms:
        if arm == "raw:linear":
            readers.append(Reader(arm))
        for trunk in ladder_trunks(study):
            if trunk.depth not in asked.depths or trunk.seed >= asked.seeds:
                continue
            if arm == "video":
                readers += [checkpoint(study, trunk, study.rung(rung)) for rung in asked.rungs]
            elif arm != "raw:linear":
                readers.append(Reader(arm, family=trunk.family, depth=trunk.depth, seed=trunk.seed))
    return readers


def _tasks(asked: Behaviour, dataset: str, tasks: list[str]) -> list[str]:
    return tasks if asked.tasks is None else [task for task in tasks if f"{dataset}/{task}" in asked.tasks]


def conditions(study: Study, cell: BehaviourCell) -> dict[str, Any]:
    """Tasks of a job, and the conditions that they are asked under, as its spec has them."""
    asked, dataset = given(study), study.dataset(cell.dataset)
    tasks = _tasks(asked, cell.dataset, list(dataset.tasks))
    corruptions = [c for c in asked.corruptions if c != "hemisphere" or knows_hemispheres(dataset)]
    onto = []
    for one in asked.onto:
        name, _, task = one.source.partition("/")
        if name == cell.dataset and task in tasks:
            target = study.dataset(one.to)
            there = task_onto(dataset, task, target)
            onto.append({"task": task, "dataset": one.to, "asks": study.asked(one.to, there)})
    return {
        "tasks": {name: study.asked(cell.dataset, name) for name in tasks},
        "corruptions": corruptions,
        "radii": asked.radii,
        "sites": asked.sites and not why_no_sites(dataset) and cell.n_labels != "all",
        "onto": onto,
    }


def sequence(study: Study, cell: ContinualCell) -> list[dict[str, Any]]:
    """The tasks of a sequence in their order, as its spec has them."""
    found = []
    for name in given(study).continual[cell.sequence - 1]:
        dataset, _, task = name.partition("/")
        view = study.dataset(dataset).view.kind
        found.append({"dataset": dataset, "view": view, "task": task, "asks": study.asked(dataset, task)})
    return found


def training(study: Study, read_out: str, reader: Reader) -> dict[str, Any]:
    """Options and label draws of a read-out."""
    draws, options = given(study).draws, study.transfer.read_outs.options(read_out)
    if read_out == "ridge":
        return {"options": {**options, **UNTRAINED}, "draws": draws, "first_draw": 0}
    return {"options": options, "draws": draws, "first_draw": reader.seed * draws}


def given(study: Study) -> Behaviour:
    """The section of a study that has it."""
    if study.behaviour is None:
        raise ValueError(f"study '{study.study}' has no section behaviour")
    return study.behaviour


def behaviour_left_out(study: Study) -> list[str]:
    """Sentences that say what of the `behaviour` section is not asked."""
    asked = study.behaviour
    if asked is None:
        return ["behaviour beyond accuracy (no section behaviour)"] if study.datasets else []
    sentences = []
    for dataset in study.datasets:
        name = dataset.dataset
        if not _tasks(asked, name, list(dataset.tasks)):
            continue
        if "hemisphere" in asked.corruptions and not knows_hemispheres(dataset):
            sentences.append(f"a missing hemisphere on {name} (its view does not tell hemispheres apart)")
        if asked.sites and why_no_sites(dataset):
            sentences.append(f"sites left out on {name} ({why_no_sites(dataset)})")
    if asked.sites and "all" in asked.labels:
        sentences.append("sites left out with all subjects labelled (without a site they would be fewer)")
    return sentences
