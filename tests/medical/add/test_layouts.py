"""Files grouped by the pattern that names them."""

from hypothesis import given
from hypothesis import strategies as st

from transferscale.medical.add.layouts import chosen, layouts, may_be_recording, pattern_of

NAMES = st.from_regex(r"\A[A-Za-z0-9]{1,8}\Z")


@given(subject=NAMES, session=NAMES, run=NAMES, task=NAMES)
def test_a_pattern_filled_in_is_the_path_again(subject, session, run, task):
    path = f"sub-{subject}/ses-{session}/func/sub-{subject}_ses-{session}_task-{task}_run-{run}_bold.nii.gz"
    pattern = pattern_of(path, f"sub-{subject}")
    filled = (
        pattern.replace("{subject}", f"sub-{subject}").replace("{session}", session).replace("{run}", run)
    )
    assert filled == path


@given(st.sets(NAMES, min_size=2, max_size=6))
def test_people_without_a_table_are_what_alone_differs(names):
    # A name may not be a part of the pattern itself.
    names = {f"p{name}q" for name in names}
    (layout,) = layouts([f"{name}_rois.csv" for name in sorted(names)], [])
    assert layout.pattern == "{subject}_rois.csv"
    assert set(layout.subjects) == names


def test_names_of_the_table_go_before_bids_entities():
    (layout,) = layouts(["sub-01_scan_A7.npy", "sub-01_scan_B2.npy"], ["A7", "B2"])
    assert layout.pattern == "sub-01_scan_{subject}.npy"


def test_a_name_is_not_found_inside_a_longer_one():
    (layout,) = layouts(["sub-1.npy", "sub-12.npy"], ["sub-1", "sub-12"])
    assert layout.subjects == ("sub-1", "sub-12")


def test_the_same_word_twice_in_a_path_is_one_subject():
    (layout,) = layouts(["s01/s01_rest.npy", "s02/s02_rest.npy"], [])
    assert layout.pattern == "{subject}/{subject}_rest.npy"


def test_files_that_differ_in_two_ways_are_no_layout():
    assert layouts(["a_1.csv", "b_2.csv", "a_2.csv"], []) == []


def test_two_kinds_of_files_are_two_layouts_of_which_one_is_chosen():
    files = [f"{atlas}/sub-0{i}_atlas-{atlas}.npy" for atlas in ("aal", "basc") for i in (1, 2)]
    both = layouts(files, [])
    assert [layout.folder for layout in both] == ["aal", "basc"]
    assert chosen(both, "aal") == both[:1]
    assert chosen(both, "*/*basc.npy") == both[1:]
    assert chosen(both, "basc/sub-02_atlas-basc.npy") == both[1:]


def test_what_lies_beside_recordings_is_none():
    beside = [
        "sub-01_task-rest_events.tsv",
        "sub-01_desc-confounds_timeseries.tsv",
        "participants.tsv",
        "README.txt",
        "dataset_description.json",
    ]
    assert not any(may_be_recording(name) for name in beside)
    assert all(may_be_recording(name) for name in ("sub-01_bold.nii.gz", "sub-01_timeseries.tsv", "x.1D"))
