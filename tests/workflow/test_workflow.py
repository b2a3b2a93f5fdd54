"""Snakemake for real: a bare run in a clean clone, what a second run does, and what a change reruns."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pandas
import pyarrow.parquet as pq
import pytest

from transferscale.study.reader import Reader

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

# What gathers a whole study runs again whenever the study grows: these read tables, train nothing.
LADDER = Counter(
    pretrain_ledger=1,
    scaling_checkpoints=1,
    scaling_earlier=1,
    scaling_predict=1,
    scaling_hindsight=1,
    scaling_ladder=1,
    scaling_isoflop=1,
    scaling_surface=1,
)
GATHER = LADDER + Counter(
    study_check=1,
    transfer_collect=1,
    scaling_gain=1,
    scaling_behaviour=1,
    scaling_curves=1,
    scaling_fit=1,
    scaling_compare=1,
    scaling_plan=1,
    report_build=1,
    all=1,
)


def test_a_bare_run_in_a_clean_clone_ends_in_the_report(clone, tiny):
    page = (clone / "results/tiny/report/index.html").read_text()
    assert "synthetic motion" in page
    # The last lines say where the report is and what it found.
    assert "report: results/tiny/report/index.html" in tiny.stdout[-2500:]
    verdict = json.loads((clone / "results/tiny/report/verdict.json").read_text())["verdicts"][0]
    assert verdict in tiny.stdout[-2500:]


def test_a_bare_snakemake_takes_the_demo_and_this_machines_profile(snakemake):
    dry = snakemake("-n")
    assert dry.returncode == 0
    assert "profiles/default" in dry.stdout
    assert "results/demo/report/index.html" in dry.stdout


def test_jobs_of_transfer_ask_for_memory_when_their_view_is_there(tiny):
    asked = re.findall(
        r"rule transfer_(features|trained|behave|continual):\n(?: {4}.+\n)+? {4}resources: .*mem_mb=(\d+)",
        tiny.stdout,
    )
    started = re.findall(r"rule transfer_(features|trained|behave|continual):", tiny.stdout)
    assert Counter(rule for rule, _ in asked) == Counter(started)
    assert len(set(started)) == 4
    assert all(900 < int(megabytes) < 1200 for _, megabytes in asked)


def test_every_test_subject_is_predicted_once_a_repeat_and_draw(clone, tiny):
    table = pandas.read_parquet(clone / "results/tiny/tables/predictions/part=curves")
    assert set(table.arm) == {
        *("video", "control:static", "fmri", "random", "scratch", "raw:mlp"),
        *("connectivity", "tangent", "raw:linear", "confounds", "dummy"),
    }
    table["group"] = [Reader.parse(name).group for name in table.reader_id]
    keys = ["task", "group", "seed", "read_out", "n_labels", "draw", "repeat", "subject", "window"]
    assert not table.duplicated(keys).any()
    assert (table.groupby(keys[:-2]).subject.nunique() == 20).all()


def test_an_arm_that_saw_recordings_predicts_only_whom_it_did_not_see(clone, tiny):
    table = pandas.read_parquet(clone / "results/tiny/tables/predictions/part=curves")
    own = table[table.arm == "fmri"]
    assert set(own.task) == {"group"}
    for reader_id, rows in own.groupby("reader_id"):
        reader = Reader.parse(reader_id)
        assert set(rows.fold) == {reader.fold}
        clips = pq.read_table(clone / f"results/tiny/corpus/tiny-k{reader.fold}/clips.parquet").to_pandas()
        seen = set(clips[~clips.dropped].source)
        assert len(seen) == 10
        assert not {f"recordings of {subject}" for subject in rows.subject} & seen


def test_the_view_is_prepared_in_chunks_and_lies_on_the_disk_once(clone, tiny):
    folder = clone / "results/tiny/medical/tiny"
    shares = [set(json.loads((folder / f".prepared/roi-{k}.json").read_text())) for k in range(2)]
    assert min(map(len, shares)) > 0
    assert len(shares[0] | shares[1]) == sum(map(len, shares)) == 20
    kept = {path.stat().st_ino for path in folder.glob(".prepared/roi/*/clips.npy")}
    assert kept == {path.stat().st_ino for path in folder.glob("roi/shard-*.npy")}


def test_a_second_run_does_nothing(snakemake, tiny):
    again = snakemake("--configfile", "tests/workflow/tiny.yaml")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


def test_a_deeper_model_runs_only_its_own_jobs(jobs_of):
    new = Counter(pretrain_rung=2, transfer_features=3, transfer_ridge=6)
    assert jobs_of(pretrain__vit={"depths": [1, 2, 3], "seeds": {1: 2, "default": 1}}) == GATHER + new


def test_one_more_rung_runs_only_its_own_jobs(jobs_of):
    new = Counter(pretrain_rung=3, transfer_features=3, transfer_ridge=6)
    assert jobs_of(pretrain__budgets={"first": 80, "ratio": 2, "rungs": 3}) == GATHER + new


def test_one_more_seed_runs_only_its_own_jobs(jobs_of):
    new = Counter(pretrain_rung=2, transfer_features=3, transfer_ridge=6, transfer_trained=3)
    assert jobs_of(pretrain__vit={"depths": [1, 2], "seeds": {1: 3, "default": 1}}) == GATHER + new


def test_one_more_label_count_runs_only_its_own_jobs(jobs_of):
    jobs = jobs_of(transfer__labels=[6, 8, "all"])
    assert jobs - LADDER == GATHER - LADDER + Counter(transfer_ridge=17)


def test_what_is_trained_beside_the_ladder_runs_only_its_own_jobs(jobs_of):
    # The control is wanted at rung 2, which takes the first before it.
    new = Counter(corpus_controls=1, corpus_card=1, pretrain_rung=2, transfer_features=1, transfer_ridge=2)
    assert jobs_of(controls=["static", "phase"]) - GATHER == new + Counter(transfer_trained=1)
    # Two seeds of depth 1.
    new = Counter(pretrain_rung=2, transfer_features=2, transfer_ridge=4)
    beside = {"pretrain__fractions": [0.5], "pretrain__fraction_runs": {"depths": [1], "rungs": [1]}}
    assert jobs_of(**beside) - GATHER == new
    new = Counter(pretrain_rung=1, transfer_features=1, transfer_ridge=2)
    assert jobs_of(pretrain__overfit={"depths": [2], "fraction": 0.6, "budget": 800}) - GATHER == new
    # A trunk a fold of the second arm; each has the rung before it.
    medical = {"datasets": ["tiny"], "depths": [2], "rungs": [2], "arms": ["fmri", "video+fmri"]}
    new = Counter(pretrain_rung=4, transfer_features=2, transfer_ridge=4)
    assert jobs_of(pretrain__medical=medical) - GATHER == new


def test_a_study_of_pretraining_alone_ends_in_the_report(clone, snakemake):
    done = snakemake("--configfile", "tests/workflow/alone.yaml")
    assert done.returncode == 0, done.stdout[-6000:]
    assert (clone / "results/alone/report/index.html").exists()
    table = pq.read_table(clone / "results/alone/tables/checkpoints.parquet").to_pandas()
    assert Counter(zip(table.control, table.fraction, table.family, strict=True)) == {
        ("", 1.0, "vit"): 2,
        ("", 1.0, "convnet"): 2,
        ("static", 1.0, "vit"): 1,
        ("static", 1.0, "convnet"): 1,
        ("", 0.75, "vit"): 1,
        ("", 0.75, "convnet"): 1,
    }
    whole, part = (
        set(table.clips_unique[(table.fraction == f) & (table.rung == 2 - (f < 1))]) for f in (1, 0.75)
    )
    assert max(part) < min(whole)
    assert not (clone / "results/alone/transfer").exists()
    assert not (clone / "results/alone/medical").exists()


def test_changing_a_stage_reruns_it_and_what_follows(jobs_of):
    changed = jobs_of(transfer__read_outs__full__steps=4)
    assert changed["transfer_trained"] == 11
    assert not {"pretrain_rung", "transfer_ridge", "transfer_features", "corpus_clips", "medical_view"} & set(
        changed
    )
    changed = jobs_of(pretrain__learning_rate=0.002)
    assert changed["pretrain_rung"] == 12
    assert changed["transfer_features"] == 9  # checkpoints, not the random weights
    assert not {"corpus_clips", "medical_view", "transfer_baseline"} & set(changed)
    changed = jobs_of(corpus__clips_per_video=2)
    assert changed["pretrain_rung"] == 12
    assert changed["corpus_clips"] == 1
    assert not {"corpus_synth", "corpus_index", "medical_view", "transfer_baseline"} & set(changed)


def test_every_rule_has_a_spec(root):
    rules = [
        text
        for path in (root / "workflow/rules").glob("*.smk")
        for text in re.split(r"^ *rule ", path.read_text(), flags=re.M)[1:]
    ]
    assert len(rules) > 25
    assert [text.splitlines()[0] for text in rules if "spec=" not in text] == []


def test_a_misspelt_key_stops_before_any_job(clone, snakemake):
    (clone / "bad.yaml").write_text(
        (clone / "tests/workflow/tiny.yaml").read_text().replace("depths", "dephts")
    )
    stopped = snakemake("--configfile", "bad.yaml")
    assert stopped.returncode == 1
    assert "bad.yaml: unknown key 'pretrain.vit.dephts'; did you mean 'depths'?" in stopped.stdout
    assert "Traceback" not in stopped.stdout


def test_a_study_is_never_filled_up_from_the_demo(clone, snakemake):
    text = (clone / "tests/workflow/tiny.yaml").read_text().replace("study: tiny\n", "")
    (clone / "nameless.yaml").write_text(text)
    stopped = snakemake("-n", "--configfile", "nameless.yaml")
    assert stopped.returncode == 1
    assert "nameless.yaml: key 'study' is missing" in stopped.stdout


def test_a_missed_known_answer_fails_the_run(clone, snakemake, tiny):
    text = (clone / "tests/workflow/tiny.yaml").read_text()
    text += "known_answers: [{task: group, arm: dummy, metric: auroc, at_least: 0.99}]\n"
    (clone / "known.yaml").write_text(text)
    failed = snakemake("--configfile", "known.yaml")
    assert failed.returncode == 1
    assert "1 known answer(s) missed, so this run is wrong" in failed.stdout
    assert "THE RUN IS WRONG" in (clone / "results/tiny/report/index.html").read_text()


def test_a_missing_folder_stops_before_long_work(clone, snakemake):
    stopped = snakemake("--configfile", "config/studies/pixar.yaml", "--config", "data_root=nowhere")
    assert stopped.returncode == 1
    assert "nowhere/videos: no such folder (key 'corpus.sources.0.path'" in stopped.stdout
    assert "Traceback" not in stopped.stdout
    assert not (clone / "results/pixar/corpus/mixed/synthetic").exists()


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_a_run_that_is_killed_and_started_again_gives_the_same_predictions(clone, snakemake, tiny):
    results = clone / "results/tiny"
    before = all_bytes(results / "tables/predictions")
    for reader in ("full/raw-mlp.s0", "full/scratch.vit-d1.s0", "ridge/tangent", "ridge/random.vit-d1.s0"):
        shutil.rmtree(results / "transfer/tiny/roi" / reader)
    command = ["snakemake", "--configfile", "tests/workflow/tiny.yaml"]
    process = subprocess.Popen(
        command, cwd=clone, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    # From the first job on, so that the kill falls among them.
    started = clone / ".snakemake/incomplete"
    while process.poll() is None and not (started.is_dir() and any(started.iterdir())):
        time.sleep(0.05)
    time.sleep(random.Random(0).uniform(0, 3))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert snakemake("--unlock", *command[1:]).returncode == 0
    again = snakemake(*command[1:])
    assert again.returncode == 0, again.stdout[-4000:]
    assert all_bytes(results / "tables/predictions") == before


def test_git_sees_nothing_of_a_run(root, clone, tiny):
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    seen = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert not [
        line for line in seen.stdout.splitlines() if line.startswith(("?? results/", "?? .snakemake/"))
    ]
