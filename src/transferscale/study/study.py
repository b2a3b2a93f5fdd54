"""The study as a whole: its sections, and the checks that span several of them."""

import itertools
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from transferscale.errors import nearest
from transferscale.study.base import Name, Part
from transferscale.study.corpus import Corpus
from transferscale.study.dataset import Dataset, Task
from transferscale.study.plan import PlanFor
from transferscale.study.pretrain import Pretrain
from transferscale.study.transfer import LABEL_ORDERS, Transfer
from transferscale.study.verdict import Claim, KnownAnswer


class Study(Part):
    """Everything that a run depends on. ``datasets`` are YAML files in the user's file, loaded here."""

    study: Name = Field(description="name of the study; names its folder under results")
    question: str = Field("", description="one sentence on top of the report")
    data_root: str = Field(
        "../shared/data", description="folder of outside data, relative to where snakemake runs"
    )
    results: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]+$")] = Field(
        "results", description="folder of results: letters, digits, '.', '_', '-' and '/' only"
    )
    corpus: Corpus = Field(description="the videos")
    pretrain: Pretrain = Field(description="the ladder of checkpoints")
    datasets: list[Dataset] = Field(min_length=1, description="medical datasets: paths of YAML files")
    transfer: Transfer = Field(description="the test of the checkpoints")
    verdict: list[Claim] = Field(min_length=1, description="primary claims, one a task, declared beforehand")
    plan: PlanFor | None = Field(None, description="score to plan for, and prices; default: no plan")
    known_answers: list[KnownAnswer] = Field([], description="figures that the baselines must reproduce")

    @field_validator("verdict", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @property
    def folder(self) -> str:
        """Folder of this study's results."""
        return f"{self.results}/{self.study}"

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name."""
        for dataset in self.datasets:
            if dataset.dataset == name:
                return dataset
        raise ValueError(f"no dataset '{name}'; {nearest(name, [d.dataset for d in self.datasets])}")

    def task(self, dataset: str, task: str) -> Task:
        """One task of one dataset."""
        tasks = self.dataset(dataset).tasks
        if task not in tasks:
            raise ValueError(f"dataset '{dataset}' has no task '{task}'; {nearest(task, tasks)}")
        return tasks[task]

    def claim_dataset(self, claim: Claim | KnownAnswer) -> str:
        """Dataset of a claim or known answer."""
        return claim.dataset or self.datasets[0].dataset

    def rung(self, rung: int | str) -> int:
        """A rung as a number; 'last' is the highest."""
        return self.pretrain.budgets.rungs if rung == "last" else int(rung)

    @model_validator(mode="after")
    def _geometry(self) -> "Study":
        clip, tubelet = self.corpus.clip, self.pretrain.tubelet
        if clip.size % tubelet.size or clip.frames % tubelet.frames:
            raise ValueError(
                f"corpus.clip {clip.frames} x {clip.size} x {clip.size} is not divisible by pretrain.tubelet "
                f"{tubelet.frames} x {tubelet.size} x {tubelet.size}"
            )
        for dataset in self.datasets:
            if dataset.windows.volumes != clip.frames:
                raise ValueError(
                    f"dataset '{dataset.dataset}' has windows.volumes {dataset.windows.volumes} but corpus.clip.frames "
                    f"is {clip.frames}; a window is laid out as one clip, so make them equal"
                )
        return self

    @model_validator(mode="after")
    def _seeds(self) -> "Study":
        vit = self.pretrain.vit
        for depth in vit.seeds.by_depth:
            if depth not in vit.depths:
                raise ValueError(
                    f"pretrain.vit.seeds names depth {depth}, which pretrain.vit.depths {vit.depths} lacks"
                )
        return self

    @model_validator(mode="after")
    def _names(self) -> "Study":
        names = [dataset.dataset for dataset in self.datasets]
        if len(set(names)) < len(names):
            raise ValueError("datasets: two datasets have the same name")
        return self

    @model_validator(mode="after")
    def _budgets(self) -> "Study":
        budgets, batch = self.pretrain.budgets, self.pretrain.batch
        if budgets.first * self.pretrain.warmup < batch:
            raise ValueError(
                f"pretrain.budgets.first {budgets.first} leaves less than one step of {batch} clips for the warm-up; "
                "raise it or lower pretrain.batch"
            )
        steps = [round(0.8 * budgets.at(rung) / batch) for rung in range(1, budgets.rungs + 1)]
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            raise ValueError("pretrain.budgets.ratio is too small: two rungs end at the same step")
        return self

    @model_validator(mode="after")
    def _full(self) -> "Study":
        full = self.transfer.read_outs.full
        if full is None:
            return self
        for depth in full.depths:
            if depth not in self.pretrain.vit.depths:
                raise ValueError(
                    f"transfer.read_outs.full.depths has {depth}, "
                    f"which pretrain.vit.depths {self.pretrain.vit.depths} lacks"
                )
        for rung in full.rungs:
            if self.rung(rung) > self.pretrain.budgets.rungs:
                raise ValueError(
                    f"transfer.read_outs.full.rungs has {rung}, "
                    f"but pretrain.budgets.rungs is {self.pretrain.budgets.rungs}"
                )
        seeds = max(self.pretrain.vit.seeds.at(depth) for depth in full.depths)
        if seeds * full.draws > LABEL_ORDERS:
            raise ValueError(
                f"transfer.read_outs.full.draws times seeds is {seeds * full.draws}; at most {LABEL_ORDERS}"
            )
        for name in full.tasks or []:
            dataset, _, task = name.partition("/")
            self.task(dataset, task)
        return self

    @model_validator(mode="after")
    def _claims(self) -> "Study":
        seen = set()
        for claim in self.verdict:
            dataset = self.claim_dataset(claim)
            task = self.task(dataset, claim.task)
            if (dataset, claim.task) in seen:
                raise ValueError(f"verdict: task '{dataset}/{claim.task}' has two primary claims; keep one")
            seen.add((dataset, claim.task))
            if (claim.metric in ("r", "r2")) != (task.kind == "regression"):
                raise ValueError(
                    f"verdict: metric '{claim.metric}' does not fit the {task.kind} task '{claim.task}'"
                )
            self._claim_runs(claim, f"{dataset}/{claim.task}")
        return self

    @model_validator(mode="after")
    def _known(self) -> "Study":
        for known in self.known_answers:
            self.task(self.claim_dataset(known), known.task)
            if known.arm not in self.transfer.baselines:
                raise ValueError(f"known_answers: arm '{known.arm}' is not in transfer.baselines")
            if known.n_labels not in self.transfer.labels:
                raise ValueError(f"known_answers: n_labels {known.n_labels} is not in transfer.labels")
        return self

    def _claim_runs(self, claim: Claim, task: str) -> None:
        """Check that the cells a claim compares are cells that the study runs."""
        frozen = claim.read_out == "ridge"
        full = self.transfer.read_outs.full
        if (claim.reference == "scratch" and frozen) or (claim.reference == "random" and not frozen):
            raise ValueError(
                f"verdict of '{task}': a frozen read-out's reference is 'random', a trained one's is 'scratch'"
            )
        if (
            claim.reference in ("connectivity", "raw:linear")
            and claim.reference not in self.transfer.baselines
        ):
            raise ValueError(
                f"verdict of '{task}': reference '{claim.reference}' is not in transfer.baselines"
            )
        if full is None and not frozen:
            raise ValueError(f"verdict of '{task}': read_out 'full' is not in transfer.read_outs")
        depths = self.pretrain.vit.depths if frozen or full is None else full.depths
        labels = self.transfer.labels if frozen or full is None else full.labels
        rungs = (
            range(1, self.pretrain.budgets.rungs + 1)
            if frozen or full is None
            else map(self.rung, full.rungs)
        )
        if claim.depth not in depths:
            raise ValueError(
                f"verdict of '{task}': depth {claim.depth} is not run with {claim.read_out} (depths {depths})"
            )
        if claim.n_labels not in labels:
            raise ValueError(
                f"verdict of '{task}': n_labels {claim.n_labels} is not run with {claim.read_out} ({labels})"
            )
        if claim.reference in ("connectivity", "raw:linear") and claim.n_labels not in self.transfer.labels:
            raise ValueError(f"verdict of '{task}': n_labels {claim.n_labels} is not in transfer.labels")
        if self.rung(claim.rung) not in rungs:
            raise ValueError(f"verdict of '{task}': rung {claim.rung} is not run with {claim.read_out}")
        if full and full.tasks is not None and not frozen and task not in full.tasks:
            raise ValueError(f"verdict of '{task}': the task is not in transfer.read_outs.full.tasks")
