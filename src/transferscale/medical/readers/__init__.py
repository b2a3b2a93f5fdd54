"""Readers of recordings, by ``recordings.kind`` of a dataset."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferscale.medical.participants import Participants
from transferscale.medical.readers.bids import BidsReader
from transferscale.medical.readers.images import NiftiReader
from transferscale.medical.readers.series import SeriesReader
from transferscale.medical.readers.stretches import StretchReader
from transferscale.medical.recording import Found, Open, Reader, Stretch

READERS: Mapping[str, Open] = {"series": SeriesReader, "nifti": NiftiReader, "bids": BidsReader}


def open_reader(
    recordings: Mapping[str, Any],
    root: Path,
    participants: Participants | None,
    stretches: int | None = None,
) -> Reader:
    """Reader of a dataset's ``recordings`` section.

    Parameters
    ----------
    recordings
        The section as JSON values, every key present (``Dataset.spec()['recordings']``).
    root
        Folder of the dataset.
    participants
        The table; finding by ``path_column`` needs it, opening never does.
    stretches
        Into how many recordings every run is cut; ``None``: a run is a recording.
    """
    reader = READERS[recordings["kind"]](recordings, root, participants)
    return reader if stretches is None else StretchReader(reader, root, stretches)


def found_of(row: Mapping[str, Any]) -> Found:
    """The recording of a row of table ``recordings``, to be opened."""
    return Found(
        row["subject"],
        row["session"],
        row["task"],
        row["run"],
        json.loads(row["files"]),
        row["part"],
        stretch=stretch_of(row),
    )


def stretch_of(row: Mapping[str, Any]) -> Stretch | None:
    """Which volumes of its file the recording of a row is; ``None``: all."""
    return None if row["stretch"] is None else Stretch(**json.loads(row["stretch"]))
