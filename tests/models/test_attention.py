"""Attention is the same function whichever kernel computes it."""

import pytest
import torch

from transferscale.models import attention
from transferscale.models.attention import Attention, attend
from transferscale.models.mup import generator, initialise


def layer(**options: bool) -> Attention:
    made = Attention(32, 2, **options)
    initialise(made, generator("attention", 0))
    with torch.no_grad():
        for bias in (made.bias_q, made.bias_v):
            if bias is not None:
                bias.normal_(generator=torch.Generator().manual_seed(5))
    return made


TOKENS = torch.randn(2, 10, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("options", [{}, {"qk_norm": False}, {"qk_norm": False, "qkv_bias": True}])
def test_tokens_that_are_not_asked_change_nothing_for_those_that_are(options: dict[str, bool]) -> None:
    made = layer(**options)
    torch.testing.assert_close(made(TOKENS, skip=4), made(TOKENS)[:, 4:])


def test_both_kernels_agree_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (torch.randn(2, 3, 40, 16, generator=torch.Generator().manual_seed(i)) for i in range(3))
    exact = attend(q, k, v)
    halves = [x.bfloat16() for x in (q, k, v)]
    plain = attend(*halves)
    monkeypatch.setattr(attention, "FUSED_FROM", 0)
    fused = attend(*halves)
    assert plain.dtype == fused.dtype == torch.bfloat16
    for found in (plain, fused):
        assert ((found.float() - exact).norm() / exact.norm()).item() < 0.01
