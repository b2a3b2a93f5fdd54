"""The label of what a trunk was trained on, and the reader that bears it, can be read back."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transferscale.study.corpus import CONTROLS
from transferscale.study.label import CorpusLabel, ambiguous
from transferscale.study.reader import Reader

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]*", fullmatch=True).filter(lambda name: not ambiguous(name))
LABELS = st.one_of(
    st.builds(CorpusLabel, NAMES),
    st.builds(CorpusLabel, NAMES, control=st.sampled_from(CONTROLS)),
    st.builds(CorpusLabel, NAMES, fraction=st.integers(1, 999).map(lambda n: n / 1000)),
    st.builds(CorpusLabel, st.one_of(st.just(""), NAMES), NAMES, fold=st.integers(0, 99)),
)


@given(LABELS)
def test_a_label_reads_back(label: CorpusLabel) -> None:
    assert CorpusLabel.parse(str(label)) == label


@given(LABELS, LABELS)
def test_two_labels_never_read_alike(one: CorpusLabel, other: CorpusLabel) -> None:
    assume(one != other)
    assert str(one) != str(other)


@given(
    LABELS,
    st.sampled_from(["mae", "jepa", "next", "supervised"]),
    st.sampled_from(["vit", "convnet"]),
    st.tuples(st.integers(1, 99), st.integers(0, 9), st.integers(1, 20)),
)
def test_a_reader_reads_back_with_its_control_fraction_and_fold(
    label: CorpusLabel, objective: str, family: str, numbers: tuple[int, int, int]
) -> None:
    reader = Reader(label.arm, str(label), objective, family, *numbers)
    again = Reader.parse(reader.reader_id)
    assert again == reader
    assert (again.control, again.fraction, again.fold) == (label.control, label.fraction, label.fold)
    assert str(label) == again.folder.split("/")[1]


@pytest.mark.parametrize(
    ("label", "text", "arm"),
    [
        (CorpusLabel("motion"), "motion", "video"),
        (CorpusLabel("motion", control="phase"), "motion-phase", "control"),
        (CorpusLabel("motion", fraction=0.025), "motion-f25", "video"),
        (CorpusLabel(dataset="demo", fold=3), "demo-k3", "fmri"),
        (CorpusLabel("motion", "demo", fold=0), "motion+demo-k0", "video+fmri"),
    ],
)
def test_a_label_says_what_was_trained_on(label: CorpusLabel, text: str, arm: str) -> None:
    assert (str(label), label.arm) == (text, arm)


@pytest.mark.parametrize("name", ["a-static", "a-f250", "a-k0"])
def test_names_that_could_be_taken_for_a_label_are_known(name: str) -> None:
    assert ambiguous(name)
    assert not ambiguous(name + "x")
