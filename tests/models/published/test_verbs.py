"""`pretrain import` and `pretrain export` as they are typed."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from transformers import VideoMAEModel, VJEPA2Model

from tests.models.published.random_models import randomised, saved, videomae_config, vjepa2_config
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.models.checkpoint import load_encoder, load_facts


def typed(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["pretrain", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return saved(randomised(VideoMAEModel(videomae_config())), tmp_path / "hub")


def test_import_then_export_then_import(published: Path, tmp_path: Path) -> None:
    told = typed(
        "import", published, "--name", "small", "--frames", "4", "--size", "16", "--out", tmp_path / "a"
    )
    assert "hub:small" in told
    assert "3 channels to 1" in told
    assert "README.md" in typed("export", tmp_path / "a", "--layout", "videomae", "--out", tmp_path / "b")
    typed("import", tmp_path / "b", "--name", "small", "--out", tmp_path / "c")
    assert load_facts(tmp_path / "a")["weights_sha256"] == load_facts(tmp_path / "c")["weights_sha256"]


def test_normalisation_and_grey_levels_can_be_given(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    given = ["--mean", "0.5,0.5,0.5", "--sd", "0.5,0.25,0.5", "--grey-mean", "110", "--grey-sd", "60"]
    typed("import", published, "--name", "small", "--out", out, *given)
    facts = load_facts(out)
    assert facts["published"]["normalisation"] == {"mean": [0.5] * 3, "sd": [0.5, 0.25, 0.5]}
    assert facts["input"] == {"mean": 110.0, "sd": 60.0}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mean", "0.5"], "--mean and --sd go together"),
        (["--grey-sd", "9"], "--grey-mean and --grey-sd go together"),
        (["--mean", "0.5,0.5,0.5", "--sd", "1,0,1"], "--mean and --sd: .* SD is not above zero"),
        (["--mean", "0.5", "--sd", "1"], "has 3 channels, but its normalisation has 1"),
        (["--size", "20"], "does not divide the clip"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], says: str, published: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says) as caught:
        typed("import", published, "--name", "small", "--out", tmp_path / "a", *words)
    assert "\n" not in str(caught.value)


def test_an_imported_model_is_loaded_without_transformers(tmp_path: Path) -> None:
    path = saved(randomised(VJEPA2Model(vjepa2_config())), tmp_path / "hub")
    code = (
        "import sys; from pathlib import Path; sys.modules['transformers'] = None; "
        "from transferscale.models.published.importing import import_published; "
        "from transferscale.models.checkpoint import load_encoder; "
        f"import_published(Path({str(path)!r}), 'small', Path({str(tmp_path / 'a')!r})); "
        f"print(load_encoder(Path({str(tmp_path / 'a')!r})).tokens)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == str(load_encoder(tmp_path / "a").tokens), ran.stderr
