"""Memory that a job of transfer takes, by formula: of the network, of the windows, and of what the job does with them.

In float32, at the peak, interpreter included. What is counted several times was seen to be there several times at once;
estimates are held against real jobs (docs/benchmarks/transfer-memory.md).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transferscale.ladder import Scale, scale
from transferscale.ladder.cost import INTERPRETER_BYTES, SLACK, Work, training_bytes
from transferscale.study.grid import HEADROOM

FLOAT = 4
# Windows of a forward pass without gradient (transfer.features.BATCH_WINDOWS), units of a layer of the perceptron
# (transfer.perceptron.HIDDEN), what moments may take and how many times their features (transfer.features); repeated
# here because those modules import torch.
BATCH_WINDOWS, HIDDEN, MOMENT_BYTES, MOMENT_COPIES = 32, 512, 2**30, 4
# Windows and features of the subjects that a head is solved on: as taken, moments, deviations, their products.
HEAD_COPIES = 6
# A matrix of the head's covariance: weights, gradient, Adam's moments, the centre, and a sum on its way.
COVARIANCE_COPIES = 6
# A window that is tested: as corrupted, painted, and their like in between.
TEST_COPIES = 4


@dataclass(frozen=True)
class Shown:
    """What there is of a dataset's view.

    Attributes
    ----------
    windows, each
        Number of windows; of the subject with most.
    volumes, columns, pixels
        Of a window; pixels of a volume.
    """

    windows: int
    each: int
    volumes: int
    columns: int
    pixels: int

    @property
    def series(self) -> float:
        """Bytes of all windows as columns."""
        return FLOAT * self.windows * self.volumes * self.columns

    @property
    def clips(self) -> float:
        """Bytes of all windows as clips."""
        return FLOAT * self.windows * self.volumes * self.pixels


@dataclass(frozen=True)
class Network:
    """What a window becomes in a network, and what training takes.

    Attributes
    ----------
    shape
        Of an encoder; None where there is none.
    parameters
        Its weights.
    times, features
        Steps of time of a window, and numbers of a step, in any layer.
    layers
        Layers that are read, the embedding included.
    painted
        Whether it takes windows as clips, not as columns.
    """

    shape: Scale | None
    parameters: int
    times: int
    features: int
    layers: int
    painted: bool

    @classmethod
    def of(cls, shape: Scale) -> "Network":
        """A video encoder."""
        features = shape.places * shape.width
        return cls(shape, shape.params_encoder, shape.times, features, shape.depth + 1, True)

    @classmethod
    def perceptron(cls, shown: Shown) -> "Network":
        """Arm ``raw:mlp``."""
        return cls(None, HIDDEN * (shown.volumes * shown.columns + HIDDEN + 2), 1, HIDDEN, 1, False)

    @classmethod
    def columns(cls, shown: Shown) -> "Network":
        """Arm ``raw:linear`` of the section `behaviour`."""
        return cls(None, 0, shown.volumes, shown.columns, 1, False)

    def tokens(self, windows: float) -> float:
        """Bytes of one layer's tokens."""
        return FLOAT * windows * self.times * self.features

    def inputs(self, shown: Shown) -> float:
        """Bytes of all windows as it takes them."""
        return shown.clips if self.painted else shown.series

    def encoding(self) -> float:
        """Bytes of a forward pass without gradient: of one block at a time."""
        if self.shape is None:
            return 2 * self.tokens(BATCH_WINDOWS)
        return self._training(replace(self.shape, depth=1), BATCH_WINDOWS)

    def training(self, windows: float) -> float:
        """Bytes of a forward and backward pass, optimiser included."""
        if self.shape is None:
            return 4 * FLOAT * self.parameters + 3 * self.tokens(windows)
        return self._training(self.shape, math.ceil(windows))

    @staticmethod
    def _training(shape: Scale, windows: int) -> float:
        work = Work(shape.times, shape.places, watched=False, asked=0, outputs=1)
        return training_bytes(shape, work, windows)


@dataclass(frozen=True)
class Training:
    """How a read-out trains.

    Attributes
    ----------
    read_out
        Its name.
    subjects
        Labelled subjects; None for all.
    batch
        Subjects of a step; 0 where no step is taken.
    outputs
        Outputs of the head that read a covariance, of the task that has most; 0 where tasks are of windows alone.
    """

    read_out: str
    subjects: int | None
    batch: int
    outputs: int

    @classmethod
    def of(cls, spec: Mapping[str, Any], asked: Iterable[Mapping[str, Any]]) -> "Training":
        """Of a job's spec and the tasks that it asks."""
        options, n = spec["options"], spec["n_labels"]
        batch = options["batch_subjects"] if options["steps"] else 0
        subjects = None if n == "all" else int(n)
        return cls(spec["read_out"], subjects, batch, max(map(_outputs, asked), default=0))


def features_mb(shape: Scale, shown: Shown) -> int:
    """Megabytes that ``transfer features`` is to be given; no part of a spec, as none of the following."""
    return _mb(features_bytes(Network.of(shape), shown))


def trained_mb(spec: Mapping[str, Any], shape: Scale | None, shown: Shown) -> int:
    """Megabytes that ``transfer fit`` is to be given for a read-out that trains.

    Parameters
    ----------
    spec
        ``Grid.fit_spec``.
    shape
        Of the encoder, None where the reader has none.
    """
    return _mb(trained_bytes(_network(spec, shape, shown), shown, Training.of(spec, spec["tasks"].values())))


