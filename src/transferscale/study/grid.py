"""The runs that a study spells out: which checkpoints, which readers, which predictions, where they lie, and the
spec that is the identity of each (docs/design.md, rule 3).

A spec holds plain JSON values, everything the run depends on and nothing else; Snakemake compares it with the one of
the last run. Paths are relative to the study's results folder.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.ladder import scale
from transferscale.ladder.cost import needed_bytes, work_of
from transferscale.study.corpus import Source
from transferscale.study.label import CorpusLabel
from transferscale.study.pretrain import trunk_of
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

READER = re.compile(
    r"(?P<arm>video\+fmri|video|fmri|control|random|scratch)"
    r"(\.(?P<corpus>[A-Za-z0-9_+-]+)\.(?P<objective>[a-z]+))?"
    r"\.(?P<family>[a-z]+)-d(?P<depth>\d+)\.s(?P<seed>\d+)(\.r(?P<rung>\d+))?"
)

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


@dataclass(frozen=True)
class Reader:
    """What a read-out starts from: a checkpoint, random weights, or a baseline.

    ``corpus`` is the label of what a checkpoint was trained on (:class:`CorpusLabel`), and tells ``control``,
    ``fraction`` and ``fold``.
    """

    arm: str
    corpus: str = ""
    objective: str = ""
    family: str = ""
    depth: int = 0
    seed: int = -1
    rung: int = 0

    @property
    def reader_id(self) -> str:
        """Name of the reader in paths and tables."""
        if not self.family:
            return self.arm.replace(":", "-")
        origin = f".{self.corpus}.{self.objective}" if self.corpus else ""
        rung = f".r{self.rung}" if self.rung else ""
        return f"{self.arm}{origin}.{self.family}-d{self.depth}.s{self.seed}{rung}"

    @property
    def group(self) -> str:
        """Reader without its seed: what is averaged over seeds."""
        return re.sub(r"\.s\d+", "", self.reader_id)

    @property
    def control(self) -> str:
        """Control corpus, empty for none."""
        return CorpusLabel.parse(self.corpus).control

    @property
    def fraction(self) -> float:
        """Nested fraction of the corpus."""
        return CorpusLabel.parse(self.corpus).fraction

    @property
    def fold(self) -> int:
        """Outer fold whose training subjects it was trained on, -1 for none."""
        return CorpusLabel.parse(self.corpus).fold

    @property
    def folder(self) -> str:
        """Folder of the checkpoint."""
        return f"pretrain/{self.corpus}/{self.objective}/{self.family}-d{self.depth}/seed{self.seed}/rung{self.rung}"

    @classmethod
    def of_rung(cls, spec: Mapping[str, Any]) -> "Reader":
        """The checkpoint that a rung makes (``Grid.rung_spec``)."""
        model, label = spec["model"], CorpusLabel.parse(spec["corpus"])
        return cls(
            label.arm,
            str(label),
            spec["objective"]["name"],
            model["family"],
            model["depth"],
            spec["seed"],
            spec["rung"],
        )

    @classmethod
    def parse(cls, reader_id: str) -> "Reader":
        """The reader of that name."""
        match = READER.fullmatch(reader_id)
        if match is None:
            return cls(arm=reader_id.replace("raw-", "raw:"))
        part = match.groupdict(default="")
        return cls(
            arm=part["arm"],
            corpus=part["corpus"],
            objective=part["objective"],
            family=part["family"],
            depth=int(part["depth"]),
            seed=int(part["seed"]),
            rung=int(part["rung"] or 0),
        )


@dataclass(frozen=True)
class Cell:
    """One prediction table: a reader, a read-out and a label count on a dataset."""

    dataset: str
    view: str
    read_out: str
    reader: Reader
    n_labels: str

    @property
    def path(self) -> str:
        """Path of the predictions."""
        folder = f"transfer/{self.dataset}/{self.view}/{self.read_out}/{self.reader.reader_id}"
        return f"{folder}/n{self.n_labels}/predictions.parquet"


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
        return self._of(ladder_trunks(self.study))

    def beside(self) -> list[Reader]:
        """Checkpoints beside the ladder: on control corpora, fractions and recordings, and far past overfitting."""
        return self._of(trunks_beside(self.study))

    def rungs(self) -> list[Reader]:
        """Every rung that is run: the checkpoints, and the rungs before them that are passed through."""
        trunks = [*ladder_trunks(self.study), *trunks_beside(self.study)]
        return self._of([replace(trunk, rungs=tuple(range(1, trunk.rungs[-1] + 1))) for trunk in trunks])

    def _of(self, trunks: list[Trunk]) -> list[Reader]:
        return [
            self.checkpoint(trunk.family, trunk.depth, trunk.seed, rung, str(trunk.label))
            for trunk in trunks
            for rung in trunk.rungs
        ]

    def checkpoint(self, family: str, depth: int, seed: int, rung: int, corpus: str = "") -> Reader:
        """One checkpoint; of the ladder, unless ``corpus`` labels another."""
        label = CorpusLabel.parse(corpus or self.study.corpus.name)
        return Reader(label.arm, str(label), self.study.pretrain.objective.name, family, depth, seed, rung)

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
    def frozen(self) -> list[Reader]:
        """Readers whose features are read out frozen: checkpoints, random weights, baselines."""
        random = [Reader("random", family=f, depth=d, seed=s) for f, d, s in self.trunks()]
        return [*self.ladder(), *random, *(Reader(arm) for arm in self.study.transfer.baselines)]

    def trained(self) -> list[Reader]:
        """Readers that are fine-tuned in full."""
        full = self.study.transfer.read_outs.full
        if full is None:
            return []
        readers = []
        for family, depth, seed in self.trunks():
            if depth in full.depths:
                readers += [self.checkpoint(family, depth, seed, self.study.rung(r)) for r in full.rungs]
                readers.append(Reader("scratch", family=family, depth=depth, seed=seed))
        return readers

    def cells(self) -> list[Cell]:
        """Every prediction table of the study."""
        transfer, cells = self.study.transfer, []
        for dataset in self.study.datasets:
            cells += [
                Cell(dataset.dataset, dataset.view.kind, "ridge", reader, str(n))
                for reader in self.frozen()
                for n in transfer.labels
            ]
            if transfer.read_outs.full and self.full_tasks(dataset.dataset):
                cells += [
                    Cell(dataset.dataset, dataset.view.kind, "full", reader, str(n))
                    for reader in self.trained()
                    for n in transfer.read_outs.full.labels
                ]
        return cells

    def full_tasks(self, dataset: str) -> list[str]:
        """Tasks of a dataset that are fine-tuned in full."""
        full = self.study.transfer.read_outs.full
        tasks = list(self.study.dataset(dataset).tasks)
        if full is None:
            return []
        return tasks if full.tasks is None else [t for t in tasks if f"{dataset}/{t}" in full.tasks]

    def left_out(self) -> list[str]:
        """Sentences that say which part of the full cross of arms, scales and label counts is not run."""
        study, full = self.study, self.study.transfer.read_outs.full
        sentences = []
        if not study.datasets:
            return []
        if full is None:
            return ["full fine-tuning (no transfer.read_outs.full)"]
        for family, ladder in study.families.items():
            depths = [d for d in ladder.depths if d not in full.depths]
            if depths:
                of = f" of {family}" if len(study.families) > 1 else ""
                sentences.append(f"full fine-tuning at depths {', '.join(map(str, depths))}{of}")
        rungs = set(range(1, study.pretrain.budgets.rungs + 1)) - {study.rung(r) for r in full.rungs}
        if rungs:
            sentences.append(f"full fine-tuning from rungs {', '.join(map(str, sorted(rungs)))}")
        labels = [n for n in study.transfer.labels if n not in full.labels]
        if labels:
            sentences.append(f"full fine-tuning at {', '.join(map(str, labels))} labelled subjects")
        for dataset in study.datasets:
            tasks = [t for t in dataset.tasks if t not in self.full_tasks(dataset.dataset)]
            if tasks:
                sentences.append(f"full fine-tuning on {dataset.dataset}: {', '.join(tasks)}")
        return sentences

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
        return {"verb": _version("medical index"), **{key: values[key] for key in keys}}

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

    def features_spec(self, dataset: str, reader: Reader) -> dict[str, Any]:
        """Frozen features of one reader on one dataset."""
        base = {"dataset": dataset, "view": self.study.dataset(dataset).view.kind, "reader": reader.reader_id}
        if not reader.family:
            return {"verb": _version("transfer baseline"), **base}
        return {
            "verb": _version("transfer features"),
            "model": self.model_spec(reader.family, reader.depth),
            "seed": reader.seed,
            **base,
        }

    def fit_spec(self, cell: Cell) -> dict[str, Any]:
        """One prediction table."""
        transfer = self.study.transfer
        dataset = self.study.dataset(cell.dataset)
        spec: dict[str, Any] = {
            "verb": _version("transfer fit"),
            "dataset": cell.dataset,
            "view": cell.view,
            "read_out": cell.read_out,
            "reader": cell.reader.reader_id,
            "n_labels": cell.n_labels,
        }
        if cell.read_out == "ridge":
            tasks, options = list(dataset.tasks), transfer.read_outs.ridge.spec()
            spec["draws"] = transfer.draws
        else:
            full = transfer.read_outs.full
            if full is None:
                raise UserError("the study has no transfer.read_outs.full")
            tasks, options = self.full_tasks(cell.dataset), full.spec()
            for key in ("depths", "rungs", "labels", "tasks"):
                options.pop(key)
            spec["draws"] = options.pop("draws")
            spec["first_draw"] = cell.reader.seed * spec["draws"]
            spec["model"] = self.model_spec(cell.reader.family, cell.reader.depth)
        spec["options"] = options
        spec["tasks"] = {name: dataset.tasks[name].spec() for name in tasks}
        return spec

    def stage_spec(self, verb: str) -> dict[str, Any]:
        """A verb that reads the whole study from its file: only its version."""
        return {"verb": _version(verb)}

    # -- lookup ------------------------------------------------------------------------------------------------------
    def cell(self, dataset: str, read_out: str, reader_id: str, n_labels: str) -> Cell:
        """The cell of those names (Snakemake's wildcards)."""
        return Cell(
            dataset, self.study.dataset(dataset).view.kind, read_out, Reader.parse(reader_id), n_labels
        )

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
