"""What the pages on datasets tell a stranger to type works, and prints what they say it prints."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from tests.docs.test_scaling_pages import DOCS, blocks
from transferscale.errors import UserError
from transferscale.medical.recording import Parcels, UnreadableError
from transferscale.medical.simulate import write_dataset
from transferscale.study.grid import Grid
from transferscale.study.load import load_study


@pytest.fixture(scope="module")
def simulated(root, tmp_path_factory):
    """The demo's dataset, as the page has it made."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        spec = Grid(load_study("config/config.yaml")).simulate_spec("demo")
    write_dataset(spec, folder, 1)
    return folder


def follow(page: str, folder: Path) -> None:
    """Run the commands of a page in turn and compare what they print, to the letter."""
    programs = {"transferscale": [sys.executable, "-m", "transferscale"], "python": [sys.executable]}
    for block in blocks(page, "console"):
        for part in block.removeprefix("$ ").split("\n$ "):
            command, _, told = part.partition("\n")
            first, *rest = shlex.split(command)
            done = subprocess.run(
                [*programs[first], *rest], cwd=folder, capture_output=True, text=True, check=False
            )
            assert (done.stdout + done.stderr).strip() == told.strip(), command
            assert done.returncode == (1 if told.startswith("transferscale: ") else 0)


def test_the_page_on_your_own_dataset_can_be_typed_along(simulated, tmp_path):
    (tmp_path / "results/demo/simulated").mkdir(parents=True)
    shutil.copytree(simulated, tmp_path / "results/demo/simulated/demo")
    follow("your-dataset.md", tmp_path)
    (shown,) = blocks("your-dataset.md", "yaml")
    assert (tmp_path / "config/datasets/mine.yaml").read_text() == shown


def test_the_page_on_another_modality_can_be_typed_along(root, tmp_path):
    shutil.copytree(root / "examples", tmp_path / "examples")
    follow("own-modality.md", tmp_path)


def test_the_reader_on_the_page_is_a_reader(tmp_path):
    (code,) = blocks("own-modality.md", "python")
    names: dict[str, object] = {}
    exec(compile(code, DOCS / "own-modality.md", "exec"), names)  # noqa: S102
    values = np.random.default_rng(0).integers(-1000, 1000, (70000, 2)).astype(np.int16)
    wavfile.write(tmp_path / "p1.wav", 4000, values)
    (tmp_path / "p2.wav").write_text("<html>")
    reader = names["WavReader"]({"kind": "wav"}, tmp_path)
    first, second, third = reader.find(["p1", "p2", "p3"])
    assert [found.subject for found in (first, second, third)] == ["p1", "p2", "p3"]
    assert third.problem
    facts = reader.describe(first)
    assert (facts.n_volumes, facts.tr_s, facts.shape) == (70000, 1 / 4000, (2,))
    signal = reader.open(first)
    assert signal.geometry == Parcels(2)
    np.testing.assert_array_equal(np.concatenate(list(signal.blocks())), values)
    np.testing.assert_array_equal(np.concatenate(list(signal.blocks(np.array([1])))), values[:, 1:])
    with pytest.raises(UnreadableError, match="no readable WAV"):
        reader.describe(second)
    with pytest.raises(UserError, match=r"no \.wav file"):
        names["WavReader"]({"kind": "wav"}, tmp_path / "empty").find(None)
