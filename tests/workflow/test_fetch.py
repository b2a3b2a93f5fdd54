"""A study that names a public dataset downloads it first, and only once."""

import pytest
import yaml

from tests.medical.fetch.server import Bucket, serving
from transferscale.artefacts import read_json
from transferscale.medical.fetch.openneuro import ENVIRONMENT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_a_dataset_with_fetch_is_downloaded_by_a_rule(clone, snakemake, monkeypatch):
    study = yaml.safe_load((clone / "config/config.yaml").read_text())
    dataset = {
        "dataset": "public",
        "root": "{results}/raw",
        "recordings": {"kind": "series", "pattern": "{subject}.csv", "tr_s": 2.0},
        "windows": {"volumes": 16},
        "tasks": {"group": {"target": "group", "kind": "classification", "metric": "auroc"}},
        "fetch": {"kind": "openneuro", "name": "ds000001", "licence": "CC0"},
    }
    (clone / "public.yaml").write_text(yaml.safe_dump(dataset))
    claim = {**study["verdict"][0], "dataset": "public"}
    full = study["transfer"]["read_outs"]["full"] | {"tasks": ["public/group"]}
    study |= {"datasets": ["public.yaml"], "verdict": [claim], "known_answers": [], "study": "public"}
    study["transfer"]["read_outs"]["full"] = full
    study.pop("behaviour")
    (clone / "public-study.yaml").write_text(yaml.safe_dump(study))
    lines = "".join(f"{i % 7},{i % 5}\n" for i in range(40))
    files = {f"ds000001/sub-{i}.csv": lines.encode() for i in range(8)}
    rows = [f"sub-{i}\t{'ab'[i % 2]}\n" for i in range(8)]
    files["ds000001/participants.tsv"] = ("participant_id\tgroup\n" + "".join(rows)).encode()
    with serving(Bucket(files)) as bucket:
        monkeypatch.setenv(ENVIRONMENT, bucket.url)
        target = "results/public/medical/public/recordings.parquet"
        done = snakemake(target, "--configfile", "public-study.yaml")
        assert done.returncode == 0, done.stdout[-4000:]
        assert read_json(clone / "results/public/raw/downloads.json")["licence"] == "CC0"
        bucket.asked.clear()
        again = snakemake(target, "--configfile", "public-study.yaml")
        assert "Nothing to be done" in again.stdout
        assert bucket.asked == []
