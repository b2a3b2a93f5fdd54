"""Conda environments, the lock and the package's own metadata agree."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from transferscale import __version__


def pins(lines):
    return {
        canonicalize_name(n): v
        for n, v in (line.strip().split("==") for line in lines if "==" in line and line[0] != "#")
    }


def requirements(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    listed = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    return [r for r in map(Requirement, listed) if r.name != "transferscale"]


def test_the_lock_satisfies_the_package(root):
    locked = pins((root / "requirements.lock").read_text().splitlines())
    for requirement in requirements(root):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_the_lock_satisfies_the_tools_of_development(root):
    locked = pins((root / "requirements.lock").read_text().splitlines())
    tools = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    for tool in map(Requirement, tools):
        assert tool.specifier.contains(locked[canonicalize_name(tool.name)]), tool


@pytest.mark.parametrize("stage", ["corpus", "medical", "train", "scaling"])
def test_an_environments_pins_are_those_of_the_lock_and_admitted_by_the_package(root, stage):
    locked = pins((root / "requirements.lock").read_text().splitlines())
    environment = yaml.safe_load((root / f"envs/{stage}.yaml").read_text())
    listed = pins(environment["dependencies"][-1]["pip"])
    assert listed
    assert {name: locked[name] for name in listed} == listed
    known = {canonicalize_name(r.name) for r in requirements(root)}
    assert set(listed) <= known


def test_every_rule_names_an_environment_that_exists(root):
    for path in (root / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        named = re.findall(r'"\.\./\.\./envs/(\w+)\.yaml"', text)
        assert len(named) == len(re.findall(r"^ *rule \w+:", text, re.M)), path
        assert all((root / f"envs/{name}.yaml").exists() for name in named)


def test_the_malicious_lightning_releases_are_shut_out(root):
    lightning = next(r for r in requirements(root) if r.name == "lightning-fabric")
    assert not lightning.specifier.contains("2.6.2")
    assert not lightning.specifier.contains("2.6.3")


def test_the_version_is_told_once(root):
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == __version__
