"""Files come into being whole or not at all."""

import os
import platform
import subprocess
import sys
import time

import pytest

from transferscale.artefacts import (
    ABANDONED,
    atomic,
    atomic_once,
    canonical_json,
    fingerprint,
    read_json,
    remove_leftovers,
    resident_peak_mb,
    write_json,
)
from transferscale.errors import UserError, nearest


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fail_halfway():
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "store"
    target.mkdir()
    (target / "stale").touch()
    with atomic(target) as temporary:
        temporary.mkdir()
        (temporary / "fresh").touch()
    assert [p.name for p in target.iterdir()] == ["fresh"]


def test_one_process_may_write_a_target_twice_at_a_time(tmp_path):
    target = tmp_path / "out.txt"
    with atomic(target) as one:
        one.write_text("one")
        with atomic(target) as other:
            other.write_text("other")
        assert target.read_text() == "other"
    assert target.read_text() == "one"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_came_to_be_meanwhile_is_kept(tmp_path):
    target = tmp_path / "entry"
    with atomic_once(target) as late:
        late.mkdir()
        (late / "late").touch()
        with atomic_once(target) as early:
            early.mkdir()
            (early / "early").touch()
    assert [path.name for path in target.iterdir()] == ["early"]
    assert list(tmp_path.iterdir()) == [target]


def test_what_killed_jobs_left_is_removed_and_what_others_write_is_not(tmp_path):
    code = (
        "import os, sys\n"
        "from transferscale.artefacts import atomic\n"
        "with atomic(sys.argv[1]) as unfinished:\n"
        "    unfinished.mkdir()\n"
        "    (unfinished / 'half').touch()\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "entry"]).returncode == 9
    (left,) = tmp_path.iterdir()
    assert f".{platform.node()}." in left.name
    foreign = tmp_path / ".entry.elsewhere.1.00000000.tmp"
    foreign.touch()
    ancient = tmp_path / ".entry.12.tmp"
    ancient.touch()
    os.utime(ancient, (time.time() - ABANDONED - 60,) * 2)
    (tmp_path / "whole").mkdir()
    with atomic(tmp_path / "own") as own:
        own.touch()
        remove_leftovers(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {foreign.name, "whole", own.name}


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical_json({"b": 1, "a": [2]}) == canonical_json({"a": [2], "b": 1})
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1}) != fingerprint({"a": 2, "b": 2})


def test_broken_json_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(path)
    with pytest.raises(UserError, match="no such file"):
        read_json(tmp_path / "missing.json")
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}


def test_the_nearest_name_is_offered():
    assert nearest("dephts", ["depths", "seeds"]) == "did you mean 'depths'?"
    assert nearest("zzz", ["b", "a"]) == "valid are: 'a', 'b'"


def test_the_peak_of_memory_is_the_process_s_own_and_not_that_of_its_parent() -> None:
    held = bytearray(300 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    code = "from transferscale.artefacts import resident_peak_mb; print(resident_peak_mb())"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert 5 < float(told) < 200
    assert resident_peak_mb() > len(held) / 2**20
