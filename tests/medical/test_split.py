"""Splits: nobody on both sides, everybody tested once a repeat, label draws nested; and the audit sees a
leak."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.medical.conftest import Made, SmallSeries
from transferscale.errors import UserError
from transferscale.medical.audit import audit
from transferscale.medical.reading import Splits, splits_hash
from transferscale.medical.split import assign_folds, label_order
from transferscale.study.transfer import LABEL_ORDERS
from transferscale.tables import read_table

# -- folds and orders, without files ---------------------------------------------


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[np.ndarray, list[str], int]:
    folds = draw(st.integers(2, 6))
    counts = draw(st.lists(st.integers(folds, 30), min_size=1, max_size=4))
    strata = np.repeat(np.arange(len(counts)), counts)
    strata = np.random.default_rng(draw(st.integers(0, 99))).permutation(strata)
    size = draw(st.integers(1, 3))
    families = [f"f{i // size}" for i in range(len(strata))]
    return strata, families, folds if size == 1 else 2


@given(cohorts(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_folds_keep_families_together_and_everybody_is_in_one(
    cohort: tuple[np.ndarray, list[str], int], seed: int
) -> None:
    strata, families, folds = cohort
    assume(len(set(families)) >= folds)
    fold_of = assign_folds(strata, families, folds, np.random.default_rng(seed))
    assert set(fold_of) == set(range(folds))
    for family in set(families):
        assert len({int(fold_of[i]) for i, f in enumerate(families) if f == family}) == 1
    if len(set(families)) == len(families):
        for stratum in np.unique(strata):
            counts = np.bincount(fold_of[strata == stratum], minlength=folds)
            assert counts.max() - counts.min() <= 1
        sizes = np.bincount(fold_of, minlength=folds)
        assert sizes.max() - sizes.min() <= len(np.unique(strata))


@given(st.lists(st.integers(1, 25), min_size=1, max_size=5), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_every_prefix_of_a_label_order_is_as_balanced_as_can_be(counts: list[int], seed: int) -> None:
    strata = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    order = label_order(strata, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(strata)))
    assert len(set(strata[order[: len(counts)]])) == len(counts)
    share = np.array(counts) / len(strata)
    for n in range(len(counts), len(strata) + 1):
        held = np.bincount(strata[order[:n]], minlength=len(counts))
        # One of each comes first, so a class may stand one above its rounded-up share for a while.
        assert np.all(held >= 1)
        assert np.all(held <= np.maximum(np.ceil(share * n), 1) + 1)
        if n * share.min() >= 1:
            assert np.abs(held - share * n).max() < 1.5


# -- the file ---------------------------------------------


def test_everybody_is_tested_once_a_repeat_and_nobody_trains_and_tests(demo: Made) -> None:
    splits = Splits(demo.splits)
    assert sorted(splits.tasks) == ["group", "null", "trait"]
    for task in splits.tasks:
        for repeat in range(splits.repeats(task)):
            tested = [s for fold in range(splits.folds(task)) for s in splits.test(task, repeat, fold)]
            assert sorted(tested) == splits.task_subjects(task)
            for fold in range(splits.folds(task)):
                train = splits.train(task, repeat, fold, 0, "all")
                assert not set(train) & set(splits.test(task, repeat, fold))
                assert len(train) == 36


def test_draws_are_nested_lie_in_training_and_differ(demo: Made) -> None:
    splits = Splits(demo.splits)
    for draw in range(LABEL_ORDERS):
        eight, sixteen = (splits.train("group", 0, 1, draw, n) for n in (8, 16))
        assert sixteen[:8] == eight
        assert len(set(sixteen)) == 16
        assert set(sixteen) <= set(splits.train("group", 0, 1, draw, "all"))
    assert len({tuple(splits.train("group", 0, 1, draw, 8)) for draw in range(LABEL_ORDERS)}) == LABEL_ORDERS


def test_a_draw_is_balanced_over_the_classes(demo: Made) -> None:
    from transferscale.medical.labels import labels

    splits = Splits(demo.splits)
    found = labels(demo.recordings, demo.dataset.tasks["group"].spec())
    of = dict(zip(found.subjects, found.y, strict=True))
    for fold in range(4):
        assert sum(of[s] for s in splits.test("group", 0, fold)) == 6
        for draw in range(LABEL_ORDERS):
            assert sum(of[s] for s in splits.train("group", 0, fold, draw, 8)) == 4


def test_the_same_spec_gives_the_same_splits_and_another_seed_others(small_series: SmallSeries) -> None:
    it = small_series().index().split(folds=3)
    first = it.splits.read_bytes()
    assert it.split(folds=3).splits.read_bytes() == first
    assert it.split(folds=3, seed=1).splits.read_bytes() != first


def test_adding_a_repeat_or_a_task_leaves_the_others_as_they_were(small_series: SmallSeries) -> None:
    it = small_series().index().split(folds=3, repeats=1)
    before = json.loads(it.splits.read_text())["tasks"]
    after = json.loads(it.split(folds=3, repeats=2).splits.read_text())["tasks"]
    for name in before:
        assert after[name]["repeats"][0] == before[name]["repeats"][0]
        assert after[name]["repeats"][1] != before[name]["repeats"][0]
    only = {"age": it.dataset.tasks["age"].spec()}
    assert json.loads(it.split(folds=3, tasks=only).splits.read_text())["tasks"]["age"] == before["age"]


def test_families_stay_on_one_side(small_series: SmallSeries) -> None:
    it = small_series(subjects=24, family_column="family").index().split(folds=4)
    splits = Splits(it.splits)
    number = {s: i // 2 for i, s in enumerate(splits.subjects)}
    for task in splits.tasks:
        for fold in range(4):
            train = {number[s] for s in splits.train(task, 0, fold, 0, "all")}
            assert not train & {number[s] for s in splits.test(task, 0, fold)}


def test_a_class_with_too_few_subjects_names_the_task(small_series: SmallSeries) -> None:
    it = small_series(subjects=12)
    path = Path(it.dataset.root) / "participants.tsv"
    path.write_text(path.read_text().replace("\tb\t", "\ta\t", 4))
    it.index()
    with pytest.raises(UserError, match=r"task 'group', class 'b': 2 subjects are fewer than the 4 folds"):
        it.split(folds=4)
    assert not it.splits.exists()


def test_more_folds_than_families_names_the_task(small_series: SmallSeries) -> None:
    it = small_series(subjects=12, family_column="family").index()
    with pytest.raises(UserError, match=r"12 subjects of 6 families are fewer than the 8 folds"):
        it.split(folds=8)


def test_more_labels_than_training_subjects_names_the_key(demo: Made) -> None:
    splits = Splits(demo.splits)
    assert splits.most_labels("group") == 36
    assert len(splits.train("group", 0, 0, 0, 36)) == 36
    with pytest.raises(
        UserError, match=r"transfer.labels: 37 labelled subjects.*task 'group'.*has 36 training"
    ):
        splits.train("group", 0, 0, 0, 37)
    with pytest.raises(UserError, match=r"transfer.draws: no draw 20"):
        splits.train("group", 0, 0, LABEL_ORDERS, 8)


def test_the_hash_is_that_of_the_content(demo: Made, tmp_path: Path) -> None:
    content = json.loads(demo.splits.read_text())
    assert content["hash"] == splits_hash(content) == Splits(demo.splits).hash
    content["tasks"]["group"]["repeats"][0][0]["test"].reverse()
    edited = tmp_path / "splits.json"
    edited.write_text(json.dumps(content))
    with pytest.raises(UserError, match="hash does not fit"):
        Splits(edited)


# -- the audit ---------------------------------------------


def test_a_copied_recording_under_another_name_is_found(small_series: SmallSeries) -> None:
    it = small_series()
    series = Path(it.dataset.root) / "series"
    (series / "sub-07.npy").write_bytes((series / "sub-02.npy").read_bytes())
    it.index()
    with pytest.raises(UserError, match=r"sub-02.npy and series/sub-07.npy are the same file byte for byte"):
        it.split(folds=3)
    assert not it.splits.exists()


def leak_subject(fold: dict[str, Any]) -> None:
    fold["train"].append(fold["test"][0])


def swap(fold: dict[str, Any]) -> None:
    fold["test"][0], fold["train"][0] = fold["train"][0], fold["test"][0]


def forget(fold: dict[str, Any]) -> None:
    fold["test"].pop()


def foreign_order(fold: dict[str, Any]) -> None:
    fold["orders"][3][0] = fold["test"][0]


@pytest.mark.parametrize(
    ("leak", "message"),
    [
        (leak_subject, "subject 'sub-.*' is on both sides"),
        (swap, "family 'f.*' is on both sides"),
        (forget, "not every subject is tested exactly once"),
        (foreign_order, "not an order of the training subjects"),
    ],
)
def test_the_audit_sees_a_leak(leak: Any, message: str, small_series: SmallSeries) -> None:
    it = small_series(subjects=24, family_column="family").index().split(folds=4)
    content = json.loads(it.splits.read_text())
    audit(content, it.recordings)
    leak(content["tasks"]["age"]["repeats"][0][1])
    with pytest.raises(UserError, match=message):
        audit(content, it.recordings)


# -- sites ----------------------------------------------------------------------------


def test_every_site_is_held_out_once(small_series: SmallSeries) -> None:
    it = small_series(12, site_column="site", hold_out="sites").index().split(repeats=3)
    splits, rows = Splits(it.splits), read_table(it.recordings, "recordings").to_pylist()
    site = {row["subject"]: row["site"] for row in rows}
    for task in splits.tasks:
        assert (splits.repeats(task), splits.folds(task)) == (1, 3)
        held = [{site[subject] for subject in splits.test(task, 0, fold)} for fold in range(3)]
        assert sorted(map(tuple, held)) == [("s0",), ("s1",), ("s2",)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({3: "n/a"}, "subject 'sub-03' has none"),
        (dict.fromkeys(range(12), "s0"), "all subjects are at 's0'"),
        ({i: "s9" if i % 2 else "s0" for i in range(12)}, "class '[ab]' is at '.*' alone"),
    ],
)
def test_sites_that_cannot_be_held_out_are_told(
    small_series: SmallSeries, change: dict[int, str], message: str
) -> None:
    it = small_series(12, site_column="site", hold_out="sites")
    table = Path(it.dataset.root) / "participants.tsv"
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    for subject, site in change.items():
        lines[1 + subject][3] = site
    table.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    with pytest.raises(UserError, match=message):
        it.index().split()


def test_a_family_at_two_sites_is_told(small_series: SmallSeries) -> None:
    it = small_series(12, site_column="site", family_column="family", hold_out="sites")
    with pytest.raises(UserError, match="family 'f0' is at 's0' and 's1'"):
        it.index().split()
