"""Ground floor: how a file comes into being.

Outputs are written under a temporary name beside their place and renamed, so that a killed job leaves either the
whole artefact or none. What varies from run to run (wall time, host, memory) goes to ``<output>.prov.json``, which no
rule reads.
"""

import hashlib
import json
import os
import platform
import resource
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transferscale import __version__
from transferscale.errors import UserError


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success rename it there (replacing file or folder).

    On an error the temporary file or folder is removed and ``path`` stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        yield temporary
        if target.is_dir() and not target.is_symlink():
            _remove(target)
        temporary.replace(target)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(value: Any, length: int = 12) -> str:
    """Hex digest of a JSON value: the identity of a spec."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def sha256_file(path: Path | str) -> str:
    """Hex SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path | str, value: Any) -> None:
    """Write indented JSON atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read JSON; a missing or broken file is a :class:`UserError` that names it."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from None


class Stopwatch:
    """Wall time of a verb, for its provenance sidecar."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start


def write_provenance(output: Path | str, watch: Stopwatch, **facts: Any) -> None:
    """Write ``<output>.prov.json``: when, where, how long, how much memory, and the verb's own facts."""
    record: Mapping[str, Any] = {
        "transferscale": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "wall_s": round(watch.seconds, 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **facts,
    }
    write_json(Path(f"{output}.prov.json"), record)
