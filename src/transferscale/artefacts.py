"""Ground floor: how a file comes into being.

Outputs are written under a temporary name beside their place and renamed, so that a killed job leaves either the
whole artefact or none. What varies from run to run (wall time, host, memory) goes to ``<output>.prov.json``, which no
rule reads.
"""

import hashlib
import json
import os
import platform
import re
import resource
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transferscale import __version__
from transferscale.errors import UserError

# Seconds after which nobody writes to a temporary file any more, whatever host it is of.
ABANDONED = 24 * 3600


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success rename it there (replacing file or folder).

    On an error the temporary file or folder is removed and ``path`` stays as it was. Its name is of this host, process
    and call, so that threads may write one target at a time, and :func:`remove_leftovers` knows whose it was.
    """
    target = Path(path)
    temporary = _temporary(target)
    try:
        yield temporary
        if target.is_dir() and not target.is_symlink():
            _remove(target)
        temporary.replace(target)
    finally:
        _remove(temporary)


@contextmanager
def atomic_once(path: Path | str) -> Iterator[Path]:
    """As :func:`atomic` for a folder, but a folder that came to be meanwhile is kept, and the new one dropped.

    For what many write with the same content, and others may be reading.
    """
    target = Path(path)
    temporary = _temporary(target)
    try:
        yield temporary
        try:
            temporary.rename(target)
        except OSError:  # a folder that is not empty is not renamed over
            if not target.is_dir():
                raise
    finally:
        _remove(temporary)


def _temporary(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{platform.node()}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Delete what killed jobs left under temporary names in a folder: of dead processes of this host, or a day old."""
    own = re.compile(rf"\..+\.{re.escape(platform.node())}\.(\d+)\.[0-9a-f]{{8}}\.tmp")
    for path in folder.glob(".*.tmp"):
        match = own.fullmatch(path.name)
        try:
            old = time.time() - path.stat().st_mtime > ABANDONED
        except FileNotFoundError:  # renamed or removed by its job
            continue
        if old or (match and not _alive(int(match[1]))):
            _remove(path)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


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


def resident_peak_mb() -> float:
    """Most resident memory of this process so far, MB.

    On Linux by its own status: getrusage's figure begins with what the parent held when it started the process.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    if own:
        return own[0] / 1024
    # Bytes on macOS, KiB elsewhere.
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def write_provenance(output: Path | str, watch: Stopwatch, **facts: Any) -> None:
    """Write ``<output>.prov.json``: when, where, how long, how much memory, and the verb's own facts."""
    record: Mapping[str, Any] = {
        "transferscale": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "wall_s": round(watch.seconds, 3),
        "peak_memory_mb": round(resident_peak_mb(), 1),
        **facts,
    }
    write_json(Path(f"{output}.prov.json"), record)
