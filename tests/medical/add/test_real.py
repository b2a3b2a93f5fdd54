"""The real sets are added by the command alone; what cannot be known is asked for."""

import pytest

from transferscale.errors import UserError
from transferscale.medical.add.add import add
from transferscale.study.load import load_dataset

pytestmark = pytest.mark.real_data


@pytest.fixture
def fmri(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return real_data / "fmri"


def test_parcels_of_77_people_are_added_with_their_sites_and_a_warning_about_voxel_size(fmri):
    added = add(str(fmri / "ds000228_pixar" / "basc064"), ["Child_Adult", "Age"], tr_s=2.0)
    dataset = load_dataset(added.file)
    assert dataset.site_column == "Scanlog: Scanner"
    assert dataset.tasks["age"].transform == "log"
    assert added.checked.tasks["child_adult"].subjects == {"adult": 16, "child": 61}
    assert any("'Child_Adult' goes with" in line and "Scanlog: Voxel slize" in line for line in added.lines)


def test_the_folder_of_two_atlases_asks_which(fmri):
    with pytest.raises(UserError, match=r"ds000228_pixar/aal116 \(77 files\), .*basc064 \(77 files\)"):
        add(str(fmri / "ds000228_pixar"), tr_s=2.0)


def test_a_stack_of_322_people_is_added(fmri):
    added = add(str(fmri / "camcan_smt_tissue"), ["age"], tr_s=1.97)
    assert load_dataset(added.file).recordings.array == "data"
    assert (added.checked.subjects, added.facts["volumes"], added.facts["shapes"]) == (322, [261, 261], [[8]])


def test_text_tables_without_participants_ask_for_their_rate(fmri):
    with pytest.raises(UserError, match="--tr SECONDS"):
        add(str(fmri / "rhyming_9roi"))
    added = add(str(fmri / "rhyming_9roi"), tr_s=2.0)
    assert load_dataset(added.file).participants is None
    assert added.checked.subjects == 5


def test_one_persons_runs_are_added_as_units(fmri):
    added = add(str(fmri / "haxby2001_sub001" / "*_bold_25mm.nii.gz"))
    dataset = load_dataset(added.file)
    assert dataset.unit == "run"
    assert dataset.recordings.mask == "masks_25mm/brain.nii.gz"
    assert added.facts["tr_s"] == [2.5]
    assert added.checked.subjects == 6
    assert len(added.facts["events"]) == 8


def test_a_header_with_a_wrong_rate_is_found_out_by_its_events(fmri):
    choice = str(fmri / "studyforrest_localizer" / "*part-open_bold.nii.gz")
    wrong = add(choice)
    assert any("the repetition time may be wrong" in line for line in wrong.lines)
    right = add(choice, tr_s=2.0, force=True)
    assert not any("may be wrong" in line for line in right.lines)
    assert any("though the header says 1.79" in line for line in right.lines)
