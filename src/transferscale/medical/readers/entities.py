"""BIDS names: the ``key-value`` entities of a file."""

import re
from pathlib import PurePath


def entities(name: str) -> dict[str, str]:
    """Entities of a file's name, in its order.

    >>> entities("sub-01_task-rest_run-02_bold.nii.gz")
    {'sub': '01', 'task': 'rest', 'run': '02'}
    """
    stem = PurePath(name).name.split(".", 1)[0]
    pairs = (part.split("-", 1) for part in stem.split("_") if "-" in part)
    return {key: value for key, value in pairs if key}


def entity(key: str, path: str) -> str:
    """Value of an entity anywhere in a path, folders included; empty when it has none."""
    match = re.search(rf"(?:^|[/_]){key}-([A-Za-z0-9]+)", path)
    return match[1] if match else ""
