"""Optimisers of a rung: AdamW, or Muon for the hidden matrices and AdamW for the rest.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces the gradient of a matrix by its nearest
orthogonal matrix. Which muP multiplier applies: the update has spectral norm sqrt(max(1, rows / columns)) times the
rate at every width (torch's ``adjust_lr_fn="original"``), and an update of that size changes features by the same
amount at every width (Yang, Simon & Bernstein 2023, arXiv 2310.17813). So Muon's rate has no factor 1 / m_d, and, like
Adam's under CompleteP with alpha = 1, none of depth. ``"match_rms_adamw"`` would need m_d^-1/2.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from transferscale.ladder import Multipliers

BETAS = (0.9, 0.95)
# RMS of an AdamW update in units of its rate (Liu et al. 2025, arXiv 2502.16982): one base rate serves both.
ADAMW_RMS = 0.2


def optimiser(name: str, groups: Sequence[dict[str, Any]], width: int, multipliers: Multipliers) -> Optimizer:
    """The optimiser of a rung over the groups of :func:`transferscale.models.mup.parameter_groups`.

    Parameters
    ----------
    name
        ``adamw`` or ``muon``.
    width, multipliers
        Of the encoder.
    """
    if name == "adamw":
        return AdamW(groups, betas=BETAS, fused=True)
    hidden = [group for group in groups if group["name"] == "hidden"]
    rest = [group for group in groups if group["name"] != "hidden"]
    muon = [muon_group(group, width, multipliers) for group in hidden]
    return Chained(Muon(muon, adjust_lr_fn="original"), AdamW(rest, betas=BETAS, fused=True))


def muon_group(group: dict[str, Any], width: int, multipliers: Multipliers) -> dict[str, Any]:
    """The group of hidden matrices for Muon.

    At depth 1 a square matrix gets updates of the RMS that AdamW would give it; from there on muP's factor is taken
    back, because Muon does not need it. Rate times decay is AdamW's.
    """
    base = group["lr"] / multipliers.hidden_rate
    rate = base * ADAMW_RMS * math.sqrt(width / multipliers.width)
    return {
        "name": "hidden",
        "params": group["params"],
        "lr": rate,
        "weight_decay": group["weight_decay"] * group["lr"] / rate,
    }


class Chained(Optimizer):
    """Two optimisers as one, each over its own parameters."""

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        # The same dicts, so that a rate set here is set there.
        super().__init__([group for part in parts for group in part.param_groups], {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Run the closure once, then step every part."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of all parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give each part its state."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
