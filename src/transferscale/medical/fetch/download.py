"""One file over HTTP: continued where it stopped, and checked before it gets its name."""

import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from transferscale.errors import UserError

# What a broken connection loses at most.
BLOCK = 1 << 16
TRIES = 5
# Seconds to connect, and of silence before a connection counts as dropped.
TIMEOUT = (20, 60)
PAUSE_S = 0.5


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes
    ----------
    url
        Its address.
    path
        Where it goes, under the dataset's root.
    bytes
        Its size.
    md5
        Its checksum, empty where the server does not say.
    """

    url: str
    path: str
    bytes: int
    md5: str = ""


def download(remote: Remote, root: Path) -> bool:
    """Download a file; one that is there with its size and checksum is left alone.

    What has come so far is in ``<file>.part``; a broken connection is taken up from there, in this call or the next.

    Returns
    -------
    bool
        Whether anything was downloaded.

    Raises
    ------
    UserError
        If the server refuses, the connection keeps breaking, or size or checksum do not fit.
    """
    target = root / remote.path
    if target.is_file() and target.stat().st_size == remote.bytes and _fits(target, remote.md5):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * attempt)
        reason = _continue(remote, part)
        if not reason:
            break
        print(f"{remote.path}: {reason}; trying again", file=sys.stderr)
    else:
        raise UserError(
            f"{remote.url}: {reason}, {TRIES} times; run the same command again, it goes on from there"
        )
    if not _fits(part, remote.md5):
        part.unlink()
        raise UserError(
            f"{remote.url}: the checksum is not the server's {remote.md5}; the download was thrown away, run the same "
            "command again"
        )
    part.replace(target)
    return True


def _continue(remote: Remote, part: Path) -> str:
    """Append what is missing of a part; empty when it is whole, else why it is not."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    if have > remote.bytes:
        part.unlink()
        have = 0
    if have == remote.bytes and part.exists():
        return ""
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with requests.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in (401, 403, 404, 410):
                raise UserError(f"{remote.url}: the server answers {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                return f"the server answers {answer.status_code} {answer.reason}"
            # A server that does not know ranges sends everything again.
            with part.open("ab" if answer.status_code == 206 else "wb") as stream:
                for block in answer.iter_content(BLOCK):
                    stream.write(block)
    except requests.RequestException as error:
        return f"the connection broke ({type(error).__name__})"
    have = part.stat().st_size
    if have > remote.bytes:
        part.unlink()
        return f"{have} bytes came where {remote.bytes} were announced"
    return "" if have == remote.bytes else f"{have} of {remote.bytes} bytes came"


def _fits(path: Path, md5: str) -> bool:
    if not md5:
        return True
    with path.open("rb") as stream:
        # A checksum against damage, as the server gives it, not against an attacker.
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5
