"""Clips for pretraining: which ones, in which order, flipped or not, cropped or not, on which scale.

Read from memory-mapped clip stores in the training process, which is far faster than a network of this ladder takes
them, so there are no worker processes. A corpus, a control corpus, a nested fraction, a source with a weight and the
recordings of a fold all come as a *part*: a clip store and its ``clips`` table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Float
from torch import Tensor

from transferscale.clips.store import ClipStore
from transferscale.errors import UserError
from transferscale.pretrain.augment import resized_crops
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Bits, Draw, draw_bits, identify
from transferscale.pretrain.mixture import given_until, turns, whole_shares
from transferscale.tables import read_table

# Mean and SD are taken from at most this many training clips, spread evenly.
MOMENT_CLIPS = 1024
COLUMNS = ("clip_id", "video_id", "fraction_rank", "source", "label", "motion", "shard", "offset")


@dataclass(frozen=True)
class Clips:
    """Some clips of a store.

    Attributes
    ----------
    names
        Their names, ``clip_id`` of the table, (clips,).
    rows
        Their rows in the store, (clips,).
    ids
        Their identities (``counter.identify``), (clips,).
    videos
        The video each was cut from, (clips,).
    labels
        Class of each, an index into ``Corpus.classes``; -1 where it has none, (clips,).
    motion
        Mean absolute frame difference in units of the clip's SD; NaN where the table has none, (clips,).
    """

    names: list[str]
    rows: npt.NDArray[np.int64]
    ids: Bits
    videos: list[str]
    labels: npt.NDArray[np.int64]
    motion: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> "Clips":
        """The first ``count`` of them."""
        return Clips(
            self.names[:count],
            self.rows[:count],
            self.ids[:count],
            self.videos[:count],
            self.labels[:count],
            self.motion[:count],
        )


@dataclass(frozen=True)
class Moments:
    """Mean and SD that bring clips to zero mean and unit SD."""

    mean: float
    sd: float

    def scale(self, clips: npt.NDArray[np.generic]) -> Float[Tensor, "batch time height width"]:
        """Stored clips as the network takes them."""
        floats = torch.from_numpy(clips).float()
        # Recordings come z-scored: nothing is to be done to them.
        if (self.mean, self.sd) == (0.0, 1.0):
            return floats
        return floats.mul_(1 / self.sd).sub_(self.mean / self.sd)


@dataclass(frozen=True)
class Group:
    """Training clips of one part of a corpus.

    Attributes
    ----------
    name
        Name of the part.
    share
        Its share of the stream as a whole number (``mixture.turns``).
    augment
        Whether its clips are mirrored and cropped, as video may be.
    scale
        Moments of all training clips of its store, also where a fraction or a source takes only some of them, so that
        a clip looks the same in all of them.
    """

    name: str
    store: ClipStore
    clips: Clips
    scale: Moments
    share: int
    augment: bool


@dataclass(frozen=True)
class HeldOutClips:
    """The clips on which the held-out loss of every checkpoint is measured, and the scale they are seen on."""

    store: ClipStore
    clips: Clips
    scale: Moments

    def __len__(self) -> int:
        return len(self.clips)

    def first(self, count: int) -> "HeldOutClips":
        """The first ``count`` of them."""
        return replace(self, clips=self.clips.first(count))

    @property
    def videos(self) -> list[str]:
        """The video each was cut from, (clips,)."""
        return self.clips.videos

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each, -1 where it has none, (clips,)."""
        return self.clips.labels

    @property
    def motion(self) -> npt.NDArray[np.float64]:
        """Mean absolute frame difference of each in units of the clip's SD, (clips,)."""
        return self.clips.motion


@dataclass(frozen=True)
class Corpus:
    """What a rung reads.

    Attributes
    ----------
    train
        The parts of the corpus.
    heldout
        The held-out clips.
    classes
        Labels of the training clips, sorted, and, unless the labels are the target, of the clips that are probed; empty
        where they have none.
    """

    train: list[Group]
    heldout: HeldOutClips
    classes: list[str]

    @property
    def scale(self) -> Moments:
        """Scale of the first part: what the finished model is told about its input."""
        return self.train[0].scale

    @property
    def clips(self) -> int:
        """Different training clips."""
        return sum(len(group.clips) for group in self.train)


