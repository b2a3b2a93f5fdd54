"""The read-out that fine-tuning trains along: linear, unpooled, started at its closed-form optimum.

The head is the frozen read-out (:mod:`transferscale.transfer.readout`: same moments, scaling, loss and penalty) of the
network's output, after the final norm, where frozen features are a layer's before any. It is solved exactly on the
untouched encoder; then encoder and head descend that loss together. Starting from the optimum keeps the first steps
from tearing the encoder apart for the sake of a random head (Kumar et al. 2022, arXiv 2202.10054, linear probing then
fine-tuning), and lets few steps do.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.transfer.aggregate import moments, shares
from transferscale.transfer.features import centred, covariance_products, gram
from transferscale.transfer.readout import solve

# Most that a step moves a score through one block of the head's weights, in units of the learning rate.
HEAD_RATE = 30.0

# Adam's epsilon for the head, as the norm of the gradient of a block of its weights; that of a batch is of order 0.1.
# Where a batch holds all labelled subjects the first gradient is zero but for rounding, which Adam would otherwise
# blow up to whole steps, in a direction that differs from machine to machine.
HEAD_EPSILON = 1e-2


class Head(nn.Module):
    """Linear read-out; see the module.

    Parameters
    ----------
    kind
        Kind of the task.
    windows, member
        Last-layer features of all windows of the training subjects, from the untouched encoder. Rows are
        these subjects, or the windows themselves in a state task and where there is no ``member``.
    target
        From ``readout.targets`` (rows, outputs).
    penalty
        Penalty relative to the mean squared feature norm, as in :mod:`transferscale.transfer.readout`, by whose rule
        it is fixed or chosen.
    """

    decay: Tensor
    side: Tensor
    centres: Tensor
    scales: Tensor
    centre: Tensor

    def __init__(
        self,
        kind: str,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"] | None,
        target: Tensor,
        penalty: float,
    ) -> None:
        super().__init__()
        self.kind, rows = kind, len(target)
        self.register_buffer(
            "decay", torch.tensor((0.5 if kind == "classification" else 1.0) * penalty / rows)
        )
        self.register_buffer("side", _side_weights(kind, target))
        linear, deviation = _features(kind, windows, member)
        self.register_buffer("centres", torch.stack([block.mean(0) for block in linear]))
        deviations = [block - centre for block, centre in zip(linear, self.centres, strict=True)]
        grams = [(block @ block.T).double() for block in deviations]
        if deviation is not None and member is not None:
            grams.append(centred(_covariances(deviation, member)))
        sizes = [float(matrix.diagonal().mean()) for matrix in grams]
        used = max(1, sum(size > 1e-12 for size in sizes))
        scales = [(used * size) ** -0.5 if size > 1e-12 else 0.0 for size in sizes]
        self.register_buffer("scales", torch.tensor(scales))
        kernel = sum(scale**2 * matrix for scale, matrix in zip(scales, grams, strict=True))
        solved, bias = solve(
            kind,
            np.asarray(kernel)[None],
            target.double().numpy()[None],
            np.ones((1, rows)),
            np.array([penalty]),
        )
        dual = torch.from_numpy(solved[0]).float()
        self.bias = nn.Parameter(torch.from_numpy(bias[0]).float())
        self.linear = nn.ParameterList(
            scale * block.T @ dual for scale, block in zip(scales, deviations, strict=False)
        )
        # The covariance's weights, a matrix (features, features) an output; its features are never formed.
        self.quadratic = nn.ParameterList()
        if deviation is not None and member is not None:
            share_of = shares(member).T / deviation.shape[1]
            self.register_buffer("centre", _second(deviation, share_of.sum(1) / rows))
            self.quadratic.extend(
                nn.Parameter(scales[-1] * _second(deviation, share_of @ dual[:, output]))
                for output in range(dual.shape[1])
            )

    def forward(
        self,
        windows: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"] | None,
    ) -> Float[Tensor, "rows outputs"]:
        """Scores of the rows: log-odds for classes, values otherwise."""
        linear, deviation = _features(self.kind, windows, member)
        scores = self.bias.unsqueeze(0)
        for block, centre, scale, weight in zip(linear, self.centres, self.scales, self.linear, strict=False):
            scores = scores + scale * ((block - centre) @ weight)
        if deviation is None or member is None:
            return scores
        share, columns = shares(member), []
        for weight in self.quadratic:
            of_window = ((deviation @ weight) * deviation).sum((1, 2)) / deviation.shape[1]
            columns.append(self.scales[-1] * (share @ of_window - (weight * self.centre).sum()))
        return scores + torch.stack(columns, dim=1)

    def losses(self, scores: Tensor, target: Tensor) -> Tensor:
        """Loss of each row (rows,): weighted logistic for classes, squared error otherwise."""
        if self.kind != "classification":
            return ((scores - target) ** 2).sum(1)
        side = torch.where(target > 0, self.side[:, 1], self.side[:, 0])
        return (side * nn.functional.softplus(torch.where(target > 0, -scores, scores))).sum(1)

    def objective(self, scores: Tensor, target: Tensor) -> Tensor:
        """Mean loss of a batch plus the penalty: a training row's share of what the head was solved for."""
        return self.losses(scores, target).mean() + self.shrinkage()

    def shrinkage(self) -> Tensor:
        """A training row's share of the penalty."""
        return self.decay * self.squares().sum()

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Its weights, grouped for AdamW.

        Adam moves each of p weights by about the learning rate, and with it the score of features of unit norm by up to
        the rate times p^1/2; dividing by p^1/2 lets blocks of any size move the score alike. No decay: the head has a
        penalty of its own.
        """
        return [
            {
                "params": [weight],
                "lr": learning_rate * HEAD_RATE / weight.numel() ** 0.5,
                "weight_decay": 0.0,
                "eps": HEAD_EPSILON / weight.numel() ** 0.5,
            }
            for weight in self.parameters()
        ]

    def squares(self) -> Tensor:
        """Squared norm of the weights of each output (outputs,)."""
        total: Tensor = torch.stack([(weight**2).sum(0) for weight in self.linear]).sum(0)
        if len(self.quadratic):
            total = total + torch.stack([(weight**2).sum() for weight in self.quadratic])
        return total

    def decision(self, scores: Tensor) -> Tensor:
        """Scores as they are written: distances from the boundary for classes (see ``readout``)."""
        if self.kind != "classification":
            return scores
        norm = self.squares().sqrt()
        distance: Tensor = torch.where(norm > 1e-12, scores / norm.clamp(min=1e-12), 0.0)
        return distance


def inner_products(
    kind: str,
    windows: Float[Tensor, "windows times features"],
    member: Float[Tensor, "windows subjects"] | None,
) -> list[npt.NDArray[np.float32]]:
    """Gram blocks (rows, rows) of the features that a :class:`Head` reads, as ``readout`` takes them."""
    linear, deviation = _features(kind, windows, member)
    grams = [gram(block) for block in linear]
    if deviation is not None and member is not None:
        grams.append(centred(_covariances(deviation, member)).float())
    return [matrix.numpy() for matrix in grams]


def _covariances(
    deviation: Float[Tensor, "windows times features"], member: Float[Tensor, "windows subjects"]
) -> Float[Tensor, "subjects subjects"]:
    """Inner products of the subjects' covariances."""
    share = shares(member).double()
    products: Tensor = share @ covariance_products(deviation) @ share.T
    return products


def _features(
    kind: str,
    windows: Float[Tensor, "windows times features"],
    member: Float[Tensor, "windows subjects"] | None,
) -> tuple[list[Tensor], Tensor | None]:
    """Linear feature blocks of the rows, and the deviations that make up the covariance (not for windows)."""
    if kind == "state" or member is None:
        return [windows.flatten(1)], None
    mean, sd, deviation = moments(windows, member)
    return [mean, sd], deviation


def _second(
    deviation: Float[Tensor, "windows times features"], weight: Tensor
) -> Float[Tensor, "features features"]:
    """Sum of x x' over times and windows, each window times its ``weight`` (windows,)."""
    flat = deviation.flatten(0, 1)
    return flat.T @ (flat * weight.repeat_interleave(deviation.shape[1])[:, None])


def _side_weights(kind: str, target: Tensor) -> Float[Tensor, "outputs 2"]:
    """Weight of the negative and the positive side of each output: both weigh half of the rows."""
    rows = len(target)
    positive = target.sum(0) if kind == "classification" else torch.full((target.shape[1],), rows / 2)
    return rows / 2 / torch.stack([rows - positive, positive], dim=1).clamp(min=1)
