"""A dataset that says where it comes from, into its root, with a record of what came."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, sha256_file, write_json, write_provenance
from transferscale.errors import UserError
from transferscale.medical.fetch import fetchers, openneuro

RECORD = "downloads.json"


def fetch(spec: Mapping[str, Any], out: Path | None = None) -> Path:
    """Download a dataset and write ``downloads.json`` into its root.

    Parameters
    ----------
    spec
        ``dataset``, ``root`` and ``fetch`` of a dataset (``study.grid.Grid.fetch_spec``).
    out
        A second place for the record (what the workflow waits for).

    Returns
    -------
    Path
        The record: source, licence, and of every file path, size and checksum.

    Raises
    ------
    UserError
        If the dataset does not say where it comes from, or the download fails.
    """
    watch, wanted = Stopwatch(), spec["fetch"]
    if wanted is None:
        raise UserError(f"dataset '{spec['dataset']}' has no key 'fetch'; it is read from {spec['root']}")
    root = Path(spec["root"])
    print(f"licence of {wanted['name']}: {wanted['licence']}", file=sys.stderr)
    record: dict[str, Any] = {
        "dataset": spec["dataset"],
        **{key: wanted[key] for key in ("kind", "name", "licence")},
    }
    if wanted["kind"] == "openneuro":
        remotes = openneuro.fetch(wanted["name"], wanted["include"], root)
        record["source"] = f"{openneuro.base_url()}/{wanted['name']}/"
        record["files"] = [
            {"path": remote.path, "bytes": remote.bytes} | ({"md5": remote.md5} if remote.md5 else {})
            for remote in remotes
        ]
    else:
        paths = fetchers.fetch(wanted["name"], wanted["options"], root)
        record["source"] = f"nilearn.datasets.fetch_{wanted['name']}"
        record["files"] = [
            {
                "path": path.relative_to(root).as_posix(),
                "bytes": path.stat().st_size,
                "sha256": sha256_file(path),
            }
            for path in sorted(set(paths))
        ]
    for place in filter(None, (root / RECORD, out)):
        write_json(place, record)
    write_provenance(root / RECORD, watch, files=len(record["files"]))
    return root / RECORD
