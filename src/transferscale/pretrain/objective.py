"""What pretraining minimises: a small protocol, and the objectives by name, each in a file of its own."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.errors import UserError, nearest
from transferscale.ladder.cost import Work
from transferscale.models.build import build
from transferscale.models.encoder import VideoEncoder
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.jepa import JointEmbedding
from transferscale.pretrain.mae import MaskedAutoencoder
from transferscale.pretrain.next import NextFrames
from transferscale.pretrain.supervised import Supervised


class Objective(Protocol):
    """An encoder, a decoder that is dropped after pretraining, and a loss a clip.

    Attributes
    ----------
    encoder
        What is kept for transfer.
    networks
        What is trained: ``encoder`` and ``decoder``.
    teachers
        What is carried along and moves without gradient: the ``teacher`` of jepa, nothing elsewhere.
    work
        What it does with a clip's tokens, for FLOPs and memory.
    """

    encoder: VideoEncoder
    networks: dict[str, nn.Module]
    teachers: dict[str, nn.Module]
    work: Work

    def losses(self, batch: Batch, whole: bool = False) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Loss of every clip; whatever is random comes from its draw.

        With ``whole``, as for held-out clips, everything hidden is asked for, so that losses compare whatever share
        of it was asked for in training.
        """
        ...

    def after_step(self) -> None:
        """Move what moves without gradient, after the optimiser's step."""
        ...


OBJECTIVES: Mapping[str, Callable[[VideoEncoder, Mapping[str, Any], int, int], Objective]] = {
    "mae": lambda encoder, options, seed, _: MaskedAutoencoder(encoder, options, seed),
    "jepa": lambda encoder, options, seed, _: JointEmbedding(encoder, options, seed),
    "next": lambda encoder, options, seed, _: NextFrames(encoder, options, seed),
    "supervised": lambda encoder, _, seed, classes: Supervised(encoder, classes, seed),
}


def build_objective(spec: Mapping[str, Any], classes: int = 0) -> Objective:
    """The objective of a rung's spec with its networks at their initial weights.

    Parameters
    ----------
    spec
        ``Grid.rung_spec``.
    classes
        Classes of the training clips, for ``supervised``.

    Raises
    ------
    UserError
        If the objective is unknown, or does not fit the clips.
    """
    options, seed = spec["objective"], int(spec["seed"])
    if options["name"] not in OBJECTIVES:
        raise UserError(
            f"pretrain.objective: unknown objective '{options['name']}'; {nearest(options['name'], OBJECTIVES)}"
        )
    try:
        return OBJECTIVES[options["name"]](build(spec["model"], seed), options, seed, classes)
    except ValueError as error:
        raise UserError(f"pretrain.objective {options['name']}: {error}") from None
