"""Which reader is read out how, at which label counts: every prediction table that a study spells out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from transferscale.study.dataset import Dataset
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.study.transfer import BASELINES, START, Trained
from transferscale.study.trunks import Trunk, fold_task, ladder_trunks, trunks_beside


@dataclass(frozen=True)
class Cell:
    """One prediction table: a reader, a read-out and a label count on a dataset."""

    dataset: str
    view: str
    read_out: str
    reader: Reader
    n_labels: str

    # Folder between the view and the read-out.
    part: ClassVar[str] = ""

    @property
    def path(self) -> str:
        """Path of the predictions."""
        folder = f"transfer/{self.dataset}/{self.view}/{self.part}{self.read_out}/{self.reader.reader_id}"
        return f"{folder}/n{self.n_labels}/predictions.parquet"


def checkpoint(study: Study, trunk: Trunk, rung: int) -> Reader:
    """A rung of a trunk."""
    objective = study.pretrain.objective.name
    return Reader(trunk.label.arm, str(trunk.label), objective, trunk.family, trunk.depth, trunk.seed, rung)


def checkpoints(study: Study, trunks: Iterable[Trunk]) -> list[Reader]:
    """The checkpoints of trunks, rungs of a trunk together."""
    return [checkpoint(study, trunk, rung) for trunk in trunks for rung in trunk.rungs]


def frozen(study: Study, dataset: str) -> list[Reader]:
    """Readers whose features are read out frozen: checkpoints, random and published weights, baselines.

    Checkpoints that saw recordings are read out on the dataset whose recordings they saw.
    """
    ladder = ladder_trunks(study)
    beside = [trunk for trunk in trunks_beside(study) if trunk.label.dataset in ("", dataset)]
    return [
        *checkpoints(study, ladder),
        *checkpoints(study, beside),
        *(Reader("random", family=t.family, depth=t.depth, seed=t.seed) for t in ladder),
        *published(study),
        *(Reader(arm) for arm in study.transfer.baselines),
    ]


def published(study: Study) -> list[Reader]:
    """Readers of published weights."""
    return [Reader(f"hub:{hub.name}") for hub in study.transfer.hub]


def trained(study: Study, read_out: str, dataset: str) -> list[Reader]:
    """Readers that a read-out trains: its arms at its depths and rungs, and what starts without pretraining."""
    options = study.transfer.read_outs.trained.get(read_out)
    if options is None or not tasks_of(study, read_out, dataset):
        return []
    rungs = {study.rung(rung) for rung in options.rungs}
    found: list[Reader] = []
    for trunk in ladder_trunks(study):
        if trunk.depth in options.depths:
            if "video" in options.arms:
                found += [checkpoint(study, trunk, rung) for rung in sorted(rungs)]
            found.append(Reader(START[read_out], family=trunk.family, depth=trunk.depth, seed=trunk.seed))
    for trunk in trunks_beside(study):
        wanted = trunk.label.arm in options.arms and trunk.label.arm != "video"
        if wanted and trunk.depth in options.depths and trunk.label.dataset in ("", dataset):
            found += [checkpoint(study, trunk, rung) for rung in trunk.rungs if rung in rungs]
    found += published(study) if "hub" in options.arms else []
    if "raw:mlp" in options.arms:
        found += [Reader("raw:mlp", seed=seed) for seed in range(seeds(study, options))]
    return found


def seeds(study: Study, options: Trained) -> int:
    """Seeds of what has no depth: as many as the depths that are trained have at most."""
    return max(ladder.seeds.at(depth) for ladder in study.families.values() for depth in options.depths)


def tasks_of(study: Study, read_out: str, dataset: str) -> list[str]:
    """Tasks of a dataset that a read-out is asked for."""
    tasks = list(study.dataset(dataset).tasks)
    options = study.transfer.read_outs.trained.get(read_out)
    if read_out == "ridge":
        return tasks
    if options is None:
        return []
    return tasks if options.tasks is None else [t for t in tasks if f"{dataset}/{t}" in options.tasks]


def tasks_for(study: Study, read_out: str, dataset: str, reader: Reader) -> list[str]:
    """Tasks that a reader is asked for.

    One that was pretrained on the recordings of a fold's training subjects is asked for the task of those folds alone:
    in the folds of another task it would have seen recordings of test subjects. Baselines that are about whole subjects
    are not asked what a subject was doing.
    """
    tasks = tasks_of(study, read_out, dataset)
    if reader.arm == "confounds":
        return [task for task in tasks if task in study.dataset(dataset).confounds_of_tasks]
    if reader.arm == "tangent":
        return [task for task in tasks if study.task(dataset, task).kind != "state"]
    if reader.fold < 0:
        return tasks
    return [task for task in tasks if task == fold_task(study, dataset)]


def unasked(study: Study) -> list[str]:
    """Sentences about claims and known answers that rest on a baseline which is not asked for their task."""
    held = [
        ("verdict", study.claim_dataset(claim), claim.task, claim.reference)
        for claim in study.verdict
        if claim.reference in BASELINES
    ]
    held += [
        ("known_answers", study.claim_dataset(known), known.task, known.arm) for known in study.known_answers
    ]
    return [
        f"{key}: baseline '{arm}' is not asked for task '{dataset}/{task}' ({WHY_NOT[arm]}); name another baseline or "
        "task"
        for key, dataset, task, arm in held
        if task not in tasks_for(study, "ridge", dataset, Reader(arm))
    ]


def cells(study: Study) -> list[Cell]:
    """Every prediction table of the study."""
    return [cell for dataset in study.datasets for cell in _cells(study, dataset)]


def _cells(study: Study, dataset: Dataset) -> Iterator[Cell]:
    transfer, name = study.transfer, dataset.dataset
    plans = [("ridge", frozen(study, name), transfer.labels)]
    plans += [
        (read_out, trained(study, read_out, name), options.labels)
        for read_out, options in transfer.read_outs.trained.items()
    ]
    for read_out, readers, labels in plans:
        for reader, n in product(readers, labels):
            if tasks_for(study, read_out, name, reader):
                yield Cell(name, dataset.view.kind, read_out, reader, str(n))


def left_out(study: Study) -> list[str]:
    """Sentences that say which part of the full cross of arms, scales and label counts is not run."""
    if not study.datasets:
        return []
    sentences = []
    for read_out in ("attentive", "fpt", "lora", "full"):
        options = study.transfer.read_outs.trained.get(read_out)
        words = WORDS[read_out]
        if options is None:
            sentences.append(f"{words} (no transfer.read_outs.{read_out})")
        else:
            sentences += [f"{words} {sentence}" for sentence in _left_out(study, read_out, options)]
    return [*sentences, *_recordings(study), *_of_subjects(study)]


# What a read-out is called in a sentence.
WORDS = {
    "attentive": "attentive probing",
    "fpt": "training of norms and tokenizer alone (fpt)",
    "lora": "low-rank adapters (lora)",
    "full": "full fine-tuning",
}


def _left_out(study: Study, read_out: str, options: Trained) -> list[str]:
    sentences = []
    for family, ladder in study.families.items():
        depths = [d for d in ladder.depths if d not in options.depths]
        if depths:
            of = f" of {family}" if len(study.families) > 1 else ""
            sentences.append(f"at depths {', '.join(map(str, depths))}{of}")
    rungs = set(range(1, study.pretrain.budgets.rungs + 1)) - {study.rung(r) for r in options.rungs}
    if rungs:
        sentences.append(f"from rungs {', '.join(map(str, sorted(rungs)))}")
    labels = [n for n in study.transfer.labels if n not in options.labels]
    if labels:
        sentences.append(f"at {', '.join(map(str, labels))} labelled subjects")
    there = {trunk.label.arm for trunk in trunks_beside(study)} | ({"hub"} if study.transfer.hub else set())
    arms = sorted((there & {"control", "fmri", "video+fmri", "hub"}) - set(options.arms))
    if arms:
        sentences.append(f"of arms {', '.join(arms)}")
    for dataset in study.datasets:
        tasks = [t for t in dataset.tasks if t not in tasks_of(study, read_out, dataset.dataset)]
        if tasks:
            sentences.append(f"on {dataset.dataset}: {', '.join(tasks)}")
    return sentences


# Why baselines about subjects are not asked for a task.
WHY_NOT = {"tangent": "it tells subjects apart", "confounds": "no confounds are named"}


def _of_subjects(study: Study) -> list[str]:
    """Tasks that baselines about subjects are not asked for."""
    sentences = []
    for arm in (arm for arm in study.transfer.baselines if arm in WHY_NOT):
        for dataset in study.datasets:
            asked = tasks_for(study, "ridge", dataset.dataset, Reader(arm))
            other = [task for task in dataset.tasks if task not in asked]
            if other:
                sentences.append(f"{arm} on {dataset.dataset}: {', '.join(other)} ({WHY_NOT[arm]})")
    return sentences


def _recordings(study: Study) -> list[str]:
    """Tasks that arms pretrained on recordings are not asked for."""
    medical, sentences = study.pretrain.medical, []
    for name in medical.datasets if medical else []:
        other = [task for task in study.dataset(name).tasks if task != fold_task(study, name)]
        if medical and other:
            sentences.append(
                f"arms {', '.join(medical.arms)} on {name}: {', '.join(other)} (they were pretrained on the training "
                f"subjects of the folds of {fold_task(study, name)}, and folds differ between tasks)"
            )
    return sentences