def open_corpus(
    spec: Mapping[str, Any],
    stores: Sequence[Path],
    indexes: Sequence[Path],
    heldout_store: Path | None,
    heldout_index: Path | None,
) -> Corpus:
    """Open the clips of a rung and check that they suffice.

    Parameters
    ----------
    spec
        ``Grid.rung_spec``: ``parts``, ``model``, ``objective``, ``batch``, ``heldout_clips``.
    stores, indexes
        Clip store and ``clips`` table of every part, in the order of ``spec["parts"]``.
    heldout_store, heldout_index
        Where the held-out clips are; None for the first part's.

    Raises
    ------
    UserError
        If the paths do not match the parts, a geometry is not the model's, training clips are fewer than a batch,
        nothing is held out, or the objective needs labels that the clips lack.
    """
    parts = spec["parts"]
    if not len(stores) == len(indexes) == len(parts):
        raise UserError(
            f"{len(stores)} --store and {len(indexes)} --index are given for {len(parts)} parts of the corpus "
            f"({', '.join(part['name'] for part in parts)}); give one pair for each, in this order"
        )
    if (heldout_store is None) != (heldout_index is None):
        raise UserError("--heldout-store and --heldout-index go together; give both or none")
    opened: dict[tuple[Path, Path], _Source] = {}

    def source(store: Path, index: Path) -> _Source:
        key = (Path(store), Path(index))
        if key not in opened:
            opened[key] = _Source(*key, spec["model"])
        return opened[key]

    sources = [source(store, index) for store, index in zip(stores, indexes, strict=True)]
    held = source(heldout_store, heldout_index) if heldout_store and heldout_index else sources[0]
    supervised = spec["objective"]["name"] == "supervised"
    classes = _classes(sources, held, supervised)
    chosen = [own.train(part, classes) for own, part in zip(sources, parts, strict=True)]
    groups = [
        Group(part["name"], own.store, clips, own.moments, share, _augmented(part, own))
        for own, part, clips, share in zip(sources, parts, chosen, _shares(parts, chosen), strict=True)
    ]
    corpus = Corpus(groups, held.heldout(classes, int(spec["heldout_clips"]), supervised), classes)
    if corpus.clips < spec["batch"]:
        raise UserError(
            f"{', '.join(map(str, dict.fromkeys(indexes)))}: {corpus.clips} training clips are fewer than a batch of "
            f"{spec['batch']}; add videos, raise the fraction, or lower pretrain.batch"
        )
    return corpus


def _augmented(part: Mapping[str, Any], own: "_Source") -> bool:
    """Whether the clips of a part are mirrored and cropped, which recordings never are."""
    if part["augment"] and own.store.dtype != np.uint8:
        raise UserError(
            f"--spec: part '{part['name']}' holds recordings, which mirroring would spoil; set its 'augment' to false"
        )
    return bool(part["augment"])


def _classes(sources: "Sequence[_Source]", held: "_Source", needed: bool) -> list[str]:
    """Labels of all training clips, sorted, whatever fraction is taken: every fraction has the same classes.

    Where they are not the target, only the probe asks for classes, so those of the held-out clips' table count too:
    training clips without labels do not change what is probed.
    """
    columns = [own.rows("train").column("label") for own in sources]
    if not needed:
        columns += [held.rows(split).column("label") for split in ("train", "heldout")]
    if needed:
        for own, column in zip(sources, columns, strict=True):
            if column.null_count:
                raise UserError(
                    f"{own.index}: {column.null_count} of {len(column)} training clips have no label, which the "
                    "objective 'supervised' needs; set 'labels' of every source of the corpus"
                )
    classes = sorted({label for column in columns for label in column.drop_null().unique().to_pylist()})
    if needed and len(classes) < 2:
        raise UserError(
            f"{sources[0].index}: all training clips have the label '{classes[0]}'; 'supervised' needs two classes"
        )
    return classes


def _shares(parts: Sequence[Mapping[str, Any]], chosen: Sequence[Clips]) -> list[int]:
    """Shares of the stream: the parts' weights, or by number of clips where they have none."""
    weights = [part["weight"] for part in parts]
    if all(weight is None for weight in weights):
        return [len(clips) for clips in chosen]
    if any(weight is None for weight in weights):
        raise UserError("--spec: key 'parts': give every part a weight, or none")
    return whole_shares(weights)


