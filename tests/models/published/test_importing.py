"""What is imported comes back from disk as any finished model does."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import VideoMAEModel, VJEPA2Model

from tests.models.published.random_models import MEAN, SD, randomised, saved, videomae_config, vjepa2_config
from tests.models.published.test_adaptation import as_published, levels
from transferscale.artefacts import sha256_file
from transferscale.errors import UserError
from transferscale.models.checkpoint import load_encoder, load_facts
from transferscale.models.published.grey import Grey, Normalisation
from transferscale.models.published.importing import import_published

MODELS = [(VideoMAEModel, videomae_config), (VJEPA2Model, vjepa2_config)]


@pytest.mark.parametrize(("kind", "config"), MODELS)
def test_an_imported_model_is_loaded_and_computes_what_transformers_computes(
    kind: Any, config: Any, tmp_path: Path
) -> None:
    model = randomised(kind(config()))
    path, grey = saved(model, tmp_path / "hub"), Grey(100.0, 50.0)
    import_published(path, "small", tmp_path / "out", grey=grey)
    encoder, clip = load_encoder(tmp_path / "out"), levels()
    with torch.no_grad():
        expected = model(as_published(clip)).last_hidden_state
        torch.testing.assert_close(encoder((clip - 100) / 50), expected, rtol=1e-5, atol=1e-5)
    facts = load_facts(tmp_path / "out")
    assert facts["input"] == {"mean": 100.0, "sd": 50.0}
    assert facts["reader_id"] == "hub:small"
    assert facts["params_encoder"] == sum(p.numel() for p in encoder.parameters())
    told = facts["published"]
    assert told["sha256"] == sha256_file(path / "model.safetensors")
    assert told["normalisation"] == {"mean": list(MEAN), "sd": list(SD)}
    assert told["config"]["model_type"] == model.config.model_type
    assert [rule.split(":")[0] for rule in told["adapted"]] == ["3 channels to 1"]


@pytest.mark.parametrize(("kind", "config"), MODELS)
def test_an_imported_model_of_another_grid_is_loaded(kind: Any, config: Any, tmp_path: Path) -> None:
    path = saved(randomised(kind(config())), tmp_path / "hub")
    adapted = import_published(path, "small", tmp_path / "out", frames=6, size=32)
    encoder = load_encoder(tmp_path / "out")
    assert encoder.grid == (3, 4, 4)
    assert encoder(levels(6, 32)).shape == (2, 48, 48)
    assert len(adapted) == 2
    assert load_facts(tmp_path / "out")["model"]["size"] == 32


def test_importing_twice_gives_the_same_bytes_and_leaves_the_global_random_state(tmp_path: Path) -> None:
    path = saved(randomised(VJEPA2Model(vjepa2_config())), tmp_path / "hub")
    before = torch.get_rng_state()
    for name in ("one", "two"):
        import_published(path, "small", tmp_path / name)
    assert torch.equal(torch.get_rng_state(), before)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_normalisation_is_asked_for_where_no_file_says_it(tmp_path: Path) -> None:
    path = saved(randomised(VideoMAEModel(videomae_config())), tmp_path / "hub")
    (path / "preprocessor_config.json").rename(path / "video_preprocessor_config.json")
    import_published(path, "small", tmp_path / "new")
    (path / "video_preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="give --mean and --sd"):
        import_published(path, "small", tmp_path / "out")
    import_published(path, "small", tmp_path / "out", normalisation=Normalisation.of(MEAN, SD))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("new", "out"))
    assert first == second


def test_nothing_is_written_when_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = saved(VideoMAEModel(videomae_config()), tmp_path / "hub")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "model_type": "videomea"}))
    with pytest.raises(UserError, match="'videomea' are not read; did you mean 'videomae'"):
        import_published(path, "small", tmp_path / "out")
    with pytest.raises(UserError, match="--name 'a/b'"):
        import_published(path, "a/b", tmp_path / "out")
    assert not (tmp_path / "out").exists()
