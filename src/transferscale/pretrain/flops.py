"""FLOPs of a training step as torch counts them, to check the ladder's formula on every checkpoint."""

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from transferscale.pretrain.counter import Draw
from transferscale.pretrain.objective import Objective


def counted_training_flops(objective: Objective) -> int:
    """FLOPs of one clip's forward and backward pass (gradients are left as they were).

    Attention is run as plain matrix products, because torch does not count its fused kernel for CPUs.
    """
    scale = objective.encoder.scale
    parameters = [*objective.encoder.parameters(), *objective.decoder.parameters()]
    clip = torch.zeros(1, scale.frames, scale.size, scale.size, device=parameters[0].device)
    draw = Draw("flops", np.zeros(1, np.int64), np.zeros(1, np.uint64))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        torch.autograd.grad(objective.losses(clip, draw).sum(), parameters)
    return int(counter.get_total_flops())