class _Source:
    """A clip store with its table: the rows that are not dropped, by nested rank, so that a prefix is a fraction."""

    def __init__(self, store: Path, index: Path, model: Mapping[str, Any]) -> None:
        self.store, self.index = ClipStore(store), index
        expected = (model["frames"], model["size"], model["size"])
        if self.store.shape != expected:
            raise UserError(
                f"{store}: clips are {self.store.shape}, the model takes {expected}; make the clips again"
            )
        table = read_table(index, "clips")
        table = table.filter(pc.invert(table.column("dropped"))).select([*COLUMNS, "split"])
        # Not Table.sort_by, which imports pyarrow.dataset and with it pandas.
        keys = [("fraction_rank", "ascending"), ("clip_id", "ascending")]
        self.table = table.take(pc.sort_indices(table, sort_keys=keys))

    def rows(self, split: str) -> pa.Table:
        """Rows of a split."""
        return self.table.filter(pc.equal(self.table.column("split"), split))

    def train(self, part: Mapping[str, Any], classes: list[str]) -> Clips:
        """Training clips of a part: of its source and its nested fraction."""
        rows = self.rows("train")
        if part["source"] is not None:
            rows = rows.filter(pc.equal(rows.column("source"), part["source"]))
        rows = rows.filter(pc.less(rows.column("fraction_rank"), part["fraction"]))
        if not len(rows):
            raise UserError(
                f"{self.index}: part '{part['name']}' has no training clip; add videos or raise its fraction"
            )
        return self._clips(rows, classes)

    def heldout(self, classes: list[str], most: int, labelled: bool) -> HeldOutClips:
        """Held-out clips, at random by hash; where labels are the target, of those whose class was trained."""
        rows = self.rows("heldout")
        if labelled:
            rows = rows.filter(pc.is_in(rows.column("label"), pa.array(classes, pa.string())))
        if not len(rows):
            of = " that has the label of a training clip" if labelled else ""
            raise UserError(
                f"{self.index}: no clip{of} is held out, so there is no held-out loss; raise corpus.heldout"
            )
        # Not in nested order, which would take all clips of a few videos.
        order = np.argsort(identify(rows.column("clip_id").to_pylist()), kind="stable")
        return HeldOutClips(self.store, self._clips(rows.take(order[:most]), classes), self.moments)

    @cached_property
    def moments(self) -> Moments:
        """Moments of the training clips."""
        return moments(self.store, self._clips(self.rows("train"), []).rows)

    def _clips(self, rows: pa.Table, classes: list[str]) -> Clips:
        names = rows.column("clip_id").to_pylist()
        shards = rows.column("shard").to_pylist()
        offsets = rows.column("offset").to_pylist()
        sizes = {name: len(shard) for name, shard in zip(self.store.names, self.store.shards, strict=True)}
        for name, shard, offset in zip(names, shards, offsets, strict=True):
            if not 0 <= offset < sizes.get(shard, 0):
                raise UserError(
                    f"{self.index}: clip '{name}' is at row {offset} of {shard}, which "
                    f"the clip store {self.store.folder} lacks; make both again with 'transferscale corpus clips'"
                )
        number = {label: i for i, label in enumerate(classes)}
        motion = pc.fill_null(rows.column("motion"), float("nan"))
        return Clips(
            names,
            self.store.rows(shards, offsets),
            identify(names),
            rows.column("video_id").to_pylist(),
            np.array([number.get(label, -1) for label in rows.column("label").to_pylist()], dtype=np.int64),
            motion.to_numpy(),
        )


def moments(store: ClipStore, rows: npt.NDArray[np.int64]) -> Moments:
    """Mean and SD of the clips at ``rows``; recordings (float) come z-scored and are left as they are.

    Raises
    ------
    UserError
        If all pixels are the same.
    """
    if store.dtype != np.uint8:
        return Moments(0.0, 1.0)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, MOMENT_CLIPS).astype(np.int64))]
    # A histogram sums integers, so the result does not depend on the order of summation.
    counts = np.zeros(256, dtype=np.int64)
    for part in np.array_split(chosen, max(1, len(chosen) // 64)):
        counts += np.bincount(store.take(part).ravel(), minlength=256)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    sd = float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))
    if sd == 0:
        raise UserError(
            f"{store.folder}: all pixels of the training clips are the same; check the corpus' contact sheet"
        )
    return Moments(mean, sd)


