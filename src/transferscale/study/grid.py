"""The runs that a study spells out: which checkpoints, which readers, which predictions, where they lie, and the
spec that is the identity of each (docs/design.md, rule 3).

A spec holds plain JSON values, everything the run depends on and nothing else; Snakemake compares it with the one of
the last run. Paths are relative to the study's results folder.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.ladder import scale
from transferscale.ladder.cost import needed_bytes, work_of
from transferscale.study.behaviour_cells import (
    BehaviourCell,
    ContinualCell,
    behaviour_cells,
    behaviour_left_out,
    conditions,
    continual_cells,
    sequence,
    training,
)
from transferscale.study.cells import Cell, cells, checkpoint, checkpoints, left_out, tasks_for
from transferscale.study.corpus import Source
from transferscale.study.label import CorpusLabel
from transferscale.study.pretrain import trunk_of
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.study.trunks import (
    Trunk,
    fold_task,
    ladder_trunks,
    overfits,
    parts,
    trunks_beside,
)
from transferscale.versions import STAGE_VERSION

# Classes that a supervised head is counted with, before the corpus is read.
CLASSES = 10
# A scheduler ends a job that takes more than it asked for, and the estimate is one.
HEADROOM = 1.25

# Keys of the study's `pretrain` that every rung depends on.
RUNG_KEYS = (
    "objective",
    "batch",
    "accumulate",
    "learning_rate",
    "weight_decay",
    "optimizer",
    "clip_norm",
    "ema",
    "precision",
    "compile",
    "crop",
    "heldout_clips",
    "probes_per_decade",
    "threads",
)


class Grid:
    """Every run of a study."""

    def __init__(self, study: Study) -> None:
        self.study = study

    # -- checkpoints ---------------------------------------------------------------------------------------------
    def trunks(self) -> Iterator[tuple[str, int, int]]:
        """(family, depth, seed) of every trunk of the ladder."""
        for trunk in ladder_trunks(self.study):
            yield trunk.family, trunk.depth, trunk.seed

    def checkpoints(self) -> list[Reader]:
        """Every checkpoint, those of the ladder first, rungs of a trunk together."""
        return [*self.ladder(), *self.beside()]

    def ladder(self) -> list[Reader]:
        """Checkpoints of the ladder: the ones that are put to the test."""
        return checkpoints(self.study, ladder_trunks(self.study))

    def beside(self) -> list[Reader]:
        """Checkpoints beside the ladder: on control corpora, fractions and recordings, and far past overfitting."""
        return checkpoints(self.study, trunks_beside(self.study))

    def rungs(self) -> list[Reader]:
        """Every rung that is run: the checkpoints, and the rungs before them that are passed through."""
        trunks = [*ladder_trunks(self.study), *trunks_beside(self.study)]
        return checkpoints(
            self.study, [replace(trunk, rungs=tuple(range(1, trunk.rungs[-1] + 1))) for trunk in trunks]
        )

    def checkpoint(self, family: str, depth: int, seed: int, rung: int, corpus: str = "") -> Reader:
        """One checkpoint; of the ladder, unless ``corpus`` labels another."""
        label = CorpusLabel.parse(corpus or self.study.corpus.name)
        return checkpoint(self.study, Trunk(label, family, depth, seed, (rung,)), rung)

    def rung_inputs(self, corpus: str = "") -> list[tuple[str, str]]:
        """(clip store, table of clips) of every part that a corpus is read from (``parts`` of the spec)."""
        label = CorpusLabel.parse(corpus or self.study.corpus.name)
        found = []
        for part in parts(self.study, label):
            if label.dataset and part["name"] == (own := f"{label.dataset}-k{label.fold}"):
                view = self.study.dataset(label.dataset).view.kind
                found.append((f"medical/{label.dataset}/{view}", f"corpus/{own}/clips.parquet"))
            else:
                home = f"corpus/{label.corpus}"
                store = f"{home}/controls/{label.control}" if label.control else f"{home}/clips"
                found.append((store, f"{home}/clips.parquet"))
        return found

    # -- readers and predictions -----------------------------------------------------------------------------------
    def cells(self) -> list[Cell]:
        """Every prediction table of the study."""
        return cells(self.study)

    def left_out(self) -> list[str]:
        """Sentences that say which part of the full cross of arms, scales and label counts is not run."""
        return [*left_out(self.study), *behaviour_left_out(self.study)]

    # -- specs -------------------------------------------------------------------------------------------------------
    def study_spec(self) -> dict[str, Any]:
        """The whole study: what the resolved study file holds."""
        return self.study.spec()

    def synth_spec(self) -> dict[str, Any]:
        """Synthetic corpus."""
        source = self.study.corpus.synthetic
        if source is None:
            raise UserError(f"study '{self.study.study}': corpus.sources has no synthetic source")
        corpus = self.study.corpus
        return {
            "verb": _version("corpus synth"),
            "seed": corpus.seed,
            "heldout": corpus.heldout,
            **_files(source),
        }

    def index_spec(self) -> dict[str, Any]:
        """Manifest of the corpus."""
        corpus = self.study.corpus
        return {
            "verb": _version("corpus index"),
            "sources": [_files(source) for source in corpus.sources],
            "max_quarantined": corpus.max_quarantined,
        }

    def clips_spec(self) -> dict[str, Any]:
        """Clips of the corpus."""
        corpus = self.study.corpus.spec()
        keys = ("clip", "clips_per_video", "heldout", "min_motion", "seed")
        return {"verb": _version("corpus clips"), **{key: corpus[key] for key in keys}}

    def controls_spec(self, control: str) -> dict[str, Any]:
        """A control corpus."""
        return {"verb": _version("corpus controls"), "control": control, "seed": self.study.corpus.seed}

    def card_spec(self) -> dict[str, Any]:
        """Card of the corpus."""
        return {
            "verb": _version("corpus card"),
            "name": self.study.corpus.name,
            "clip": self.study.corpus.clip.spec(),
            "controls": self.study.controls,
            "seed": self.study.corpus.seed,
        }

    def rung_memory_mb(self, family: str, depth: int) -> int:
        """Memory that a rung's job is to be given, megabytes: the estimate and a quarter; no part of a spec."""
        pretrain, clip = self.study.pretrain, self.study.corpus.clip
        network = self.study.families[family].network()
        shape = scale(depth, clip.frames, clip.size, pretrain.tubelet.spec(), family, **network)
        work = work_of(shape, pretrain.objective.spec(), CLASSES)
        needed = needed_bytes(shape, work, pretrain.batch // pretrain.accumulate)
        return math.ceil(HEADROOM * needed / 1e6)

    def model_spec(self, family: str, depth: int) -> dict[str, Any]:
        """The network alone: what its random initialisation depends on, besides the seed."""
        pretrain, ladder = self.study.pretrain, self.study.families[family]
        return {
            "version": _version("models"),
            "family": family,
            "depth": depth,
            "frames": self.study.corpus.clip.frames,
            "size": self.study.corpus.clip.size,
            "tubelet": pretrain.tubelet.spec(),
            **ladder.network(),
        }

    def rung_spec(self, family: str, depth: int, seed: int, rung: int, corpus: str = "") -> dict[str, Any]:
        """One rung: its own start and end in clips seen, and nothing of the other rungs but the warm-up.

        On the corpus of the ladder, unless ``corpus`` labels another.
        """
        pretrain, budgets = self.study.pretrain, self.study.pretrain.budgets
        label = CorpusLabel.parse(corpus or self.study.corpus.name)
        overfit = pretrain.overfit if overfits(self.study, label) else None
        budget = overfit.budget if overfit else budgets.at(rung)
        own = (
            {} if overfit is None or overfit.weight_decay is None else {"weight_decay": overfit.weight_decay}
        )
        values = pretrain.spec()
        return {
            "verb": _version("pretrain rung"),
            "corpus": str(label),
            "control": label.control,
            "fraction": label.fraction,
            "fold": label.fold,
            "fold_task": fold_task(self.study, label.dataset) if label.dataset else "",
            "parts": parts(self.study, label),
            "model": self.model_spec(family, depth),
            "seed": seed,
            "rung": rung,
            "warmup_clips": round(pretrain.warmup * budgets.first),
            "trunk_start": budgets.start(rung),
            "trunk_end": trunk_of(budget),
            "budget": budget,
            **{key: values[key] for key in RUNG_KEYS},
            "learning_rate": pretrain.rate(family),
            **own,
        }

    def simulate_spec(self, dataset: str) -> dict[str, Any]:
        """Simulated dataset."""
        found = self.study.dataset(dataset)
        if found.simulate is None:
            raise UserError(f"dataset '{dataset}' has no simulate section")
        return {"verb": _version("medical simulate"), **found.simulate.spec()}

    def fetch_spec(self, dataset: str) -> dict[str, Any]:
        """Downloaded dataset."""
        values = self.study.dataset(dataset).spec()
        return {
            "verb": _version("medical fetch"),
            **{key: values[key] for key in ("dataset", "root", "fetch")},
        }

    def recordings_spec(self, dataset: str) -> dict[str, Any]:
        """Index of a dataset's recordings; tasks are in it because their target columns are checked here."""
        values = self.study.dataset(dataset).spec()
        keys = (
            "dataset",
            "root",
            "participants",
            "missing",
            "subject_column",
            "site_column",
            "family_column",
            "unit",
            "stretches",
            "include",
            "recordings",
            "clean",
            "tasks",
            "max_quarantined",
            "windows",
        )
        confounds = self.study.dataset(dataset).confound_columns
        return {
            "verb": _version("medical index"),
            "confounds": confounds,
            **{key: values[key] for key in keys},
        }

    def view_spec(self, dataset: str) -> dict[str, Any]:
        """A dataset laid out as clips; a parcel's block does not depend on tokens, so view roi is without them."""
        found = self.study.dataset(dataset)
        values = found.spec()
        keys = ("dataset", "root", "stretches", "recordings", "clean", "view", "windows", "max_quarantined")
        spec = {
            "verb": _version("medical view"),
            "size": self.study.corpus.clip.size,
            **{key: values[key] for key in keys},
        }
        return spec if found.view.kind == "roi" else {**spec, "tubelet": self.study.pretrain.tubelet.spec()}

    def part_spec(self, dataset: str, chunk: int) -> dict[str, Any]:
        """The recordings of one chunk of a dataset's subjects, prepared for its view."""
        spec = {**self.view_spec(dataset), "chunk": chunk, "chunks": self.study.dataset(dataset).chunks}
        del spec["max_quarantined"]  # of all chunks together
        return spec

    def view_parts(self, dataset: str) -> list[str]:
        """What the chunks of a view write, beside what they prepare; nothing where the view prepares by itself."""
        found = self.study.dataset(dataset)
        folder = f"medical/{dataset}/.prepared/{found.view.kind}"
        return [f"{folder}-{chunk}.json" for chunk in range(found.chunks)] if found.chunks > 1 else []

    def split_spec(self, dataset: str) -> dict[str, Any]:
        """Outer folds and nested label orders; label counts and numbers of draws are not in it."""
        transfer, found = self.study.transfer, self.study.dataset(dataset).spec()
        return {
            "verb": _version("medical split"),
            "dataset": dataset,
            "tasks": found["tasks"],
            "hold_out": found["hold_out"],
            "folds": transfer.folds,
            "repeats": transfer.repeats,
            "seed": transfer.seed,
        }

    def audit_spec(self) -> dict[str, Any]:
        """Leak audit; what it looks at are its inputs."""
        return {"verb": _version("medical audit")}

    def fold_spec(self, dataset: str, fold: int) -> dict[str, Any]:
        """Recordings of a fold's training subjects as a corpus; folds are counted over all repeats."""
        repeat, fold = divmod(fold, self.study.transfer.folds)
        return {
            "verb": _version("medical corpus"),
            "dataset": dataset,
            "task": fold_task(self.study, dataset),
            "repeat": repeat,
            "fold": fold,
        }

    def hub_spec(self, name: str) -> dict[str, Any]:
        """Published weights, brought into the study's clip geometry."""
        clip = self.study.corpus.clip
        for hub in self.study.transfer.hub:
            if hub.name == name:
                return {
                    "verb": _version("pretrain import"),
                    **hub.spec(),
                    "frames": clip.frames,
                    "size": clip.size,
                }
        raise UserError(
            f"transfer.hub: no weights '{name}'; {nearest(name, [hub.name for hub in self.study.transfer.hub])}"
        )

    def features_spec(self, dataset: str, reader: Reader) -> dict[str, Any]:
        """Frozen features of one reader on one dataset."""
        found = self.study.dataset(dataset)
        spec = {
            "dataset": dataset,
            "view": found.view.kind,
            "reader": reader.reader_id,
            "normalisation": self.study.transfer.normalisation,
        }
        if not reader.network:
            own: dict[str, Any] = {"confounds": found.confounds_of_tasks} if reader.arm == "confounds" else {}
            if reader.arm == "tangent":
                own = {"tasks": [name for name, task in found.tasks.items() if task.kind != "state"]}
            return {"verb": _version("transfer baseline"), **spec, **own}
        return {"verb": _version("transfer features"), **spec, **self._start(reader)}

    def _start(self, reader: Reader) -> dict[str, Any]:
        """Network that a read-out starts from; that of published weights is told by their file."""
        model = self.model_spec(reader.family, reader.depth) if reader.family else None
        return {"model": model, "seed": max(reader.seed, 0)}

    def fit_spec(self, cell: Cell) -> dict[str, Any]:
        """One prediction table."""
        transfer = self.study.transfer
        spec: dict[str, Any] = {
            "verb": _version("transfer fit"),
            "dataset": cell.dataset,
            "view": cell.view,
            **self._read(cell.read_out, cell.reader, cell.n_labels),
        }
        spec["options"] = transfer.read_outs.options(cell.read_out)
        if cell.read_out == "ridge":
            spec["draws"] = transfer.draws
        else:
            draws = transfer.read_outs.trained[cell.read_out].draws
            spec |= {"draws": draws, "first_draw": max(cell.reader.seed, 0) * draws}
            spec["model"] = self._start(cell.reader)["model"]
        tasks = tasks_for(self.study, cell.read_out, cell.dataset, cell.reader)
        spec["tasks"] = {name: self.study.asked(cell.dataset, name) for name in tasks}
        return spec

    def behaviour_cells(self) -> list[BehaviourCell]:
        """Every prediction table of the `behaviour` section but those of its sequences of tasks."""
        return behaviour_cells(self.study)

    def behaviour_spec(self, cell: BehaviourCell) -> dict[str, Any]:
        """One prediction table: a reader, read-out and label count under every condition."""
        return {
            "verb": _version("transfer behave"),
            "dataset": cell.dataset,
            "view": cell.view,
            **self._behaves(cell.read_out, cell.reader, cell.n_labels),
            **conditions(self.study, cell),
        }

    def continual_cells(self) -> list[ContinualCell]:
        """Every prediction table of the sequences of tasks."""
        return continual_cells(self.study)

    def continual_spec(self, cell: ContinualCell) -> dict[str, Any]:
        """One prediction table: a sequence of tasks learned by a reader, read-out and label count."""
        return {
            "verb": _version("transfer continual"),
            "sequence": cell.sequence,
            **self._behaves(cell.read_out, cell.reader, cell.n_labels),
            "stages": sequence(self.study, cell),
        }

    def _behaves(self, read_out: str, reader: Reader, n_labels: str) -> dict[str, Any]:
        """A reader, how it is read out, and how it is trained for the `behaviour` section."""
        return {
            **self._read(read_out, reader, n_labels),
            "model": self._start(reader)["model"],
            **training(self.study, read_out, reader),
        }

    def _read(self, read_out: str, reader: Reader, n_labels: str) -> dict[str, Any]:
        """A reader and how it is read out."""
        return {
            "read_out": read_out,
            "reader": reader.reader_id,
            "arm": reader.arm_name,
            "control": reader.control,
            "seed": reader.seed,
            "fold": reader.fold,
            "n_labels": n_labels,
            "normalisation": self.study.transfer.normalisation,
        }

    def stage_spec(self, verb: str) -> dict[str, Any]:
        """A verb that reads the whole study from its file: only its version."""
        return {"verb": _version(verb)}

    # -- lookup ------------------------------------------------------------------------------------------------------
    def cell(self, dataset: str, read_out: str, reader_id: str, n_labels: str) -> Cell:
        """The cell of those names (Snakemake's wildcards)."""
        return Cell(
            dataset, self.study.dataset(dataset).view.kind, read_out, Reader.parse(reader_id), n_labels
        )

    def behaviour_cell(self, dataset: str, read_out: str, reader_id: str, n_labels: str) -> BehaviourCell:
        """The job of the `behaviour` section of those names (Snakemake's wildcards)."""
        view = self.study.dataset(dataset).view.kind
        return BehaviourCell(dataset, view, read_out, Reader.parse(reader_id), n_labels)

    def claim_cells(self) -> list[str]:
        """Sentences that spell out the primary claims."""
        return [
            f"{self.study.claim_dataset(c)}/{c.task}: {c.arm} against {c.reference}, {c.read_out}, "
            f"{self.study.claim_family(c)} of depth {c.depth}, "
            f"rung {self.study.rung(c.rung)}, n = {c.n_labels}, {c.metric}, smallest effect of interest {c.sesoi}"
            for c in self.study.verdict
        ]


def _files(source: Source) -> dict[str, Any]:
    """A source without what matters in training alone."""
    return {key: value for key, value in source.spec().items() if key != "weight"}


def _version(verb: str) -> int:
    if verb not in STAGE_VERSION:
        raise KeyError(f"no STAGE_VERSION for '{verb}'; {nearest(verb, STAGE_VERSION)}")
    return STAGE_VERSION[verb]
