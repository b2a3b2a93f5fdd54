"""What a read-out is shown of a window's columns: a clip, or the columns themselves for ``raw:linear``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder.multipliers import UNSCALED
from transferscale.medical.layout import EMPTY
from transferscale.medical.reading import View
from transferscale.transfer.features import BATCH_WINDOWS, check_geometry, load
from transferscale.transfer.head import Head
from transferscale.transfer.trained.network import Network, tokens_of


class Columns(nn.Module):
    """Arm ``raw:linear`` as a network that does nothing: a volume is a time step, its columns are the features."""

    multipliers = UNSCALED

    def __init__(self, volumes: int, columns: int) -> None:
        super().__init__()
        self.grid, self.width = (volumes, 1, 1), columns

    def forward(
        self, series: Float[Tensor, "windows volumes columns"]
    ) -> Float[Tensor, "windows volumes columns"]:
        """The series itself."""
        return series


class Shown:
    """Lays windows out as the reader takes them, differentiably.

    Parameters
    ----------
    arm
        Arm of the reader.
    view
        The view, for its layout.
    """

    def __init__(self, arm: str, view: View) -> None:
        self.painted = arm != "raw:linear"
        self.layout = torch.from_numpy(view.layout).long()

    def __call__(
        self, series: Float[Tensor, "windows volumes columns"]
    ) -> Float[Tensor, "windows volumes *places"]:
        """Clips (windows, volumes, size, size), or the series themselves (``medical.layout.lay_out``)."""
        if not self.painted:
            return series
        # Pixel -1 reads the last column, which is the empty one.
        empty = torch.full((*series.shape[:2], 1), float(EMPTY))
        return torch.cat([series, empty], dim=2)[:, :, self.layout]


def network(spec: Mapping[str, Any], checkpoint: Path | None, view: View) -> Network:
    """The network of a reader.

    Raises
    ------
    UserError
        If the checkpoint is missing or broken, or its geometry is not the view's.
    """
    if spec["arm"] == "raw:linear":
        return cast("Network", Columns(int(view.contract["shape"][0]), view.series.shape[1]))
    model = load({"model": spec["model"], "seed": max(int(spec["seed"]), 0)}, checkpoint)
    check_geometry(model, view, view.folder)
    return model


def scores(
    model: Network, head: Head, inputs: Tensor, member: Float[Tensor, "windows subjects"]
) -> Float[Tensor, "rows outputs"]:
    """Scores of the rows that these windows make up (``tuner.Tuner.scores`` on any windows)."""
    parts = [tokens_of(model, part) for part in torch.split(inputs, BATCH_WINDOWS)]
    return head(torch.cat(parts), member)