class ClipStream:
    """Batches by step: endless passes over every part, each in its own order.

    Which clip stands at which place is a function of the seed and the place alone.

    Parameters
    ----------
    seed
        Seed of order, flips and crops.
    batch
        Clips a step.
    crop
        Smallest share of a clip's area that a crop takes; 1 for no crop.
    """

    def __init__(self, corpus: Corpus, seed: int, batch: int, crop: float) -> None:
        self.groups, self.shares = corpus.train, [group.share for group in corpus.train]
        self.seed, self.batch, self.crop = seed, batch, crop
        self._order: dict[int, tuple[int, npt.NDArray[np.int64]]] = {}

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        which = self._which(step)
        visits, ids = np.empty(self.batch, np.int64), np.empty(self.batch, np.uint64)
        labels = np.empty(self.batch, np.int64)
        for group, places, visit, clips in which:
            visits[places], ids[places] = visit, group.clips.ids[clips]
            labels[places] = group.clips.labels[clips]
        draw = Draw(self.seed, visits, ids)
        flip = (draw.bits("flip", 1)[:, 0] & np.uint64(1)).astype(bool)
        pieces = []
        for group, places, _, clips in which:
            taken = group.store.take(group.clips.rows[clips])
            mirrored = np.flatnonzero(flip[places] & group.augment)
            # numpy reverses a row pixel by pixel, torch many at once.
            taken[mirrored] = torch.from_numpy(taken[mirrored]).flip(-1).numpy()
            piece = group.scale.scale(taken)
            if self.crop < 1 and group.augment:
                piece = resized_crops(piece, Draw(self.seed, visits[places], ids[places]), self.crop)
            pieces.append(piece)
        clip = pieces[0]
        if len(pieces) > 1:
            order = np.argsort(np.concatenate([places for _, places, _, _ in which]))
            clip = torch.cat(pieces)[torch.from_numpy(order)]
        return Batch(clip, draw, torch.from_numpy(labels))

    def names(self, step: int) -> list[str]:
        """Names of the clips of a step, in the order of its batch."""
        names = [""] * self.batch
        for group, places, _, clips in self._which(step):
            for place, clip in zip(places, clips, strict=True):
                names[place] = group.clips.names[clip]
        return names

    def unique_until(self, step: int) -> int:
        """Different clips seen in the steps before ``step``."""
        given = given_until(step * self.batch, self.shares)
        return sum(min(count, len(group.clips)) for count, group in zip(given, self.groups, strict=True))

    def _which(
        self, step: int
    ) -> list[tuple[Group, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Every part of a batch: group, places in the batch, visits, and clips of the group."""
        part, before = turns(np.arange(step * self.batch, (step + 1) * self.batch), self.shares)
        found = []
        for number, group in enumerate(self.groups):
            places = np.flatnonzero(part == number)
            if not len(places):
                continue
            visit, rank = np.divmod(before[places], len(group.clips))
            epochs = range(visit[0], visit[-1] + 1)
            clips = np.concatenate([self._pass(number, epoch)[rank[visit == epoch]] for epoch in epochs])
            found.append((group, places, visit, clips))
        return found

    def _pass(self, number: int, epoch: int) -> npt.NDArray[np.int64]:
        """Order of a group's clips in one pass over them."""
        cached = self._order.get(number)
        if cached is None or cached[0] != epoch:
            ids = self.groups[number].clips.ids
            keys = draw_bits(self.seed, "order", np.full(len(ids), epoch), ids, 1)[:, 0]
            cached = self._order[number] = (epoch, np.argsort(keys, kind="stable"))
        return cached[1]


def batches(heldout: HeldOutClips, size: int) -> Iterator[Batch]:
    """Held-out clips, ``size`` at a time; what is random about them depends on the clip alone, not on the run."""
    clips = heldout.clips
    for start in range(0, len(clips), size):
        part = slice(start, start + size)
        ids = clips.ids[part]
        draw = Draw("heldout", np.zeros(len(ids), np.int64), ids)
        taken = heldout.scale.scale(heldout.store.take(clips.rows[part]))
        yield Batch(taken, draw, torch.from_numpy(clips.labels[part]))
