"""Whether a network can be trained in the memory at hand."""

import os
from pathlib import Path

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.ladder.cost import INTERPRETER_BYTES, Work, training_bytes


def available_bytes() -> int:
    """Memory of the GPU that would be used, else of this machine or of the container it is."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1])
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total


def refuse_what_does_not_fit(scale: Scale, work: Work, batch: int, accumulate: int) -> None:
    """Tell beforehand that a network does not fit, instead of being killed for it.

    Parameters
    ----------
    batch, accumulate
        Clips of a step, and the parts in which they are taken.

    Raises
    ------
    UserError
        If training needs at the least more than this machine has.
    """
    needed, there = training_bytes(scale, work, batch // accumulate) + INTERPRETER_BYTES, available_bytes()
    if needed > there:
        raise UserError(
            f"pretrain.{scale.family}.depths: depth {scale.depth} ({scale.params_encoder:,} parameters) needs "
            f"at least {needed / 1e9:,.1f} GB to train with {batch // accumulate} clips at once, and this machine "
            f"has {there / 1e9:,.1f} GB; leave the depth out, lower pretrain.batch or raise pretrain.accumulate"
        )