def behaviour_mb(
    spec: Mapping[str, Any], shape: Scale | None, shown: Shown, onto: Sequence[Shown], folds: int
) -> int:
    """Megabytes that ``transfer behave`` is to be given (``Grid.behaviour_spec``); ``onto`` in the spec's order."""
    training = Training.of(spec, spec["tasks"].values())
    attacked = len(spec["radii"]) > 0
    return _mb(behaviour_bytes(_network(spec, shape, shown), shown, training, folds, attacked, onto))


def continual_mb(spec: Mapping[str, Any], shape: Scale | None, shown: Sequence[Shown], folds: int) -> int:
    """Megabytes that ``transfer continual`` is to be given (``Grid.continual_spec``) on the views of its datasets."""
    training = Training.of(spec, (stage["asks"] for stage in spec["stages"]))
    return _mb(continual_bytes(_network(spec, shape, shown[0]), shown, training, folds))


def shape_of(spec: Mapping[str, Any]) -> Scale:
    """Shape of a network of the ladder (``Grid.model_spec``)."""
    return scale(**{key: value for key, value in spec.items() if key != "version"})


def _network(spec: Mapping[str, Any], shape: Scale | None, shown: Shown) -> Network:
    if shape is not None:
        return Network.of(shape)
    return Network.perceptron(shown) if spec["arm"] == "raw:mlp" else Network.columns(shown)


def _outputs(asked: Mapping[str, Any]) -> int:
    """Outputs of a task's head; two where its classes are not named."""
    if asked["kind"] == "state":
        return 0
    classes = len(asked.get("classes") or []) if asked["kind"] == "classification" else 1
    return {0: 2, 2: 1}.get(classes, classes)


def _mb(needed: float) -> int:
    return math.ceil(HEADROOM * needed / 1e6)


def features_bytes(network: Network, shown: Shown) -> float:
    """Bytes of extracting frozen features."""
    w, layer = shown.windows, network.tokens(shown.windows)
    # Tokens and their deviations; moments; one block of rows of the products of deviations.
    kept = 2 * layer + min(MOMENT_COPIES * layer, MOMENT_BYTES)
    products = 2 * FLOAT * 16 * w * network.times**2 + 8 * 3 * w**2
    # Four blocks a layer of at most (windows x windows), in memory and as the bytes that are written.
    matrices = 3 * FLOAT * network.layers * 2 * w**2
    read = FLOAT * network.parameters * 2 + network.inputs(shown)
    return INTERPRETER_BYTES + read + max(kept + products, layer + network.encoding()) + matrices


def trained_bytes(network: Network, shown: Shown, training: Training) -> float:
    """Bytes of fitting a read-out that trains, at every task, fold and draw."""
    kept = FLOAT * network.parameters * 2 + network.inputs(shown) + network.tokens(shown.windows)
    return INTERPRETER_BYTES + kept + max(network.encoding(), _fit_bytes(network, shown, training))


def behaviour_bytes(
    network: Network, shown: Shown, training: Training, folds: int, attacked: bool, onto: Sequence[Shown]
) -> float:
    """Bytes of a job of the section `behaviour`.

    Parameters
    ----------
    folds
        Of which one is tested at a time.
    attacked
        Whether windows are attacked: a gradient then goes back through all that are tested.
    onto
        The other datasets that it is asked of.
    """
    tested = [one.windows / folds for one in (shown, *onto)]
    recorded = sum(2 * one.series + network.inputs(one) for one in (shown, *onto))
    test = max(
        TEST_COPIES * (network.tokens(n) + n / shown.windows * (shown.clips + shown.series)) for n in tested
    )
    if attacked:
        test += SLACK * network.training(tested[0])
    return trained_bytes(network, shown, training) + recorded + test


def continual_bytes(network: Network, shown: Sequence[Shown], training: Training, folds: int) -> float:
    """Bytes of a sequence of tasks on datasets; where the network moves, all windows are encoded anew."""
    largest = max(shown, key=lambda one: one.windows)
    others = sum(network.inputs(one) + network.tokens(one.windows) for one in shown)
    recorded = sum(2 * one.series for one in shown)
    test = TEST_COPIES * network.tokens(largest.windows / folds)
    # A network and a head for each task that was learned.
    heads = (len(shown) + 1) * (
        FLOAT * network.parameters + _covariance_bytes(network, training) / COVARIANCE_COPIES
    )
    return trained_bytes(network, largest, training) + others + recorded + test + heads


def _fit_bytes(network: Network, shown: Shown, training: Training) -> float:
    """Bytes of solving the head, and of a step."""
    n = shown.windows if training.subjects is None else min(shown.windows, training.subjects * shown.each)
    covariance = _covariance_bytes(network, training)
    solving = HEAD_COPIES * network.tokens(n) + 8 * 3 * n**2 + 2 * FLOAT * 16 * n * network.times**2
    if training.read_out == "attentive":
        return solving
    batch = min(training.batch * shown.each, n)
    step = SLACK * network.training(batch) + HEAD_COPIES * network.tokens(batch) if batch else 0.0
    return covariance + max(solving, step)


def _covariance_bytes(network: Network, training: Training) -> float:
    """Bytes of what a head says of the covariance between the features of a time step."""
    return COVARIANCE_COPIES * FLOAT * network.features**2 * training.outputs
