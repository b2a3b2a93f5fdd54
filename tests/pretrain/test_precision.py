"""bf16 where it pays, fp32 elsewhere, fp16 never."""

import json
from pathlib import Path

import pytest
import torch

from tests.pretrain.rungs import differing, rung, stop_at
from transferscale.errors import UserError
from transferscale.pretrain import precision
from transferscale.pretrain.precision import chosen_precision, matmul_flops
from transferscale.study.load import load_study

CPU = torch.device("cpu")


def slow_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that computes bf16 in software."""
    monkeypatch.setattr(precision, "matmul_flops", lambda dtype: {torch.float32: 1e11}.get(dtype, 1e10))


def fast_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU with instructions for bf16."""
    monkeypatch.setattr(precision, "matmul_flops", lambda dtype: {torch.float32: 1e11}.get(dtype, 3e11))


def test_auto_is_bf16_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_bf16(monkeypatch)
    assert chosen_precision("auto", CPU) == "fp32"
    fast_bf16(monkeypatch)
    assert chosen_precision("auto", CPU) == chosen_precision("bf16", CPU) == "bf16"
    assert chosen_precision("fp32", CPU) == "fp32"


def test_bf16_that_does_not_pay_is_refused_with_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_bf16(monkeypatch)
    with pytest.raises(
        UserError, match=r"bf16 does not pay here .*10 GFLOP/s in bf16 and 100 in fp32.*write fp32"
    ):
        chosen_precision("bf16", CPU)


def test_fp16_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'fp16' is unknown; one of fp32, bf16, auto"):
        chosen_precision("fp16", CPU)


def test_the_speed_of_a_matrix_product_is_a_number_of_this_machine() -> None:
    assert 1e8 < matmul_flops(torch.float32) < 1e13


def test_a_rung_in_bf16_trains_in_it_and_is_judged_in_fp32(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast_bf16(monkeypatch)
    seen: set[tuple[bool, bool]] = set()
    forward = torch.nn.LayerNorm.forward

    def watched(self: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        seen.add((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))
        return forward(self, x)

    monkeypatch.setattr(torch.nn.LayerNorm, "forward", watched)
    half = rung(corpus, tmp_path / "half", precision="auto")
    assert seen == {(True, True), (False, False), (True, False)}  # the last counts FLOPs
    whole = rung(corpus, tmp_path / "whole")
    one, other = (json.loads((f / "model.json").read_text()) for f in (half, whole))
    assert (one["precision"], other["precision"]) == ("bf16", "fp32")
    assert one["train_loss"] != other["train_loss"]
    assert one["heldout_loss"] == pytest.approx(other["heldout_loss"], rel=0.05)


def test_a_resumed_rung_keeps_the_precision_it_began_with(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fast_bf16(patched)
        through = rung(corpus, tmp_path / "through" / "rung1", precision="auto")
        stop_at(5, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "again" / "rung1", precision="auto")
    slow_bf16(monkeypatch)
    assert not differing(rung(corpus, tmp_path / "again" / "rung1", precision="auto"), through)


def test_the_rungs_of_a_trunk_keep_its_precision(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fast_bf16(patched)
        first = rung(corpus, tmp_path / "rung1", precision="auto")
    slow_bf16(monkeypatch)
    second = rung(corpus, tmp_path / "rung2", first / "trunk.ckpt", precision="auto")
    assert json.loads((second / "model.json").read_text())["precision"] == "bf16"


def test_a_study_may_ask_for_what_is_known() -> None:
    study = load_study(Path(__file__).parents[2] / "config" / "config.yaml")
    assert study.pretrain.precision in precision.CHOICES
