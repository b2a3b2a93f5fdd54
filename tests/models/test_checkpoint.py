"""A finished model comes back as it was, or says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from transferscale.errors import UserError
from transferscale.models.build import build
from transferscale.models.checkpoint import load_encoder, load_facts, save_model
from transferscale.versions import STAGE_VERSION

SPEC: dict[str, Any] = {
    "version": STAGE_VERSION["models"],
    "family": "vit",
    "depth": 2,
    "frames": 4,
    "size": 16,
    "tubelet": {"frames": 2, "size": 8},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(tmp_path, build(SPEC, 3), torch.nn.Linear(2, 2), {"model": SPEC, "note": "kept"})
    return tmp_path


def rewrite(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **changes}))


def test_a_saved_encoder_comes_back_to_the_last_bit(saved: Path) -> None:
    clip = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(load_encoder(saved)(clip), build(SPEC, 3)(clip))
    assert load_facts(saved)["note"] == "kept"


def test_the_same_model_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "again", build(SPEC, 3), None, {"model": SPEC})
    save_model(tmp_path / "more", build(SPEC, 3), None, {"model": SPEC})
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("again", "more"))
    assert first == second


def test_a_missing_file_is_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: no such file"):
        load_encoder(saved)
    (saved / "model.json").unlink()
    with pytest.raises(UserError, match=r"model\.json: no such file"):
        load_encoder(saved)


def test_a_truncated_file_is_named(saved: Path) -> None:
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_encoder(saved)


def test_one_flipped_bit_is_noticed(saved: Path) -> None:
    weights = saved / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="differs from the checksum"):
        load_encoder(saved)


def test_weights_of_another_geometry_are_refused(saved: Path) -> None:
    rewrite(saved, model={**SPEC, "tubelet": {"frames": 1, "size": 8}})
    with pytest.raises(UserError, match=r"'encoder\.tokenizer\.weight' has shape \(64, 128\)"):
        load_encoder(saved)
    rewrite(saved, model={**SPEC, "depth": 3})
    with pytest.raises(UserError, match=r"is missing|has shape"):
        load_encoder(saved)


def test_a_model_of_another_version_of_the_networks_is_refused(saved: Path) -> None:
    rewrite(saved, model={**SPEC, "version": 0})
    with pytest.raises(UserError, match=r"model\.json: model spec: version 0"):
        load_encoder(saved)


def test_facts_without_a_model_spec_are_refused(saved: Path) -> None:
    (saved / "model.json").write_text("{}")
    with pytest.raises(UserError, match="key 'model'"):
        load_encoder(saved)
    with pytest.raises(ValueError, match="lacks 'model'"):
        save_model(saved, build(SPEC, 0), None, {})
