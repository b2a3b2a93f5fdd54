"""An attack on the input: projected gradient descent (Madry et al. 2018, arXiv 1706.06083).

The change of a window that raises the read-out's own loss on the true label most, no column of it larger than the
radius. This is the one place where labels of test subjects are read before predictions are scored: an attacker knows
the truth. Nothing flows back from it: the read-out is fitted before and is left as it is, and what the labels say goes
into the attacked window alone.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Gradient steps, and the length of one as a share of the radius: together 2.5 radii, as Madry et al. take.
STEPS = 7
LENGTH = 2.5 / STEPS


def attack(
    losses: Callable[[Tensor], Tensor],
    series: Float[Tensor, "windows volumes columns"],
    row: Int[Tensor, " windows"],  # type: ignore[name-defined]
    radius: Float[Tensor, " windows"],  # type: ignore[name-defined]
    start: Float[Tensor, "windows volumes columns"],
) -> Float[Tensor, "windows volumes columns"]:
    """Attacked windows: of all steps and the clean windows, for every row those with the largest loss.

    Parameters
    ----------
    losses
        Windows -> loss of every row (rows,), each of its own windows alone.
    series
        Clean windows.
    row
        Row of each window.
    radius
        Largest change of a number, of each window.
    start
        Where the search starts, -1 to 1, in units of the radius.
    """
    reach = radius[:, None, None]
    with torch.no_grad():
        worst, most = series, losses(series)
    change = start * reach
    for step in range(STEPS + 1):
        shifted = (series + change).requires_grad_()
        reached = losses(shifted)
        higher = reached.detach() > most
        most = torch.where(higher, reached.detach(), most)
        worst = torch.where(higher[row][:, None, None], shifted.detach(), worst)
        if step < STEPS:
            (gradient,) = torch.autograd.grad(reached.sum(), shifted)
            change = (change + LENGTH * reach * gradient.sign()).clamp(-reach, reach)
    return worst
