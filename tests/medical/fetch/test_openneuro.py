"""OpenNeuro by number: what is asked for comes, whole and checked, however the connection behaves."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import requests

from tests.medical.fetch.server import Bucket, serving
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.medical.fetch import download as downloading
from transferscale.medical.fetch.fetch import fetch
from transferscale.medical.fetch.http import _Session
from transferscale.medical.fetch.openneuro import ENVIRONMENT, listing
from transferscale.medical.fetch.tags import MIB, agrees

BIG = np.random.default_rng(0).bytes(300_000)
BOLD = "ds000001/sub-01/func/sub-01_task-rest_bold.nii.gz"


@pytest.fixture
def bucket(monkeypatch):
    files = {
        "ds000001/participants.tsv": b"participant_id\tage\nsub-01\t30\n",
        "ds000001/sub-01/anat/sub-01_T1w.nii.gz": b"anatomy",
        BOLD: BIG,
        "ds000001/sub-01/func/a name & more.tsv": b"x\n",
        "ds000002/README": b"another dataset",
    }
    monkeypatch.setattr(downloading, "PAUSE_S", 0)
    with serving(Bucket(files)) as served:
        monkeypatch.setenv(ENVIRONMENT, served.url)
        yield served


def spec(root, **keys):
    section = {
        "kind": "openneuro",
        "name": "ds000001",
        "include": [],
        "options": {},
        "licence": "CC0",
        **keys,
    }
    return {"dataset": "one", "root": str(root), "fetch": section}


def test_a_dataset_comes_whole_with_its_checksums_recorded(bucket, tmp_path, capsys):
    bucket.page = 2
    record = read_json(fetch(spec(tmp_path / "root"), tmp_path / "record.json"))
    assert (tmp_path / "root" / BOLD.removeprefix("ds000001/")).read_bytes() == BIG
    assert {file["path"] for file in record["files"]} == {
        key.removeprefix("ds000001/") for key in bucket.files if key.startswith("ds000001/")
    }
    bold = next(file for file in record["files"] if file["path"].endswith("bold.nii.gz"))
    assert bold["md5"] == hashlib.md5(BIG, usedforsecurity=False).hexdigest()
    assert bold["bytes"] == len(BIG)
    assert record["licence"] == "CC0"
    assert read_json(tmp_path / "record.json") == record
    assert "licence of ds000001: CC0" in capsys.readouterr().err


def test_only_files_that_fit_a_pattern_are_downloaded(bucket, tmp_path):
    fetch(spec(tmp_path, include=["participants.tsv", "sub-*/func/*_bold.nii.gz"]))
    assert {key for key, _ in bucket.asked} == {"ds000001/participants.tsv", BOLD}


def test_a_connection_that_breaks_is_taken_up_where_it_broke(bucket, tmp_path):
    bucket.drops[BOLD] = 2
    fetch(spec(tmp_path))
    assert (tmp_path / "sub-01/func/sub-01_task-rest_bold.nii.gz").read_bytes() == BIG
    ranges = [wanted for key, wanted in bucket.asked if key == BOLD]
    assert ranges[0] == ""
    assert all(wanted.startswith("bytes=") for wanted in ranges[1:])


def test_a_download_that_was_stopped_goes_on_in_the_next_call(bucket, tmp_path):
    bucket.drops[BOLD] = 99
    with pytest.raises(UserError, match="goes on from there"):
        fetch(spec(tmp_path))
    part = tmp_path / "sub-01/func/sub-01_task-rest_bold.nii.gz.part"
    have = part.stat().st_size
    assert 0 < have < len(BIG)
    assert not (tmp_path / "downloads.json").exists()
    bucket.drops.clear()
    bucket.asked.clear()
    fetch(spec(tmp_path))
    assert (BOLD, f"bytes={have}-") in bucket.asked
    assert part.with_suffix("").read_bytes() == BIG
    assert not part.exists()


def test_a_server_without_ranges_sends_the_whole_file_again(bucket, tmp_path):
    bucket.drops[BOLD], bucket.refuses_ranges = 1, True
    fetch(spec(tmp_path))
    assert (tmp_path / "sub-01/func/sub-01_task-rest_bold.nii.gz").read_bytes() == BIG


def test_what_is_there_already_is_not_asked_for_again(bucket, tmp_path):
    fetch(spec(tmp_path))
    before = (tmp_path / "downloads.json").read_bytes()
    bucket.asked.clear()
    fetch(spec(tmp_path))
    assert bucket.asked == []
    assert (tmp_path / "downloads.json").read_bytes() == before


def test_a_file_that_was_damaged_on_the_disk_is_downloaded_again(bucket, tmp_path):
    fetch(spec(tmp_path))
    image = tmp_path / "sub-01/func/sub-01_task-rest_bold.nii.gz"
    image.write_bytes(bytes(len(BIG)))
    fetch(spec(tmp_path))
    assert image.read_bytes() == BIG


def test_a_wrong_checksum_is_refused_and_nothing_gets_the_files_name(bucket, tmp_path):
    bucket.tags[BOLD] = "0" * 32
    with pytest.raises(UserError, match="checksum"):
        fetch(spec(tmp_path))
    assert not list((tmp_path / "sub-01/func").glob("*bold.nii.gz*"))


def test_the_tag_of_a_file_of_several_parts_is_no_checksum(bucket, tmp_path):
    bucket.tags[BOLD] = "0" * 32 + "-7"
    record = read_json(fetch(spec(tmp_path)))
    assert "md5" not in next(file for file in record["files"] if file["path"].endswith("bold.nii.gz"))


def test_a_file_that_is_gone_is_one_sentence(bucket, tmp_path):
    remotes = listing("ds000001", [])
    del bucket.files[BOLD]
    with pytest.raises(UserError, match="404"):
        downloading.download(next(r for r in remotes if r.path.endswith("bold.nii.gz")), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ds1"}, "six digits"),
        ({"name": "ds999999"}, "no dataset 'ds999999'"),
        ({"include": ["sub-*/meg/*"]}, "fetch.include: none of 4 files"),
    ],
)
def test_a_wrong_name_or_pattern_is_one_sentence(bucket, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        fetch(spec(tmp_path, **changes))


def test_a_listing_that_leaves_the_folder_is_refused(bucket, tmp_path):
    bucket.files["ds000001/../../evil"] = b"x"
    with pytest.raises(UserError, match="leaves the dataset's folder"):
        fetch(spec(tmp_path / "root"))
    assert not list(tmp_path.rglob("evil"))


def test_an_address_that_is_no_bucket_is_one_sentence(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be reached"):
        fetch(spec(tmp_path))


def test_the_verb_downloads_a_dataset_by_its_file(bucket, tmp_path):
    content = {
        "dataset": "one",
        "root": "{data_root}/one",
        "recordings": {"kind": "nifti", "pattern": "{subject}/func/{subject}_task-rest_bold.nii.gz"},
        "windows": {"volumes": 16},
        "tasks": {"age": {"target": "age", "kind": "regression", "metric": "r"}},
        "fetch": {"kind": "openneuro", "name": "ds000001", "licence": "CC0"},
    }
    (tmp_path / "one.yaml").write_text(json.dumps(content))
    command = ["medical", "fetch", "one.yaml", "--data-root", "data"]
    done = subprocess.run(
        [sys.executable, "-m", "transferscale", *command], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/one/participants.tsv").is_file()
    assert "4/4 files" in done.stderr


def test_a_part_of_an_older_version_is_not_continued(bucket, tmp_path):
    bucket.drops[BOLD] = 99
    with pytest.raises(UserError, match="goes on from there"):
        fetch(spec(tmp_path))
    bucket.drops.clear()
    bucket.files[BOLD] = BIG[::-1]
    fetch(spec(tmp_path))
    assert (tmp_path / BOLD.removeprefix("ds000001/")).read_bytes() == BIG[::-1]


def test_a_version_that_changes_between_listing_and_range_comes_whole(bucket, tmp_path):
    bucket.tags[BOLD] = "0" * 32 + "-2"
    bucket.drops[BOLD] = 1
    (remote,) = listing("ds000001", [BOLD.removeprefix("ds000001/")])
    part = tmp_path / f"{remote.path}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old" * 1000)
    part.with_name(part.name + ".tag").write_text(remote.tag)
    bucket.tags[BOLD] = "1" * 32 + "-2"
    assert downloading.download(remote, tmp_path)
    assert (tmp_path / remote.path).read_bytes() == BIG


def test_a_tag_of_several_parts_is_computed_again(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(8 * MIB) + b"rest")

    def md5(data):
        return hashlib.md5(data, usedforsecurity=False)

    tag = md5(md5(bytes(8 * MIB)).digest() + md5(b"rest").digest()).hexdigest()
    assert agrees(file, f"{tag}-2") is True
    assert agrees(file, f"{'0' * 32}-2") is None
    assert agrees(file, f"{md5(md5(file.read_bytes()).digest()).hexdigest()}-1") is True
    assert agrees(file, f"{'0' * 32}-1") is False
    assert agrees(file, "") is None


def test_a_redirect_from_https_to_http_is_not_followed():
    session, answer = _Session(), requests.Response()
    answer.status_code, answer.url = 302, "https://example.org/a"
    answer.headers["Location"] = "http://example.org/b"
    with pytest.raises(requests.RequestException, match="from https to http"):
        session.get_redirect_target(answer)
    answer.headers["Location"] = "/b"
    assert session.get_redirect_target(answer) == "/b"
