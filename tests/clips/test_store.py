"""What is put into the clip store comes out, whatever the shards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.errors import UserError


def write(folder, clips, shard_bytes):
    with ClipWriter(folder, clips.shape[1:], clips.dtype.name, shard_bytes) as writer:
        return [writer.add(clip) for clip in clips]


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 12), shard=st.integers(1, 5), kind=st.sampled_from(["uint8", "float32"]), data=st.data()
)
def test_clips_come_back_in_the_order_asked_for(tmp_path_factory, n, shard, kind, data):
    clips = (np.random.default_rng(n).random((n, 2, 3, 3)) * 255).astype(kind)
    folder = tmp_path_factory.mktemp("store")
    places = write(folder, clips, shard * clips[0].nbytes)
    store = ClipStore(folder)
    assert len(store) == n
    rows = store.rows(*map(list, zip(*places, strict=True)))
    assert rows.tolist() == list(range(n))
    asked = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=8)), dtype=np.int64)
    assert np.array_equal(store.take(asked), clips[asked])


def test_a_clip_of_another_shape_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="the store holds"),
        ClipWriter(tmp_path, (2, 3, 3), "uint8") as writer,
    ):
        writer.add(np.zeros((2, 3, 4), np.uint8))


def test_a_damaged_shard_is_named(tmp_path):
    write(tmp_path, np.zeros((3, 2, 3, 3), np.uint8), 10**6)
    (tmp_path / "shard-00000.npy").write_bytes(b"rubbish")
    with pytest.raises(UserError, match=r"shard-00000\.npy: not a readable clip shard"):
        ClipStore(tmp_path)


def test_more_shards_than_may_be_mapped_at_once_are_read_all_the_same(tmp_path, monkeypatch):
    clips = np.random.default_rng(0).random((9, 2, 3, 3)).astype(np.float32)
    write(tmp_path, clips, clips[0].nbytes)
    monkeypatch.setattr("transferscale.clips.store.MOST_MAPPED", 3)
    store = ClipStore(tmp_path)
    for asked in (np.arange(9), np.array([8, 0, 4, 4, 1]), np.array([0])):
        assert np.array_equal(store.take(asked), clips[asked])
    assert [len(shard) for shard in store.shards] == [1] * 9
