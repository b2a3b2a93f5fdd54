"""The command line: every verb explains itself, starts without torch, and fails in one sentence."""

import json
import subprocess
import sys

import click
import pytest

from transferscale.cli import app

VERBS = [
    (group, verb) for group, command in app.commands.items() for verb in getattr(command, "commands", {})
]


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "transferscale", *arguments], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(("group", "verb"), VERBS)
def test_every_verb_has_help_with_an_example(group, verb):
    command = app.commands[group].commands[verb]
    text = command.get_help(click.Context(command, info_name=f"transferscale {group} {verb}"))
    assert f"transferscale {group} {verb}" in text.split("Example:")[1]
    assert "--verbose" in text


def test_starting_imports_no_heavy_library(tmp_path):
    heavy = ("torch", "pandas", "scipy", "nilearn", "matplotlib", "pyarrow")
    code = f"import sys, transferscale.cli; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_mistake_in_the_input_is_one_sentence_and_status_1(tmp_path):
    (tmp_path / "study.yaml").write_text("studdy: x\n")
    done = run("study", "show", "study.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "unknown key 'studdy'; did you mean 'study'?" in done.stderr
    assert "Traceback" in run("study", "show", "-v", "study.yaml", cwd=tmp_path).stderr


def test_wrong_usage_is_status_2():
    assert run("corpus", "index").returncode == 2
    assert run("corpus", "nonsense").returncode == 2
    assert run("pretrain", "ladder", "--price", "-1").returncode == 2


def test_the_schema_of_a_study_is_json():
    assert "corpus" in json.loads(run("study", "schema").stdout)["properties"]


def test_a_spec_that_lacks_a_key_is_one_sentence(tmp_path):
    done = run("corpus", "synth", "--spec", '{"seed": 0}', "--out", str(tmp_path / "videos"))
    assert done.returncode == 1
    assert "--spec: key '" in done.stderr
    assert "Traceback" not in done.stderr
