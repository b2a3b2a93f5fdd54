"""A rung writes a finished model, the same one every time, and says what is wrong with its input."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretrain.moving_squares import rung_spec, write_corpus
from tests.pretrain.rungs import clips_of, differing, rung
from transferscale.errors import UserError
from transferscale.models.checkpoint import load_encoder
from transferscale.pretrain.data import batches, open_corpus
from transferscale.pretrain.heldout import evaluate
from transferscale.pretrain.objective import build_objective
from transferscale.pretrain.rung import ClipFiles, run
from transferscale.tables import TABLES, read_table, write_table
from transferscale.versions import STAGE_VERSION

# (models, pretrain rung) -> numbers(): renewed with `python -m tests.pretrain.test_rung`.
GOLDEN = {
    (1, 4): (0.6501533, 0.7506697, 0.7179721, 0.7753023, 0.3086190, 0.1362025),
}


def numbers(folder: Path) -> tuple[float, ...]:
    """Train loss, held-out loss and its interval, first and last gradient norm."""
    found, curve = facts(folder), curve_of(folder)
    losses = [found[key] for key in ("train_loss", "heldout_loss", "heldout_low", "heldout_high")]
    return (*losses, curve[0]["grad_norm"], curve[-1]["grad_norm"])


def facts(folder: Path) -> dict[str, Any]:
    """What model.json says."""
    read: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return read


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """Rows of the curve."""
    rows: list[dict[str, Any]] = read_table(folder / "curve.parquet", "curve").to_pylist()
    return rows


@pytest.fixture(scope="module")
def first(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rung, run through."""
    return rung(corpus, tmp_path_factory.mktemp("trunk") / "rung1")


@pytest.fixture(scope="module")
def second(corpus: Path, first: Path) -> Path:
    """The second rung, continued from the first."""
    return rung(corpus, first.parent / "rung2", first / "trunk.ckpt")


def test_the_same_spec_gives_the_same_bytes(corpus: Path, first: Path, tmp_path: Path) -> None:
    assert not differing(rung(corpus, tmp_path / "rung1"), first)


def test_golden_numbers_change_only_with_the_version(first: Path) -> None:
    version = (STAGE_VERSION["models"], STAGE_VERSION["pretrain rung"])
    assert version in GOLDEN, "a version was raised: put its numbers into GOLDEN"
    assert numbers(first) == pytest.approx(GOLDEN[version], rel=1e-4), "numbers moved: raise STAGE_VERSION"


def test_a_finished_model_is_a_row_of_the_checkpoints_table(second: Path, tmp_path: Path) -> None:
    found = facts(second)
    line = {name: found[name] for name in TABLES["checkpoints"].columns}
    write_table(tmp_path / "checkpoints.parquet", "checkpoints", [line])
    assert line["reader_id"] == "video.motion.mae.vit-d1.s0.r2"
    assert line["path"] == "pretrain/motion/mae/vit-d1/seed0/rung2"
    assert (line["clips_seen"], line["clips_unique"], line["tokens_seen"]) == (160, 36, 160 * 32)
    assert line["flops_counted"] == pytest.approx(line["flops_formula"], rel=0.01)
    assert line["heldout_low"] < line["heldout_loss"] < line["heldout_high"]
    assert (line["precision"], line["flags"]) == ("fp32", "")
    assert 1 < line["effective_rank"] <= 10
    assert 0 < line["feature_spread"] <= 1


def test_the_curves_of_a_trunks_rungs_join_up(first: Path, second: Path) -> None:
    one, other = curve_of(first), curve_of(second)
    assert [line["step"] for line in one] == list(range(1, 11))
    assert [line["step"] for line in other] == list(range(9, 21))
    assert [line["clips_seen"] for line in other] == list(range(72, 161, 8))
    assert [line["phase"] for line in other] == ["trunk"] * 8 + ["decay"] * 4
    # Probes at powers of 10^(1/6), of the trunk alone.
    trunk = [line for line in [*one, *other] if line["phase"] == "trunk"]
    assert [line["step"] for line in trunk] == list(range(1, 17))
    names = ("heldout_loss", "effective_rank", "feature_spread", "probe")
    for line in [*one, *other]:
        probed = line["phase"] == "trunk" and line["step"] in (1, 2, 3, 4, 5, 7, 10, 15)
        assert all((line[name] is not None) == probed for name in names), line


def test_train_loss_and_gradient_norm_are_those_of_the_last_tenth_of_the_decay(
    corpus: Path, tmp_path: Path
) -> None:
    made = rung(corpus, tmp_path / "rung1", budget=8 * 38)
    lines = curve_of(made)
    assert len(lines) == 38
    for name, column in (("train_loss", "loss"), ("grad_norm", "grad_norm")):
        assert facts(made)[name] == pytest.approx(sum(line[column] for line in lines[-3:]) / 3, rel=1e-12)


