"""The real study, cut down, through Snakemake: real videos, real fMRI, and the answers that must come out."""

import json

import pytest
import yaml

pytestmark = [pytest.mark.workflow, pytest.mark.real_data, pytest.mark.xdist_group("workflow")]


def cut(study: dict) -> dict:
    """One depth, one short rung, few synthetic videos, frozen read-outs at two label counts; the rest as shipped."""
    study["study"] = "pixar-test"
    study["corpus"]["sources"][1] |= {"files": 8, "seconds": 3}
    study["corpus"]["clips_per_video"] = 1
    study["pretrain"]["vit"] = {"depths": [1]}
    study["pretrain"]["budgets"] = {"first": 192, "ratio": 2, "rungs": 1}
    study["transfer"] |= {"labels": [16, "all"], "draws": 2, "read_outs": {"ridge": {}}}
    claim = {"task": "film", "reference": "random", "read_out": "ridge", "depth": 1, "n_labels": 16}
    study["verdict"] = {**claim, "metric": "accuracy", "sesoi": 0.02}
    return study


def test_the_cut_down_real_study_reproduces_the_known_answers(clone, snakemake, real_data):
    study = cut(yaml.safe_load((clone / "config/studies/pixar-cut.yaml").read_text()))
    (clone / "cut.yaml").write_text(yaml.safe_dump(study))
    done = snakemake("--configfile", "cut.yaml", "--config", f"data_root={real_data}")
    assert done.returncode == 0, done.stdout[-6000:]
    found = json.loads((clone / "results/pixar-test/report/verdict.json").read_text())
    assert len(found["known_answers"]) == 3
    assert all(known["reached"] for known in found["known_answers"])
    page = (clone / "results/pixar-test/report/index.html").read_text()
    assert "mixed corpus" in page
    assert "not credited without controls" in page
