"""The study as a whole: its sections, and the checks that span several of them."""

import itertools
import math
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from transferscale.errors import nearest
from transferscale.study.base import DISTINCT, Name, Part
from transferscale.study.behaviour import Behaviour, check_behaviour
from transferscale.study.corpus import Control, Corpus
from transferscale.study.dataset import ChangedFile, Dataset, Task
from transferscale.study.label import ambiguous
from transferscale.study.plan import PlanFor
from transferscale.study.pretrain import Ladder, Pretrain, steps, trunk_of
from transferscale.study.transfer import (
    BASELINES,
    LABEL_ORDERS,
    NOTHING_TO_TRANSFER,
    START,
    Trained,
    Transfer,
)
from transferscale.study.verdict import Claim, KnownAnswer


class Study(Part):
    """Everything that a run depends on. ``datasets`` are YAML files in the user's file, loaded here.

    A study of pretraining alone has neither ``datasets`` nor ``transfer`` nor ``verdict``; its ``transfer`` is
    ``NOTHING_TO_TRANSFER``.
    """

    study: Name = Field(description="name of the study; names its folder under results")
    question: str = Field("", description="one sentence on top of the report")
    data_root: str = Field(
        "../shared/data", description="folder of outside data, relative to where snakemake runs"
    )
    results: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]+$")] = Field(
        "results", description="folder of results: letters, digits, '.', '_', '-' and '/' only"
    )
    corpus: Corpus = Field(description="the videos")
    controls: Annotated[list[Control], DISTINCT] = Field(
        [], description="control corpora, made of the corpus' own clips"
    )
    pretrain: Pretrain = Field(description="the ladder of checkpoints")
    datasets: list[Dataset] = Field(
        [],
        description="medical datasets: paths of YAML files, or 'file' and beside it the keys that differ from what it "
        "says; default: pretraining alone",
    )
    transfer: Transfer = Field(NOTHING_TO_TRANSFER, description="the test of the checkpoints")
    verdict: list[Claim] = Field([], description="primary claims, one a task, declared beforehand")
    behaviour: Behaviour | None = Field(
        None,
        description="behaviour beyond accuracy: corruption, attack, other sites and datasets, one task after another; "
        "default: none",
    )
    plan: PlanFor | None = Field(None, description="score to plan for, and prices; default: no plan")
    known_answers: list[KnownAnswer] = Field([], description="figures that the baselines must reproduce")

    @field_validator("datasets", mode="before", json_schema_input_type=list[Dataset | str | ChangedFile])
    @classmethod
    def _read_already(cls, value: object) -> object:
        # The loader puts the content of a file in the place of its path; editors must let the path stand.
        return value

    @field_validator("verdict", mode="before", json_schema_input_type=list[Claim] | Claim)
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @property
    def folder(self) -> str:
        """Folder of this study's results."""
        return f"{self.results}/{self.study}"

    @property
    def families(self) -> dict[str, Ladder]:
        """The ladder of every family."""
        return self.pretrain.families

    def claim_family(self, claim: Claim) -> str:
        """Family of a claim."""
        return claim.family or next(iter(self.families))

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

    def asked(self, dataset: str, task: str) -> dict[str, Any]:
        """A task as the specs of jobs have it, with the seed of its permutation where labels are permuted.

        Absent, not null, where they are the subjects' own: a null study leaves the specs of others as they were.
        """
        seed = self.transfer.permute_labels
        return self.task(dataset, task).spec() | ({} if seed is None else {"permute_labels": seed})

    def claim_dataset(self, claim: Claim | KnownAnswer) -> str:
        """Dataset of a claim or known answer."""
        return claim.dataset or self.datasets[0].dataset

    def rung(self, rung: int | str) -> int:
        """A rung as a number; 'last' is the highest."""
        return self.pretrain.budgets.rungs if rung == "last" else int(rung)

    @model_validator(mode="after")
    def _all_or_none(self) -> "Study":
        given = {
            "datasets": bool(self.datasets),
            # The completed study of pretraining alone holds the default.
            "transfer": "transfer" in self.model_fields_set
            and (bool(self.datasets) or self.transfer != NOTHING_TO_TRANSFER),
            "verdict": bool(self.verdict),
        }
        missing = [key for key, there in given.items() if not there]
        if 0 < len(missing) < len(given):
            raise ValueError(
                f"key '{missing[0]}' is missing; a study gives 'datasets', 'transfer' and 'verdict', or, for "
                "pretraining alone, none of them"
            )
        for key in ("behaviour", "plan", "known_answers"):
            if missing and getattr(self, key):
                raise ValueError(f"key '{key}' needs 'datasets', 'transfer' and 'verdict'")
        return self

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
            view = dataset.view
            if view.kind == "volume" and math.prod(view.patch) != tubelet.size**2:
                raise ValueError(
                    f"dataset '{dataset.dataset}': view.patch {' x '.join(map(str, view.patch))} has "
                    f"{math.prod(view.patch)} voxels, a token {tubelet.size} x {tubelet.size} pixels "
                    "(pretrain.tubelet.size); make them equal"
                )
        return self

    @model_validator(mode="after")
    def _names(self) -> "Study":
        names = [dataset.dataset for dataset in self.datasets]
        if len(set(names)) < len(names):
            raise ValueError("datasets: two datasets have the same name")
        for key, name in [("corpus.name", self.corpus.name), *(("dataset", name) for name in names)]:
            if ambiguous(name):
                raise ValueError(
                    f"{key} '{name}' ends like the name of a control corpus, a fraction or a fold; choose another"
                )
        if self.corpus.name in names:
            raise ValueError(
                f"corpus.name '{self.corpus.name}' is also the name of a dataset; choose another"
            )
        return self

    @model_validator(mode="after")
    def _objective(self) -> "Study":
        objective, (time, places) = self.pretrain.objective, self._grid()
        if objective.name in ("mae", "jepa") and places < 2:
            raise ValueError(
                f"pretrain.objective '{objective.name}' hides whole tubes, but a clip of size {self.corpus.clip.size} "
                f"has one alone; lower pretrain.tubelet.size {self.pretrain.tubelet.size}"
            )
        if objective.name == "next" and time < 2:
            raise ValueError(
                f"pretrain.objective 'next' needs two time steps of tokens, but a clip of {self.corpus.clip.frames} "
                f"frames has one; lower pretrain.tubelet.frames {self.pretrain.tubelet.frames}"
            )
        if objective.name == "supervised":
            if not self.corpus.labelled:
                raise ValueError(
                    "pretrain.objective 'supervised' needs labels; set 'labels' of every folder of corpus.sources"
                )
            if self.pretrain.medical:
                raise ValueError(
                    "pretrain.medical: recordings have no labels to pretrain on; the objective 'supervised' "
                    "cannot take them"
                )
        return self

    def _grid(self) -> tuple[int, int]:
        """Time steps and places of a clip's tokens."""
        clip, tubelet = self.corpus.clip, self.pretrain.tubelet
        return clip.frames // tubelet.frames, (clip.size // tubelet.size) ** 2

    @model_validator(mode="after")
    def _beside(self) -> "Study":
        if bool(self.controls) != (self.pretrain.controls is not None):
            raise ValueError(
                "controls and pretrain.controls go together: which control corpora, and what is trained on them"
            )
        medical = self.pretrain.medical
        if medical is None:
            return self
        for name in medical.datasets:
            known = [dataset.dataset for dataset in self.datasets]
            if name not in known:
                raise ValueError(f"pretrain.medical.datasets: no dataset '{name}'; {nearest(name, known)}")
            if self.dataset(name).hold_out == "sites":
                raise ValueError(
                    f"pretrain.medical.datasets: '{name}' holds out sites, whose number only the recordings tell, so "
                    "its folds cannot be pretrained on; hold out subjects or leave it out"
                )
        weighted = self.corpus.sources[0].weight is not None
        if weighted and medical.with_corpus is None and "video+fmri" in medical.arms:
            raise ValueError(
                "pretrain.medical.with_corpus is missing: the corpus' sources have weights, so the share of the "
                "corpus beside the recordings must be told too"
            )
        return self

    @model_validator(mode="after")
    def _budgets(self) -> "Study":
        budgets, batch = self.pretrain.budgets, self.pretrain.batch
        if budgets.first * self.pretrain.warmup < batch:
            raise ValueError(
                f"pretrain.budgets.first {budgets.first} leaves less than one step of {batch} clips for the warm-up; "
                "raise it or lower pretrain.batch"
            )
        named = [("budgets.first", budgets.first)]
        named += [("overfit.budget", self.pretrain.overfit.budget)] if self.pretrain.overfit else []
        for key, budget in named:
            if not 0 < steps(trunk_of(budget), batch) < steps(budget, batch):
                raise ValueError(
                    f"pretrain.{key} {budget}: the trunk to {trunk_of(budget)} clips and the decay from there leave "
                    f"no step of {batch} clips for one of them; raise it or lower pretrain.batch"
                )
        ends = [steps(trunk_of(budgets.at(rung)), batch) for rung in range(1, budgets.rungs + 1)]
        if any(later <= earlier for earlier, later in itertools.pairwise(ends)):
            raise ValueError("pretrain.budgets.ratio is too small: two rungs end at the same step")
        return self

    @model_validator(mode="after")
    def _trained(self) -> "Study":
        known = sorted({depth for ladder in self.families.values() for depth in ladder.depths})
        for name, options in self.transfer.read_outs.trained.items():
            key = f"transfer.read_outs.{name}"
            for depth in options.depths:
                if depth not in known:
                    raise ValueError(f"{key}.depths has {depth}, which no ladder of pretrain has ({known})")
            for rung in options.rungs:
                if self.rung(rung) > self.pretrain.budgets.rungs:
                    raise ValueError(
                        f"{key}.rungs has {rung}, but pretrain.budgets.rungs is {self.pretrain.budgets.rungs}"
                    )
            if len({self.rung(rung) for rung in options.rungs}) < len(options.rungs):
                raise ValueError(
                    f"{key}.rungs: 'last' is rung {self.rung('last')}, which stands there too; delete one"
                )
            seeds = max(
                ladder.seeds.at(depth) for ladder in self.families.values() for depth in options.depths
            )
            if seeds * options.draws > LABEL_ORDERS:
                raise ValueError(
                    f"{key}.draws times seeds is {seeds * options.draws}; at most {LABEL_ORDERS}"
                )
            for task in options.tasks or []:
                self.task(*task.partition("/")[::2])
            self._arms(name, options)
        return self

    @model_validator(mode="after")
    def _confounds(self) -> "Study":
        asked = "confounds" in self.transfer.baselines
        if asked and not any(dataset.confounds_of_tasks for dataset in self.datasets):
            raise ValueError(
                "transfer.baselines has 'confounds', but no dataset names any for a task about subjects; give one the "
                "key confounds (columns of the participants table, site, motion)"
            )
        return self

    def _arms(self, name: str, options: Trained) -> None:
        """Check that every arm of a read-out that trains is there, at one of its depths and rungs at least."""
        key = f"transfer.read_outs.{name}.arms"
        if "raw:mlp" in options.arms and name != "full":
            raise ValueError(f"{key}: 'raw:mlp' is trained whole, so it belongs to read_outs.full alone")
        if "hub" in options.arms and not self.transfer.hub:
            raise ValueError(f"{key} has 'hub', but transfer.hub names no weights")
        medical = self.pretrain.medical
        runs = {"control": self.pretrain.controls, "fmri": medical, "video+fmri": medical}
        for arm in options.arms:
            if arm not in runs:
                continue
            places = runs[arm]
            if places is None or (medical is not None and arm != "control" and arm not in medical.arms):
                where = "pretrain.controls" if arm == "control" else "pretrain.medical"
                raise ValueError(f"{key} has '{arm}', but {where} trains none; add it or take the arm away")
            rungs = {self.rung(rung) for rung in places.rungs} & {self.rung(rung) for rung in options.rungs}
            if not rungs or not set(places.depths) & set(options.depths):
                raise ValueError(
                    f"{key} has '{arm}', which is not pretrained at any of the depths {options.depths} and rungs "
                    f"{options.rungs} that are asked for"
                )

    @model_validator(mode="after")
    def _behaviour(self) -> "Study":
        check_behaviour(self)
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
        where, transfer = f"verdict of '{task}'", self.transfer
        options = transfer.read_outs.trained.get(claim.read_out)
        if claim.reference in ("random", "scratch") and claim.reference != START[claim.read_out]:
            raise ValueError(
                f"{where}: the reference of read-out '{claim.read_out}' without pretraining is "
                f"'{START[claim.read_out]}'"
            )
        if claim.reference in BASELINES and claim.reference not in transfer.baselines:
            raise ValueError(f"{where}: reference '{claim.reference}' is not in transfer.baselines")
        if claim.read_out != "ridge" and options is None:
            raise ValueError(f"{where}: read_out '{claim.read_out}' is not in transfer.read_outs")
        family = self.claim_family(claim)
        if family not in self.families:
            raise ValueError(
                f"{where}: family '{family}' is not in pretrain; {nearest(family, self.families)}"
            )
        depths, labels = self.families[family].depths, transfer.labels
        rungs = list(range(1, self.pretrain.budgets.rungs + 1))
        if options is not None:
            depths = [depth for depth in depths if depth in options.depths]
            labels, rungs = options.labels, [self.rung(rung) for rung in options.rungs]
        if claim.depth not in depths:
            raise ValueError(
                f"{where}: depth {claim.depth} is not run with {claim.read_out} (depths {depths})"
            )
        if claim.n_labels not in labels:
            raise ValueError(
                f"{where}: n_labels {claim.n_labels} is not run with {claim.read_out} ({labels})"
            )
        if claim.reference in BASELINES and claim.n_labels not in transfer.labels:
            raise ValueError(f"{where}: n_labels {claim.n_labels} is not in transfer.labels")
        if self.rung(claim.rung) not in rungs:
            raise ValueError(f"{where}: rung {claim.rung} is not run with {claim.read_out}")
        if options is not None and options.tasks is not None and task not in options.tasks:
            raise ValueError(f"{where}: the task is not in transfer.read_outs.{claim.read_out}.tasks")
        if claim.reference.startswith("control:"):
            self._claim_against_control(claim, where)

    def _claim_against_control(self, claim: Claim, where: str) -> None:
        """Check that a control corpus that a claim is held against is read out in the same way."""
        places, control = self.pretrain.controls, claim.reference.removeprefix("control:")
        options = self.transfer.read_outs.trained.get(claim.read_out)
        there = places is not None and control in self.controls and claim.depth in places.depths
        there = there and self.rung(claim.rung) in [
            self.rung(rung) for rung in (places.rungs if places else [])
        ]
        if not there or (options is not None and "control" not in options.arms):
            raise ValueError(
                f"{where}: reference '{claim.reference}' is not run at depth {claim.depth}, rung {claim.rung} with "
                f"{claim.read_out}; see controls, pretrain.controls and the arms of the read-out"
            )