def test_training_helps(corpus: Path, first: Path, second: Path) -> None:
    opened = open_corpus(rung_spec(), [corpus / "clips"], [corpus / "clips.parquet"], None, None)
    untrained = evaluate(build_objective(rung_spec()), batches(opened.heldout, 8)).losses.mean()
    assert facts(second)["heldout_loss"] < 0.95 * min(untrained, facts(first)["heldout_loss"])


def test_the_finished_model_is_loaded_for_transfer(first: Path) -> None:
    encoder = load_encoder(first)
    assert encoder(torch.zeros(2, 4, 16, 16)).shape == (2, 32, 32)


def test_seeds_differ_in_weights_and_order(corpus: Path, first: Path, tmp_path: Path) -> None:
    other = rung(corpus, tmp_path / "rung1", seed=1)
    losses = [{line["loss"] for line in curve_of(folder)} for folder in (first, other)]
    assert not losses[0] & losses[1]


def test_probing_leaves_training_as_it_is(corpus: Path, first: Path, tmp_path: Path) -> None:
    silent = rung(corpus, tmp_path / "rung1", probes_per_decade=0)
    assert (silent / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    assert all(line["heldout_loss"] is None for line in curve_of(silent))


def test_the_sidecar_tells_what_varies(first: Path) -> None:
    told = json.loads((first / "model.json.prov.json").read_text())
    assert told["attempts"] == 1
    assert told["wall_s"] >= told["train_s"] > 0
    assert told["energy_j"] > 0
    assert told["peak_memory_mb"] > 100
    assert (told["device"], told["compiled"]) == ("cpu", "off")


@pytest.mark.parametrize("name", ["mae", "jepa", "next", "supervised"])
@pytest.mark.parametrize("family", ["vit", "convnet"])
def test_every_objective_trains_both_families(tmp_path: Path, name: str, family: str) -> None:
    folder = write_corpus(tmp_path, labels=True)
    options = {
        "mae": {"mask_ratio": 0.75, "decoder_share": 0.5},
        "jepa": {"mask_ratio": 0.75, "decoder_share": 0.5, "momentum": 0.9},
        "next": {"context": 0.5, "decoder_share": 0.5},
        "supervised": {},
    }
    model = rung_spec()["model"] | {"family": family}
    made = rung(folder, tmp_path / "rung1", objective={"name": name, **options[name]}, model=model)
    found, curve = facts(made), curve_of(made)
    assert (found["objective"], found["family"]) == (name, family)
    assert found["flops_counted"] == pytest.approx(found["flops_formula"], rel=0.01)
    # The probe reads labels where the corpus has them, and 3 classes are guessed right a third of the time.
    assert found["probe_metric"] == "balanced_accuracy"
    assert all(0 <= line["probe"] <= 1 for line in curve if line["probe"] is not None)


@pytest.mark.parametrize("family", ["vit", "convnet"])
@pytest.mark.parametrize("name", ["next", "supervised"])
def test_what_hides_no_tube_trains_on_clips_of_one_place(tmp_path: Path, name: str, family: str) -> None:
    folder = write_corpus(tmp_path, labels=True)
    model = rung_spec()["model"] | {"family": family, "tubelet": {"frames": 2, "size": 16}}
    objective = {"name": name, "context": 0.5, "decoder_share": 0.5}
    found = facts(rung(folder, tmp_path / "rung1", objective=objective, model=model))
    assert found["flops_counted"] == pytest.approx(found["flops_formula"], rel=0.01)
    assert 0 < found["heldout_loss"] < 10


def test_a_csv_logger_gets_the_curve(corpus: Path, tmp_path: Path) -> None:
    run(rung_spec(), clips_of(corpus), None, tmp_path / "rung1", 1, "csv")
    (log,) = tmp_path.glob("log/*/metrics.csv")
    assert len(log.read_text().splitlines()) == 11


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
    model = rung_spec()["model"] | {"size": 32}
    with pytest.raises(UserError, match=r"clips are \(4, 16, 16\), the model takes \(4, 32, 32\)"):
        rung(corpus, tmp_path / "rung1", model=model)


def test_a_missing_store_is_told(corpus: Path, tmp_path: Path) -> None:
    for clips, message in (
        (ClipFiles([tmp_path], [corpus / "clips.parquet"]), r"store\.json: no such file"),
        (ClipFiles([corpus / "clips"], [tmp_path / "gone.parquet"]), r"gone\.parquet: no such file"),
    ):
        with pytest.raises(UserError, match=message):
            run(rung_spec(), clips, None, tmp_path / "rung1", 1)


@pytest.mark.parametrize("key", ["objective", "optimizer", "parts", "ema"])
def test_a_spec_that_lacks_a_key_is_told(corpus: Path, tmp_path: Path, key: str) -> None:
    spec = rung_spec()
    del spec[key]
    with pytest.raises(UserError, match=f"spec: key '{key}' is missing"):
        run(spec, clips_of(corpus), None, tmp_path / "rung1", 1)


def test_the_trunk_of_another_rung_is_told(corpus: Path, first: Path, second: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ends at step 16, but this rung starts at step 8"):
        rung(corpus, tmp_path / "rung2", second / "trunk.ckpt")
    with pytest.raises(UserError, match="needs the trunk"):
        run(rung_spec(2), clips_of(corpus), None, tmp_path / "rung2", 1)
    with pytest.raises(UserError, match="takes no --previous"):
        run(rung_spec(1), clips_of(corpus), first / "trunk.ckpt", tmp_path / "rung1", 1)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("seed", 1, "its seed is 0, here it is 1"),
        ("learning_rate", 0.5, "its learning_rate is 0.004, here it is 0.5"),
        ("ema", 0.9, "its ema is 0.0, here it is 0.9"),
        (
            "objective",
            {"name": "supervised"},
            "its objective is .*decoder_share.*, here it is .*supervised.*",
        ),
        ("corpus", "other", 'its corpus is "motion", here it is "other"'),
    ],
)
def test_the_trunk_of_another_study_is_told(
    corpus: Path, first: Path, tmp_path: Path, key: str, value: Any, told: str
) -> None:
    labelled = write_corpus(tmp_path / "labelled", labels=True) if key == "objective" else corpus
    with pytest.raises(UserError, match=rf"trunk\.ckpt: is of another study, {told}; give the trunk"):
        run(
            rung_spec(2) | {key: value},
            clips_of(labelled),
            first / "trunk.ckpt",
            tmp_path / "rung2",
            1,
        )
    assert not list(tmp_path.glob(".resume-*"))


