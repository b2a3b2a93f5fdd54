"""Read-out ``attentive``: the encoder stays, and learned queries pool its tokens by attention.

Notable:
- each query attends over all unpooled tokens of all windows of a subject, or of one window in a state task; what the
  queries found is read by a linear head. It is the cross-attention of V-JEPA's probe (Bardes et al. 2024,
  arXiv 2404.08471) in the form of Psomas et al. 2025 (arXiv 2506.10178): keys and values are the normed tokens
  themselves, because a map of the keys is one of the query, and a map of the values one of the head;
- queries start at random, so that they differ, with logits of unit SD, so that they pool softly; they depend on seed,
  task, repeat, fold and draw, not on the arm. The head starts at its optimum on what they pool: the read-out starts at
  random pooling, exactly solved, and its few steps go into where to look. Started at zero instead, the head would
  spend them on what has a closed form.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.artefacts import fingerprint
from transferscale.models.mup import generator
from transferscale.transfer.head import HEAD_RATE, Head, inner_products
from transferscale.transfer.trained.network import Network

QUERIES = 16


class Attentive:
    """The encoder stays as it is; see the module."""

    def begin(self, encoder: Network, identity: Sequence[Any]) -> Network:
        """The encoder itself."""
        return encoder

    def groups(self, model: Network, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Nothing of the encoder moves."""
        return []

    def head(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        target: Float[Tensor, "rows outputs"],
        identity: Sequence[Any],
        penalty: float,
    ) -> "AttentiveHead":
        """Queries of this identity, and the head at its optimum on what they pool."""
        return AttentiveHead(kind, windows, member, target, penalty, _queries(encoder, identity))

    def inner_products(
        self,
        encoder: Network,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        identity: Sequence[Any],
    ) -> list[npt.NDArray[np.float32]]:
        """Those of what the queries of this identity pool."""
        found = _found(_queries(encoder, identity), kind, windows, member)
        return inner_products(kind, found, None)


class AttentiveHead(Head):
    """Pooling by learned queries, and a linear head on what they found.

    Parameters
    ----------
    kind, windows, member, target, penalty
        As for :class:`transferscale.transfer.head.Head`; the features of one time are the tokens of all places.
    queries
        (queries, width of a token).
    """

    def __init__(
        self,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        target: Float[Tensor, "rows outputs"],
        penalty: float,
        queries: Float[Tensor, "queries width"],
    ) -> None:
        super().__init__(kind, _found(queries, kind, windows, member), None, target, penalty)
        self.queries = nn.Parameter(queries)

    def forward(
        self,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"] | None,
    ) -> Float[Tensor, "rows outputs"]:
        """Scores of the rows: log-odds for classes, values otherwise."""
        found = _found(self.queries, self.kind, windows, member)
        scores: Tensor = super().forward(found, None)
        return scores

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """As of any head; a query of w numbers moves its logits, of unit SD, as far as a block moves a score."""
        groups = [group for group in super().groups(learning_rate) if group["params"][0] is not self.queries]
        rate = learning_rate * HEAD_RATE / self.queries.shape[1] ** 0.5
        return [*groups, {"params": [self.queries], "lr": rate, "weight_decay": 0.0, "eps": 1e-8}]


def _queries(encoder: Network, identity: Sequence[Any]) -> Float[Tensor, "queries width"]:
    """The queries that a fit starts with."""
    source = generator("attentive", fingerprint(list(identity)))
    return torch.empty(QUERIES, encoder.width).normal_(0.0, 1.0, generator=source)


def _found(
    queries: Float[Tensor, "queries width"],
    kind: str,
    windows: Float[Tensor, "windows times features"],
    member: Float[Tensor, "windows subjects"] | None,
) -> Float[Tensor, "rows 1 found"]:
    tokens = windows.reshape(len(windows), -1, queries.shape[1])
    return pool(queries, tokens, None if kind == "state" else member).flatten(1).unsqueeze(1)


def pool(
    queries: Float[Tensor, "queries width"],
    tokens: Float[Tensor, "windows tokens width"],
    member: Float[Tensor, "windows subjects"] | None,
) -> Float[Tensor, "rows queries width"]:
    """Mean of the normed tokens of each subject, or of each window without ``member``, weighted by attention.

    The softmax runs over all tokens of all windows of a subject: within a window first, then over windows by what
    their tokens sum to.
    """
    tokens = nn.functional.layer_norm(tokens, tokens.shape[-1:])
    logits = queries @ tokens.transpose(1, 2) * queries.shape[1] ** -0.5
    of_window: Tensor = logits.softmax(-1) @ tokens
    if member is None:
        return of_window
    others = torch.zeros_like(member).masked_fill(member == 0, -torch.inf)
    share = (logits.logsumexp(-1).T.unsqueeze(1) + others.T).softmax(-1)
    pooled: Tensor = torch.einsum("qsw,wqd->sqd", share, of_window)
    return pooled
