"""What a job of transfer costs, by formula: read-outs that it fits, and seconds from what a forward pass takes.

What a read-out computes without its network, and what spoils a window, is seconds, and is not counted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transferscale.study.behaviour import SEVERITIES
from transferscale.study.behaviour_cells import (
    BehaviourCell,
    ContinualCell,
    behaviour_cells,
    conditions,
    continual_cells,
    given,
    sequence,
    training,
)
from transferscale.study.cells import Cell, cells, frozen
from transferscale.study.reader import Reader
from transferscale.study.show import fits_of
from transferscale.study.study import Study
from transferscale.transfer.behaviour.attack import STEPS
from transferscale.transfer.choice import CHOICE_FROM

# Start of a job that imports torch, and of one that does not: measured on a server CPU (docs/benchmarks/demo.md).
TORCH_S, PLAIN_S = 2.5, 0.5
# A training step is worth three forward passes.
STEP = 3
# Of a radius: the clean windows, a pass before every step, and back to the input alone in the step, the last place, and
# the attacked windows.
ATTACK = 1 + 2 * STEPS + 1 + 1
# Read-outs whose network stays as it is: its tokens are computed once.
FROZEN = ("ridge", "attentive")


@dataclass(frozen=True)
class Size:
    """How large a dataset is.

    Attributes
    ----------
    windows, each
        Windows of all subjects; of one.
    sites
        Number of sites, 0 where it has no column for them.
    """

    windows: int
    each: int
    sites: int


@dataclass(frozen=True)
class Job:
    """What one job costs: what it is counted under, read-outs, seconds."""

    name: str
    fits: int
    seconds: float


@dataclass(frozen=True)
class Prices:
    """Prices of a study's jobs of transfer.

    Attributes
    ----------
    sizes
        Of every dataset whose number of windows is known; the jobs of others have no price.
    passes
        Seconds of a window's forward pass by family and depth.
    """

    study: Study
    sizes: Mapping[str, Size]
    passes: Mapping[tuple[str, int], float]

    def jobs(self) -> Iterator[Job]:
        """Every job that has a price: features, read-outs, behaviour, sequences of tasks."""
        for name in self.sizes:
            for reader in frozen(self.study, name):
                start = TORCH_S if reader.network else PLAIN_S
                yield Job("features", 0, start + self._all(name, reader))
        yield from (self._read_out(cell) for cell in cells(self.study) if cell.dataset in self.sizes)
        yield from (
            self._behaviour(cell) for cell in behaviour_cells(self.study) if cell.dataset in self.sizes
        )
        for cell in continual_cells(self.study):
            if {stage["dataset"] for stage in sequence(self.study, cell)} <= set(self.sizes):
                yield self._continual(cell)

    def _read_out(self, cell: Cell) -> Job:
        fits, options = fits_of(self.study, cell), self.study.transfer.read_outs.trained.get(cell.read_out)
        if options is None:
            return Job(cell.read_out, fits, PLAIN_S)
        seconds = TORCH_S + self._all(cell.dataset, cell.reader)
        if cell.read_out not in FROZEN:
            one = self._fit(cell.dataset, cell.reader, cell.n_labels, options.options)
            seconds += fits * (one + self._tested(cell.dataset, cell.reader))
        return Job(cell.read_out, fits, seconds)

    def _behaviour(self, cell: BehaviourCell) -> Job:
        """A fit for each task, fold and draw, its test windows shown under every condition; and one for every site.

        The fits of all sites together test as many windows as one of all. Where a site leaves too few to label, which
        the folds alone tell, its fits are not made.
        """
        dataset, reader, asked = cell.dataset, cell.reader, conditions(self.study, cell)
        drawn = self._drawn(cell.n_labels)
        fits, moved = drawn * len(asked["tasks"]), int(asked["sites"])
        again = fits * self.sizes[dataset].sites if moved else 0
        shown = 1 + sum(len(SEVERITIES[c]) for c in asked["corruptions"]) + ATTACK * len(asked["radii"])
        options = training(self.study, cell.read_out, reader)["options"]
        seconds = TORCH_S + self._all(dataset, reader)
        seconds += (fits + again) * self._fit(dataset, reader, cell.n_labels, options)
        seconds += fits * (shown + moved) * self._tested(dataset, reader)
        there = (onto["dataset"] for onto in asked["onto"] if onto["dataset"] in self.sizes)
        seconds += drawn * sum(self._tested(other, reader) for other in there)
        return Job("behaviour", fits + again, seconds)

    def _continual(self, cell: ContinualCell) -> Job:
        """A fit for each task, fold and draw, from all windows encoded anew by a network that moved; then all tasks so
        far are tested."""
        datasets, reader = [stage["dataset"] for stage in sequence(self.study, cell)], cell.reader
        options = training(self.study, cell.read_out, reader)["options"]
        once = 0.0
        for number, dataset in enumerate(datasets):
            moved = number > 0 and options["steps"] > 0
            once += self._fit(dataset, reader, cell.n_labels, options) + moved * self._all(dataset, reader)
            once += sum(self._tested(before, reader) for before in datasets[: number + 1])
        drawn = self._drawn(cell.n_labels)
        start = TORCH_S + sum(self._all(dataset, reader) for dataset in dict.fromkeys(datasets))
        return Job("continual", drawn * len(datasets), start + drawn * once)

    def _drawn(self, n_labels: str) -> int:
        """Folds and label draws of a task in a job of the section `behaviour`."""
        transfer = self.study.transfer
        return transfer.folds * transfer.repeats * (1 if n_labels == "all" else given(self.study).draws)

    def _window(self, reader: Reader) -> float:
        """Seconds of a window's forward pass; none of what has no network of the ladder."""
        return self.passes.get((reader.family, reader.depth), 0.0)

    def _all(self, dataset: str, reader: Reader) -> float:
        """Seconds of a forward pass of all windows."""
        return self.sizes[dataset].windows * self._window(reader)

    def _tested(self, dataset: str, reader: Reader) -> float:
        """Seconds of a forward pass of the windows that a fold tests."""
        return self._all(dataset, reader) / self.study.transfer.folds

    def _fit(self, dataset: str, reader: Reader, n_labels: str, options: Mapping[str, Any]) -> float:
        """Seconds of training one network, the choice of its learning rate included."""
        size, rates = self.sizes[dataset], len(options["learning_rates"])
        n = size.windows // size.each if n_labels == "all" else int(n_labels)
        runs = 1 + (rates if n >= CHOICE_FROM and rates > 1 else 0)
        subjects = min(options["batch_subjects"], n)
        return float(runs * options["steps"] * STEP * subjects * size.each * self._window(reader))
