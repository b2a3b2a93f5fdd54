"""Read-out ``full``: every weight of the network moves."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from transferscale.transfer.head import Head, inner_products
from transferscale.transfer.trained.network import Network, groups


class Full:
    """Fine-tuning in full, in the ladder's muP groups, so that one learning rate serves every depth."""

    def begin(self, encoder: Network, identity: Sequence[Any]) -> Network:
        """A copy of the encoder."""
        return copy.deepcopy(encoder).train()

    def groups(self, model: Network, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The groups of all weights, as far as their weights move."""
        every = groups(model, learning_rate, weight_decay)
        moving = [{**group, "params": [p for p in group["params"] if p.requires_grad]} for group in every]
        return [group for group in moving if group["params"]]

    def head(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        target: Float[Tensor, "rows outputs"],
        identity: Sequence[Any],
        penalty: float,
    ) -> Head:
        """The frozen read-out of the last layer."""
        return Head(kind, windows, member, target, penalty)

    def inner_products(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        identity: Sequence[Any],
    ) -> list[npt.NDArray[np.float32]]:
        """Those of the last layer."""
        return inner_products(kind, windows, member)
