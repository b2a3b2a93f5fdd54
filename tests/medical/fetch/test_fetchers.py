"""nilearn's fetchers: nilearn itself downloads, from a server on loopback, what the shipped datasets then read."""

import gzip
import io
import tarfile

import nibabel
import numpy as np
import pandas as pd
import pytest

from tests.medical.fetch.server import Bucket, serving
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.medical.check import check
from transferscale.medical.fetch.fetch import fetch
from transferscale.medical.fetch.openneuro import ENVIRONMENT
from transferscale.study.load import load_dataset

# A grid of few voxels that spans a brain.
BRAIN = np.diag([30.0, 30.0, 40.0, 1.0])
BRAIN[:3, 3] = -60, -90, -50


def image(volumes, seed=0):
    data = np.random.default_rng(seed).integers(0, 1000, (5, 6, 4, volumes)).astype(np.int16)
    made = nibabel.Nifti1Image(data, BRAIN)
    made.header.set_xyzt_units("mm", "sec")
    made.header.set_zooms((3.0, 3.0, 3.0, 2.0))
    return made


def tgz(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def packed(nifti):
    return gzip.compress(nifti.to_bytes(), mtime=0)


def shipped(root, name, tmp_path, **options):
    """Spec of a shipped dataset, its download turned to the server."""
    dataset = load_dataset(root / "config/datasets" / f"{name}.yaml")
    section = dataset.spec()["fetch"]
    return dataset, {
        "dataset": name,
        "root": str(tmp_path / "root"),
        "fetch": {**section, "options": {**section["options"], **options}},
    }


def patterns_fit(dataset, root, subjects):
    """Paths that the dataset's pattern gives for its subjects."""
    pattern = dataset.recordings.pattern.replace("{run}", "*")
    return [list(root.glob(pattern.replace("{subject}", subject))) for subject in subjects]


def test_haxbys_runs_become_files_and_events_of_their_own(root, tmp_path):
    labels = ["rest"] * 2 + ["face"] * 3 + ["rest"] * 2 + ["house"] * 3
    rows = "\n".join(f"{label} {run}" for run in (0, 1) for label in labels)
    whole = image(20)
    archive = tgz(
        **{
            f"subj2/{name}": b"x"
            for name in (
                "mask4_vt.nii.gz",
                "mask8b_face_vt.nii.gz",
                "mask8b_house_vt.nii.gz",
                "mask8_face_vt.nii.gz",
                "mask8_house_vt.nii.gz",
                "anat.nii.gz",
            )
        },
        **{"subj2/bold.nii.gz": packed(whole), "subj2/labels.txt": f"labels chunks\n{rows}\n".encode()},
    )
    # The mask has an address of its own, which no option turns elsewhere: it lies there already.
    place = tmp_path / "root" / "haxby2001"
    place.mkdir(parents=True)
    (place / "mask.nii.gz").write_bytes(b"x")
    with serving(Bucket({"MD5SUMS": b"", "subj2-2010.01.14.tar.gz": archive})) as bucket:
        dataset, spec = shipped(root, "haxby", tmp_path, url=f"{bucket.url}/")
        record = read_json(fetch(spec))
    (runs,) = patterns_fit(dataset, tmp_path / "root", ["sub-2"])
    assert sorted(path.name for path in runs) == [
        f"sub-2_task-objectviewing_run-{run}_bold.nii.gz" for run in ("01", "02")
    ]
    second = nibabel.load(sorted(runs)[1])
    np.testing.assert_array_equal(np.asarray(second.dataobj), np.asarray(whole.dataobj)[..., 10:])
    assert second.header.get_zooms()[3] == 2.5
    events = pd.read_csv(sorted((tmp_path / "root/sub-2").glob("*_events.tsv"))[0], sep="\t")
    assert events.to_dict("list") == {
        "onset": [5.0, 17.5],
        "duration": [7.5, 7.5],
        "trial_type": ["face", "house"],
    }
    assert len(record["files"]) == 4
    assert "CC BY-SA" in record["licence"]


def test_adhds_table_names_people_as_its_folders_do(root, tmp_path):
    person = "0010042"
    table = b"Subject,age,adhd,site\n10042,9.5,1,NYU\n10064,9,0,NYU\n"
    files = {
        "7781/adhd40_metadata.tgz": tgz(**{"ADHD200_40subs_motion_parameters_and_phenotypics.csv": table}),
        f"7782/adhd40_{person}.tgz": tgz(
            **{
                f"data/{person}/{person}_rest_tshift_RPI_voreg_mni.nii.gz": packed(image(8)),
                f"data/{person}/{person}_regressors.csv": b"csf\n0\n",
            }
        ),
    }
    with serving(Bucket(files)) as bucket:
        dataset, spec = shipped(root, "adhd", tmp_path, url=f"{bucket.url}/", n_subjects=1)
        fetch(spec)
    people = pd.read_csv(tmp_path / "root/participants.tsv", sep="\t", dtype=str)
    assert people["participant_id"].tolist() == [person]
    assert all(patterns_fit(dataset, tmp_path / "root", [person]))


def test_abides_series_are_fetched_and_pass_the_checks(root, tmp_path):
    raters = ("qc_rater_1", "qc_anat_rater_2", "qc_func_rater_2", "qc_anat_rater_3", "qc_func_rater_3")
    lines = [",".join(["SUB_ID", "SITE_ID", "FILE_ID", "DX_GROUP", "AGE_AT_SCAN", *raters])]
    files = {}
    for i in range(16):
        # Two sites that scanned every 2 s, and one that did not and is left out.
        site = ("NYU", "USM", "NYU", "USM", "PITT", "NYU", "USM", "PITT")[i % 8]
        name = f"{site}_00{50000 + i}"
        lines.append(",".join([str(i), site, name, str(1 + i // 2 % 2), f"{10 + i * 1.7:.1f}", *["OK"] * 5]))
        series = np.random.default_rng(i).standard_normal((40, 5))
        rows = "\n".join("\t".join(f"{value:.4f}" for value in row) for row in series)
        path = f"Outputs/cpac/nofilt_noglobal/rois_cc200/{name}_rois_cc200.1D"
        files[path] = ("\t".join(f"#{n}" for n in range(1, 6)) + "\n" + rows + "\n").encode()
    files["Phenotypic_V1_0b_preprocessed1.csv"] = "\n".join(lines).encode()
    with serving(Bucket(files)) as bucket:
        dataset, spec = shipped(root, "abide_pcp", tmp_path, url=bucket.url)
        record = read_json(fetch(spec))
    assert len(record["files"]) == 16
    found = check(dataset.model_copy(update={"root": str(tmp_path / "root")}))
    assert found.recordings == 12
    assert list(found.left_out.values()) == [4]
    assert found.tasks["diagnosis"].folds == 2  # sites


def test_the_openneuro_example_is_fetched_and_passes_the_checks(root, tmp_path, monkeypatch):
    dataset = load_dataset(root / "config/datasets/openneuro-example.yaml")
    inner, lines = "ds000030/derivatives/fmriprep", ["participant_id\tdiagnosis\tage"]
    files = {"ds000030/sub-1/func/sub-1_task-rest_bold.nii.gz": b"raw, not wanted"}
    mask = nibabel.Nifti1Image(np.ones((5, 6, 4), np.uint8), BRAIN)
    for i in range(12):
        stem = f"{inner}/sub-{i}/func/sub-{i}_task-rest_bold_space-MNI152NLin2009cAsym"
        files[f"{stem}_preproc.nii.gz"] = packed(image(24, seed=i))
        files[f"{stem}_brainmask.nii.gz"] = packed(mask)
        lines.append(f"sub-{i}\t{('CONTROL', 'SCHZ')[i % 2]}\t{20 + i * 2}")
    files["ds000030/participants.tsv"] = ("\n".join(lines) + "\n").encode()
    place = str(tmp_path / "root")
    with serving(Bucket(files)) as bucket:
        monkeypatch.setenv(ENVIRONMENT, bucket.url)
        fetch({"dataset": dataset.dataset, "root": place, "fetch": dataset.spec()["fetch"]})
        assert not any("raw" in key or key.endswith("sub-1_task-rest_bold.nii.gz") for key, _ in bucket.asked)
    found = check(dataset.model_copy(update={"root": place}))
    assert found.tasks["schizophrenia"].subjects == {"CONTROL": 6, "SCHZ": 6}


@pytest.mark.parametrize("name", ["abide_pcp", "adhd", "development_fmri", "haxby", "openneuro-example"])
def test_a_shipped_dataset_says_its_licence_whom_to_cite_and_how_it_was_tested(root, name):
    file = root / "config/datasets" / f"{name}.yaml"
    text = " ".join(file.read_text().replace("\n# ", " ").split())
    assert "tested against" in text
    assert "Please cite" in text
    assert load_dataset(file).fetch.licence


def test_the_films_people_are_found_by_the_shipped_pattern(root, tmp_path):
    # This fetcher's addresses are fixed, so its files lie there already; nilearn then asks for none.
    place = tmp_path / "root" / "development_fmri" / "development_fmri"
    place.mkdir(parents=True)
    people = ["sub-pixar001", "sub-pixar123"]
    lines = ["participant_id\tAge\tAgeGroup\tChild_Adult\tGender\tHandedness"]
    # nilearn takes a share of children and adults of 155.
    lines += [f"sub-pixar{i:03d}\t5\t5yo\tchild\tM\tR" for i in range(1, 123)]
    lines += [f"sub-pixar{i:03d}\t25\tAdult\tadult\tF\tR" for i in range(123, 156)]
    (place / "participants.tsv").write_text("\n".join(lines) + "\n")
    names = [
        "trans_x",
        "trans_y",
        "trans_z",
        "rot_x",
        "rot_y",
        "rot_z",
        "framewise_displacement",
        "csf",
        "white_matter",
    ]
    names += [f"a_comp_cor_0{i}" for i in range(6)]
    table = "\t".join(names) + "\n" + "\n".join("\t".join(["0.1"] * len(names)) for _ in range(8)) + "\n"
    for person in people:
        stem = f"{person}_task-pixar"
        (place / f"{stem}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz").write_bytes(packed(image(8)))
        (place / f"{stem}_desc-confounds_regressors.tsv").write_text(table)
    dataset, spec = shipped(root, "development_fmri", tmp_path, n_subjects=2)
    fetch(spec)
    assert all(patterns_fit(dataset, tmp_path / "root", people))
    confounds = tmp_path / "root" / dataset.recordings.confounds.replace("{subject}", people[0])
    assert confounds.is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "haxbi"}, "did you mean 'haxby'"),
        ({"options": {"subject": [1]}}, "did you mean 'subjects'"),
    ],
)
def test_a_wrong_fetcher_or_option_is_one_sentence(tmp_path, changes, message):
    section = {"kind": "nilearn", "name": "haxby", "options": {}, "licence": "x", **changes}
    with pytest.raises(UserError, match=message):
        fetch({"dataset": "d", "root": str(tmp_path), "fetch": section})


def test_a_download_that_fails_is_one_sentence(root, tmp_path):
    with serving(Bucket()) as bucket:
        _, spec = shipped(root, "adhd", tmp_path, url=f"{bucket.url}/", n_subjects=1)
        with pytest.raises(UserError, match="fetch_adhd: the download failed"):
            fetch(spec)
