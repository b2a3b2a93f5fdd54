"""Recordings as a corpus to pretrain on: the windows of a fold's training subjects, as a table of clips.

The clip store is the view itself. Windows of subjects that the fold tests, or that the task leaves out, are in the
table as dropped, so that nothing of them can be read through it.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, fingerprint, write_provenance
from transferscale.errors import UserError
from transferscale.medical.reading import Splits
from transferscale.tables import read_table, write_table


def write_corpus(spec: Mapping[str, Any], view: Path, splits: Path, out: Path) -> None:
    """Write the ``clips`` table of a fold's training subjects.

    Parameters
    ----------
    spec
        ``Grid.fold_spec``: ``dataset``, ``task``, ``repeat`` and ``fold``.
    view
        Folder of the view; its clip store is what the table points to.
    splits
        splits.json of the dataset.
    out
        The table; ``video_id`` is the recording.

    Raises
    ------
    UserError
        If the splits have no such task, repeat or fold, or the view has no window of a training subject.
    """
    watch = Stopwatch()
    trained = set(Splits(splits).train(spec["task"], spec["repeat"], spec["fold"], 0, "all"))
    rows = [
        _row(window, window["subject"] in trained)
        for window in read_table(view / "windows.parquet", "windows").to_pylist()
    ]
    kept = Counter(not row["dropped"] for row in rows)
    if not kept[True]:
        raise UserError(
            f"{view}: no window of the fold's {len(trained)} training subjects; build the view again"
        )
    write_table(out, "clips", rows)
    write_provenance(out, watch, subjects=len(trained), windows=kept[True], dropped=kept[False])


def _row(window: Mapping[str, Any], trained: bool) -> dict[str, Any]:
    name = f"{window['recording']}-{window['window']:06d}"
    return {
        "clip_id": name,
        "video_id": window["recording"],
        "source": f"recordings of {window['subject']}",
        "shot": 0,
        "split": "train" if trained else "",
        # Uniform by hash of the recording, as for videos.
        "fraction_rank": int(fingerprint(window["recording"]), 16) / 16**12,
        "shard": window["shard"] if trained else None,
        "offset": window["offset"] if trained else None,
        "dropped": not trained,
        "reason": "" if trained else "not a training subject of the fold",
    }
