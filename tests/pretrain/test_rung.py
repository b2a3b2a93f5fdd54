"""A rung is continued, resumed and repeated to the last bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.pretrain.moving_squares import row, rung_spec, write_corpus
from transferscale.clips.store import ClipWriter
from transferscale.errors import UserError
from transferscale.models.checkpoint import load_encoder
from transferscale.pretrain import data
from transferscale.pretrain.heldout import heldout_losses
from transferscale.pretrain.objective import build_objective
from transferscale.pretrain.rung import open_corpus, run
from transferscale.tables import TABLES, read_table, write_table
from transferscale.versions import STAGE_VERSION

FILES = ("trunk.ckpt", "model.safetensors", "model.json", "curve.parquet")

# (models, pretrain rung) -> train loss, held-out loss and its interval, first and last gradient norm.
GOLDEN = {(1, 1): (0.6313776, 0.7356898, 0.6996308, 0.7810677, 0.3332067, 0.1663878)}


def rung(corpus: Path, out: Path, previous: Path | None = None, **changes: Any) -> Path:
    spec = rung_spec(2 if previous else 1, **changes)
    run(spec, corpus / "clips", corpus / "clips.parquet", previous, out, 1)
    return out


def facts(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return read


def same_bytes(one: Path, other: Path, names: tuple[str, ...] = FILES) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def first(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rung, run through."""
    return rung(corpus, tmp_path_factory.mktemp("trunk") / "rung1")


@pytest.fixture(scope="module")
def second(corpus: Path, first: Path) -> Path:
    """The second rung, continued from the first."""
    return rung(corpus, first.parent / "rung2", first / "trunk.ckpt")


def test_the_same_spec_gives_the_same_bytes(corpus: Path, first: Path, tmp_path: Path) -> None:
    assert same_bytes(rung(corpus, tmp_path / "rung1"), first)


def test_golden_numbers_change_only_with_the_version(first: Path) -> None:
    version = (STAGE_VERSION["models"], STAGE_VERSION["pretrain rung"])
    assert version in GOLDEN, "a version was raised: put its numbers into GOLDEN"
    found, curve = facts(first), read_table(first / "curve.parquet", "curve").to_pylist()
    numbers = [found[key] for key in ("train_loss", "heldout_loss", "heldout_low", "heldout_high")]
    numbers += [curve[0]["grad_norm"], curve[-1]["grad_norm"]]
    assert numbers == pytest.approx(GOLDEN[version], rel=1e-4), "numbers moved: raise STAGE_VERSION"


def test_a_finished_model_is_a_row_of_the_checkpoints_table(second: Path, tmp_path: Path) -> None:
    found = facts(second)
    line = {name: found[name] for name in TABLES["checkpoints"].columns}
    write_table(tmp_path / "checkpoints.parquet", "checkpoints", [line])
    assert line["reader_id"] == "video.motion.mae.vit-d1.s0.r2"
    assert line["path"] == "pretrain/motion/mae/vit-d1/seed0/rung2"
    assert (line["clips_seen"], line["clips_unique"], line["tokens_seen"]) == (160, 36, 160 * 32)
    assert line["flops_counted"] == pytest.approx(line["flops_formula"], rel=0.01)
    assert line["heldout_low"] < line["heldout_loss"] < line["heldout_high"]


def test_the_curve_holds_the_steps_of_the_rung_alone(first: Path, second: Path) -> None:
    curve = read_table(second / "curve.parquet", "curve").to_pylist()
    assert [line["step"] for line in curve] == list(range(9, 21))
    assert [line["clips_seen"] for line in curve] == list(range(72, 161, 8))
    assert [line["phase"] for line in curve] == ["trunk"] * 8 + ["decay"] * 4
    assert [line["step"] for line in read_table(first / "curve.parquet", "curve").to_pylist()] == list(
        range(1, 11)
    )
    assert facts(second)["train_loss"] == curve[-1]["loss"]


