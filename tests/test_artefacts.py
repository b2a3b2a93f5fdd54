"""Files come into being whole or not at all."""

import pytest

from transferscale.artefacts import atomic, canonical_json, fingerprint, read_json, write_json
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
