"""A dataset of one's own that changes on the disk is noticed, and only what changed is prepared again."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from transferscale.artefacts import read_json
from transferscale.tables import read_table

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

TABLE = "participant_id\tgroup\n" + "".join(f"sub-{i}\t{'ab'[i % 2]}\n" for i in range(8))


def write_study(clone: Path) -> None:
    """A study whose only dataset is a folder of series."""
    root = clone / "own"
    root.mkdir()
    (root / "participants.tsv").write_text(TABLE)
    for i in range(8):
        np.save(root / f"sub-{i}.npy", np.random.default_rng(i).standard_normal((40, 4)))
    dataset = {
        "dataset": "own",
        "root": str(root),
        "recordings": {"kind": "series", "pattern": "{subject}.npy", "tr_s": 2.0},
        "windows": {"volumes": 8},
        "chunks": 2,
        "tasks": {"group": {"target": "group", "kind": "classification", "metric": "auroc"}},
    }
    (clone / "own.yaml").write_text(yaml.safe_dump(dataset))
    study = yaml.safe_load((clone / "tests/workflow/tiny.yaml").read_text())
    for key in ("behaviour", "controls"):
        study.pop(key)
    for key in ("controls", "medical"):
        study["pretrain"].pop(key)
    full = {"depths": [1], "labels": ["all"], "steps": 3, "tasks": ["own/group"]}
    study["transfer"] |= {"read_outs": {"full": full}, "baselines": ["connectivity", "raw:linear", "dummy"]}
    study |= {"datasets": ["own.yaml"], "study": "own"}
    (clone / "own-study.yaml").write_text(yaml.safe_dump(study))


def test_a_label_a_recording_and_a_subject_are_noticed(clone, snakemake):
    write_study(clone)
    root, results = clone / "own", clone / "results/own/medical/own"

    def run() -> str:
        done = snakemake("results/own/medical/own/roi.audit.json", "--configfile", "own-study.yaml")
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def prepared() -> dict[str, int]:
        """Recording -> its clips on the disk."""
        windows = read_table(results / "roi/windows.parquet", "windows").to_pylist()
        return {w["recording"]: (results / "roi" / w["shard"]).stat().st_ino for w in windows}

    run()
    first = prepared()
    assert len(first) == 8
    assert "Nothing to be done" in run()
    (root / "notes.txt").write_text("read by nobody")
    assert "Nothing to be done" in run()

    (root / "participants.tsv").write_text(TABLE.replace("sub-2\ta", "sub-2\tb"))
    run()
    rows = read_table(results / "roi/recordings.parquet", "recordings").to_pylist()
    assert [row["participant.group"] for row in rows].count("b") == 5
    assert prepared() == first

    # The same shape: no table of results tells this one from the recording before.
    before = (results / "recordings.parquet").read_bytes()
    np.save(root / "sub-5.npy", np.random.default_rng(50).standard_normal((40, 4)))
    run()
    assert (results / "recordings.parquet").read_bytes() == before
    second = prepared()
    assert {name for name in first if first[name] != second[name]} == {"sub-5.npy"}

    np.save(root / "sub-8.npy", np.random.default_rng(8).standard_normal((40, 4)))
    with (root / "participants.tsv").open("a") as table:
        table.write("sub-8\ta\n")
    run()
    assert prepared().items() > second.items()
    assert "sub-8" in read_json(results / "splits.json")["subjects"]
    assert "Nothing to be done" in run()
