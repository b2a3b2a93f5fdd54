"""What a read-out that trains has to say, and which there are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from transferscale.errors import UserError, nearest
from transferscale.transfer.head import Head
from transferscale.transfer.trained.attentive import Attentive
from transferscale.transfer.trained.fpt import Fpt
from transferscale.transfer.trained.full import Full
from transferscale.transfer.trained.lora import Lora
from transferscale.transfer.trained.network import Network

Identity = Sequence[Any]


class ReadOut(Protocol):
    """Which weights move, how fast, and which head reads the tokens.

    Before the first step a network says what the encoder says that it was made from: whatever a read-out adds
    starts at nothing. So every read-out starts at the frozen one.
    """

    def begin(self, encoder: Network, identity: Identity) -> Network:
        """A copy of the encoder in which what moves has ``requires_grad``; the encoder itself where nothing moves."""

    def groups(self, model: Network, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """What moves, grouped for AdamW (``params``, ``lr``, ``weight_decay``, ``eps``)."""

    def head(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        target: Float[Tensor, "rows outputs"],
        identity: Identity,
        penalty: float,
    ) -> Head:
        """The head, at its optimum on these features of the training subjects."""

    def inner_products(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        identity: Identity,
    ) -> list[npt.NDArray[np.float32]]:
        """Gram blocks (rows, rows) of what that head reads, on which its penalty is chosen."""


READ_OUTS = ("full", "fpt", "lora", "attentive")


def read_out(name: str, options: Mapping[str, Any]) -> ReadOut:
    """The read-out of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    if name == "full":
        return Full()
    if name == "fpt":
        return Fpt()
    if name == "lora":
        return Lora(int(options["rank"]))
    if name == "attentive":
        return Attentive()
    raise UserError(f"transfer.read_outs: no read-out '{name}' that trains; {nearest(name, READ_OUTS)}")