def test_training_helps(corpus: Path, first: Path, second: Path) -> None:
    opened = open_corpus(rung_spec(), corpus / "clips", corpus / "clips.parquet")
    untrained = heldout_losses(
        build_objective(rung_spec()), opened.store, opened.heldout, opened.scale, 8
    ).mean()
    assert facts(second)["heldout_loss"] < 0.9 * min(untrained, facts(first)["heldout_loss"])


def test_a_continued_trunk_is_the_trunk_that_was_never_interrupted(
    corpus: Path, second: Path, tmp_path: Path
) -> None:
    through = tmp_path / "through"
    spec = {**rung_spec(2), "trunk_start": 0}
    run(spec, corpus / "clips", corpus / "clips.parquet", None, through, 1)
    one, other = (torch.load(f / "trunk.ckpt", weights_only=True) for f in (through, second))
    assert one["global_step"] == other["global_step"] == 16
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name
    states = (c["optimizer_states"][0]["state"] for c in (one, other))
    for a, b in zip(*(s.values() for s in states), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert (through / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_the_finished_model_is_loaded_for_transfer(first: Path) -> None:
    encoder = load_encoder(first)
    assert encoder(torch.zeros(2, 4, 16, 16)).shape == (2, 32, 32)


def stop_at(step: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal while the batch of ``step`` is being made."""
    at = data.ClipStream.at

    def at_and_stop(self: data.ClipStream, wanted: int) -> data.Batch:
        if wanted == step:
            os.kill(os.getpid(), number)
        return at(self, wanted)

    monkeypatch.setattr(data.ClipStream, "at", at_and_stop)


@pytest.mark.parametrize("step", [9, 14, 17, 19])
def test_resuming_after_sigterm_gives_the_same_bytes(
    corpus: Path, first: Path, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        stop_at(step, signal.SIGTERM, patched)
        with pytest.raises(SystemExit) as left:
            rung(corpus, tmp_path / "rung2", first / "trunk.ckpt")
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (tmp_path / "rung2").exists()
    assert len(list(tmp_path.glob(".resume-*/state.ckpt"))) == 1
    assert same_bytes(rung(corpus, tmp_path / "rung2", first / "trunk.ckpt"), second)
    assert not list(tmp_path.glob(".resume-*"))


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.pretrain.moving_squares import rung_spec
from transferscale.pretrain import data, resume, rung

corpus, previous, out = map(Path, sys.argv[2:5])
resume.SAVE_EVERY_S = 0.0
at = data.ClipStream.at
def at_and_die(self, step):
    if step == int(sys.argv[5]):
        os.kill(os.getpid(), getattr(signal, sys.argv[6]))
    return at(self, step)
data.ClipStream.at = at_and_die
rung.run(rung_spec(2), corpus / "clips", corpus / "clips.parquet", previous, out, 1)
"""


def test_resuming_after_a_kill_gives_the_same_loss_curve(
    corpus: Path, first: Path, second: Path, tmp_path: Path
) -> None:
    previous, killed = str(first / "trunk.ckpt"), {}
    for name in ("SIGKILL", "SIGTERM"):
        arguments = [
            str(Path(__file__).parent),
            str(corpus),
            previous,
            str(tmp_path / name / "rung2"),
            "13",
            name,
        ]
        killed[name] = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])
    for name, status in (("SIGKILL", -signal.SIGKILL), ("SIGTERM", 128 + signal.SIGTERM)):
        assert killed[name].wait(timeout=120) == status
        assert len(list((tmp_path / name).glob(".resume-*/state.ckpt"))) == 1
        again = rung(corpus, tmp_path / name / "rung2", first / "trunk.ckpt")
        assert same_bytes(again, second)


def test_another_spec_does_not_resume_from_what_is_left(
    corpus: Path, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(5, signal.SIGTERM, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "rung1", learning_rate=1e-3)
    assert same_bytes(rung(corpus, tmp_path / "rung1"), first)


def test_seeds_differ_in_weights_and_order(corpus: Path, first: Path, tmp_path: Path) -> None:
    other = rung(corpus, tmp_path / "rung1", seed=1)
    curves = [read_table(f / "curve.parquet", "curve").column("loss").to_pylist() for f in (first, other)]
    assert len(set(curves[0]) & set(curves[1])) == 0


# -- what a person can get wrong -----------------------------------------------------------------------------


def test_fewer_clips_than_a_batch_are_told(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, videos=4, clips=1)
    with pytest.raises(UserError, match=r"clips\.parquet: 3 training clips are fewer than a batch of 8"):
        rung(folder, tmp_path / "rung1")


def test_nothing_held_out_is_told(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path)
    rows = read_table(folder / "clips.parquet", "clips").to_pylist()
    write_table(folder / "clips.parquet", "clips", [{**r, "split": "train"} for r in rows])
    with pytest.raises(UserError, match="no clip is held out"):
        rung(folder, tmp_path / "rung1")


def test_clips_of_another_geometry_are_told(corpus: Path, tmp_path: Path) -> None:
    spec = rung_spec()
    spec["model"]["size"] = 32
    with pytest.raises(UserError, match=r"clips are \(4, 16, 16\), the model takes \(4, 32, 32\)"):
        run(spec, corpus / "clips", corpus / "clips.parquet", None, tmp_path / "rung1", 1)


def test_a_missing_store_is_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"store\.json: no such file"):
        run(rung_spec(), tmp_path, corpus / "clips.parquet", None, tmp_path / "rung1", 1)
    with pytest.raises(UserError, match=r"gone\.parquet: no such file"):
        run(rung_spec(), corpus / "clips", tmp_path / "gone.parquet", None, tmp_path / "rung1", 1)


def test_a_spec_that_lacks_a_key_is_told(corpus: Path, tmp_path: Path) -> None:
    spec = rung_spec()
    del spec["mask_ratio"]
    with pytest.raises(UserError, match="spec: key 'mask_ratio' is missing"):
        run(spec, corpus / "clips", corpus / "clips.parquet", None, tmp_path / "rung1", 1)


def test_the_trunk_of_another_rung_is_told(corpus: Path, first: Path, second: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ends at step 16, but this rung starts at step 8"):
        rung(corpus, tmp_path / "rung2", second / "trunk.ckpt")
    with pytest.raises(UserError, match="needs the trunk"):
        run(rung_spec(2), corpus / "clips", corpus / "clips.parquet", None, tmp_path / "rung2", 1)
    with pytest.raises(UserError, match="takes no --previous"):
        run(
            rung_spec(1),
            corpus / "clips",
            corpus / "clips.parquet",
            first / "trunk.ckpt",
            tmp_path / "rung1",
            1,
        )


def test_a_broken_trunk_is_told(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "trunk.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"trunk\.ckpt: not a readable trunk state"):
        rung(corpus, tmp_path / "rung2", tmp_path / "trunk.ckpt")
    with pytest.raises(UserError, match=r"gone\.ckpt: no such file"):
        rung(corpus, tmp_path / "rung2", tmp_path / "gone.ckpt")


def test_a_budget_without_a_step_is_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave no step of 8 clips"):
        rung(corpus, tmp_path / "rung1", trunk_end=79)


def test_a_loss_that_is_not_finite_names_the_step(tmp_path: Path) -> None:
    folder, rows = tmp_path, []
    with ClipWriter(folder / "clips", (4, 16, 16), "float32") as writer:
        for number in range(48):
            pixels = np.full((4, 16, 16), np.nan if number == 30 else number % 7, np.float32)
            shard, offset = writer.add(pixels)
            rows.append(row(f"v{number:03d}", 0, shard, offset, "heldout" if number < 8 else "train"))
    write_table(folder / "clips.parquet", "clips", rows)
    with pytest.raises(UserError, match=r"loss is nan at step [1-5]; lower pretrain\.learning_rate"):
        rung(folder, tmp_path / "rung1")