def test_the_trunk_of_other_clips_is_told(first: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path, videos=28)
    with pytest.raises(UserError, match=r"trunk\.ckpt: was trained on other clips"):
        rung(other, tmp_path / "rung2", first / "trunk.ckpt")


def test_a_checkpoint_of_another_program_is_told(corpus: Path, tmp_path: Path) -> None:
    torch.save({"step": 8, "networks": {}}, tmp_path / "trunk.ckpt")
    with pytest.raises(UserError, match=r"trunk\.ckpt: does not say which study it belongs to"):
        rung(corpus, tmp_path / "rung2", tmp_path / "trunk.ckpt")


class Anything:
    """Something that only an unsafe reader of pickles would make."""


def test_a_broken_or_untrusted_trunk_is_told(corpus: Path, first: Path, tmp_path: Path) -> None:
    whole = (first / "trunk.ckpt").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    torch.save({"step": 8, "harm": Anything()}, tmp_path / "unsafe.ckpt")
    for name, content in (
        ("text", b"not a checkpoint"),
        ("cut", whole[: len(whole) // 2]),
        ("flipped", bytes(flipped)),
        ("unsafe", (tmp_path / "unsafe.ckpt").read_bytes()),
    ):
        path = tmp_path / f"{name}.ckpt"
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}\.ckpt: not a readable trunk state"):
            rung(corpus, tmp_path / "rung2", path)
    with pytest.raises(UserError, match=r"gone\.ckpt: no such file"):
        rung(corpus, tmp_path / "rung2", tmp_path / "gone.ckpt")


def test_a_budget_without_a_step_is_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave no step of 8 clips"):
        rung(corpus, tmp_path / "rung1", trunk_end=79)
    with pytest.raises(UserError, match="a budget of 80 clips ends within the warm-up of 800"):
        rung(corpus, tmp_path / "rung1", warmup_clips=800)


def test_a_scale_that_does_not_fit_memory_is_told(corpus: Path, tmp_path: Path) -> None:
    model = rung_spec()["model"] | {"depth": 400}
    with pytest.raises(
        UserError, match=r"depth 400 .* needs at least [\d,.]+ GB to train with 8 clips at once"
    ):
        rung(corpus, tmp_path / "rung1", model=model)


def test_a_logger_that_is_missing_is_told(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transferscale.pretrain.loggers.find_spec", lambda name: None)
    with pytest.raises(UserError, match="package 'tensorboard' is not installed"):
        run(rung_spec(), clips_of(corpus), None, tmp_path / "rung1", 1, "tensorboard")


def test_a_mistake_is_told_before_lightning_is_imported(corpus: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from tests.pretrain.moving_squares import rung_spec
from transferscale.errors import UserError
from transferscale.pretrain.rung import ClipFiles, run
clips = ClipFiles([Path({str(corpus / "clips")!r})], [Path({str(corpus / "clips.parquet")!r})])
try:
    run(rung_spec(trunk_end=79), clips, None, Path({str(tmp_path)!r}), 1)
except UserError:
    print("lightning_fabric" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "False", done.stderr


if __name__ == "__main__":
    import tempfile

    home = Path(tempfile.mkdtemp())
    print(numbers(rung(write_corpus(home), home / "rung1")))
