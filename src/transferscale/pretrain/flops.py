"""FLOPs of a training step as torch counts them, to check the ladder's formula on every checkpoint."""

from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.objective import Objective


def counted_training_flops(objective: Objective) -> int:
    """FLOPs of one clip's forward and backward pass (gradients are left as they were).

    Attention is run as plain matrix products, because torch does not count its fused kernel for CPUs; the gradient
    of a depthwise filter is counted as the convolution it is, where torch's own rule takes it for a full one.
    """
    scale = objective.encoder.scale
    parameters = [p for network in objective.networks.values() for p in network.parameters()]
    device = parameters[0].device
    batch = Batch(
        torch.zeros(1, scale.frames, scale.size, scale.size, device=device),
        Draw("flops", np.zeros(1, np.int64), np.zeros(1, np.uint64)),
        torch.zeros(1, dtype=torch.int64, device=device),
    )
    rules = {torch.ops.aten.convolution_backward: _convolution_backward}
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=rules) as counter:
        torch.autograd.grad(objective.losses(batch).sum(), parameters)
    return int(counter.get_total_flops())


def _convolution_backward(
    gradient: list[int], _x: list[int], weight: list[int], *rest: Any, **_kwargs: Any
) -> int:
    """As many FLOPs for the gradient of the input, and again for that of the filter, as the forward pass has.

    ``rest`` holds bias, stride, padding, dilation, transposed, output padding, groups, and which of the three
    gradients are wanted.
    """
    wanted = rest[7]
    return (int(wanted[0]) + int(wanted[1])) * conv_flop_count(gradient, weight, gradient)
