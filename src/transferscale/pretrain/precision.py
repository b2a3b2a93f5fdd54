"""Numbers of a training step: fp32, or bf16 autocast where this machine is really faster with it.

Many CPUs compute bf16 in software, slower than fp32, so it is measured. fp16 is never used: it needs loss scaling, and
on a CPU its matrix product is a hundred times slower.
"""

import time

import torch

from transferscale.errors import UserError

CHOICES = ("fp32", "bf16", "auto")
# bf16 must be faster than fp32 by this factor: below it casting eats the gain.
PAYS = 1.25
SIDE, REPEATS = 256, 7


def chosen_precision(wanted: str, device: torch.device) -> str:
    """``fp32`` or ``bf16`` for a spec's ``precision``.

    Raises
    ------
    UserError
        If bf16 is asked for on a machine that is not faster with it, or the name is unknown.
    """
    if wanted not in CHOICES:
        raise UserError(f"pretrain.precision: '{wanted}' is unknown; one of {', '.join(CHOICES)}")
    if wanted == "fp32":
        return "fp32"
    if device.type == "cuda":
        pays, why = torch.cuda.is_bf16_supported(including_emulation=False), "this GPU lacks bf16"
    else:
        single, half = matmul_flops(torch.float32), matmul_flops(torch.bfloat16)
        pays = half >= PAYS * single
        why = (
            f"this CPU multiplies matrices at {half / 1e9:.0f} GFLOP/s in bf16 and {single / 1e9:.0f} in fp32"
        )
    if not pays and wanted == "bf16":
        raise UserError(f"pretrain.precision: bf16 does not pay here ({why}); write fp32 or auto")
    return "bf16" if pays else "fp32"


def matmul_flops(dtype: torch.dtype) -> float:
    """FLOP/s of a square matrix product on this CPU, best of a few, in some milliseconds."""
    one = torch.full((SIDE, SIDE), 0.5, dtype=dtype)
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        one @ one
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best
