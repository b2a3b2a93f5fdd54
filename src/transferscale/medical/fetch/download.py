"""One file over HTTP: continued where it stopped, and checked before it gets its name."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from transferscale.errors import UserError
from transferscale.medical.fetch.tags import agrees, is_md5

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
    tag
        Its ETag, empty where the server does not say. Of a file uploaded in one part it is the MD5.
    """

    url: str
    path: str
    bytes: int
    tag: str = ""

    @property
    def md5(self) -> str:
        """Its checksum, empty where the tag is none."""
        return self.tag if is_md5(self.tag) else ""


def download(remote: Remote, root: Path) -> bool:
    """Download a file; one that is there with its size and checksum is left alone.

    What has come so far is in ``<file>.part``, its ETag in ``<file>.part.tag``; a broken connection is taken up from
    there, in this call or the next, unless the server has another version by then.

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
    if target.is_file() and target.stat().st_size == remote.bytes and agrees(target, remote.tag) is not False:
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
    whole = agrees(part, remote.tag)
    if whole is None:
        print(f"{remote.path}: the server gives no checksum, so its size alone was compared", file=sys.stderr)
    if whole is False:
        part.unlink()
        _tag_file(part).unlink(missing_ok=True)
        raise UserError(
            f"{remote.url}: the checksum is not the server's {remote.tag}; the download was thrown away, run the same "
            "command again"
        )
    part.replace(target)
    _tag_file(part).unlink(missing_ok=True)
    return True


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _tag_of(part: Path) -> str:
    """ETag of the version that a part is of, empty where unknown."""
    beside = _tag_file(part)
    return beside.read_text(encoding="utf-8") if beside.is_file() else ""


def _continue(remote: Remote, part: Path) -> str:
    """Append what is missing of a part; empty when it is whole, else why it is not."""
    import requests

    from transferscale.medical.fetch.http import get

    have, tag = part.stat().st_size if part.exists() else 0, _tag_of(part)
    if have > remote.bytes or (have and (not tag or remote.tag not in ("", tag))):
        # Of another version, or nobody knows of which: two halves of two versions are no file.
        part.unlink()
        have = 0
    if have == remote.bytes and part.exists():
        return ""
    headers = {"Range": f"bytes={have}-", "If-Range": f'"{tag}"'} if have else {}
    try:
        with get(remote.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in (401, 403, 404, 410):
                raise UserError(f"{remote.url}: the server answers {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                return f"the server answers {answer.status_code} {answer.reason}"
            if answer.status_code == 206 and not _starts_at(answer.headers.get("Content-Range", ""), have):
                part.unlink()
                return f"the server sends {answer.headers.get('Content-Range') or 'no range'}, not from byte {have}"
            # A weak tag names no bytes, so it cannot vouch for a part.
            came = answer.headers.get("ETag", "")
            named = remote.tag or ("" if came.startswith("W/") else came.strip('"'))
            _tag_file(part).write_text(named, encoding="utf-8")
            # A server that does not know ranges, or has another version, sends everything again.
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


def _starts_at(content_range: str, byte: int) -> bool:
    return content_range.startswith(f"bytes {byte}-")
