"""Files packed with gzip or plain: what they are, whether they are whole, and their bytes in order."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from transferscale.medical.recording import UnreadableError

DRAIN = 2**20


def what_is_it(path: Path) -> str:
    """A few words for a file that is no recording at all: a failed download, a pointer, an empty file."""
    if path.is_symlink() and not path.exists():
        return "a broken link, as git-annex leaves it before 'datalad get'"
    with path.open("rb") as stream:
        head = stream.read(200).lstrip()
    if not head:
        return "an empty file"
    # GIFTI is XML too.
    if head.startswith(b"<") and not head.startswith((b"<?xml", b"<GIFTI", b"<!DOCTYPE GIFTI")):
        return "a web page, not a recording: the download failed"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file: run 'git lfs pull'"
    return ""


def unreadable(path: Path, otherwise: str, error: Exception) -> UnreadableError:
    """The error for a file that a library cannot open: what it is instead, else ``otherwise``, and the library's words.

    The words name the file and not its folder, so that tables do not depend on where the data lie.
    """
    words = next(iter(str(error).splitlines()), type(error).__name__).replace(str(path), path.name)
    return UnreadableError(f"{what_is_it(path) or otherwise} ({words})")


def check_whole(path: Path, size: int) -> None:
    """Check that a file holds at least ``size`` bytes, unpacked.

    A gzip stream ends with its length modulo 2^32, which spares reading it; where that does not agree (a
    truncated file, or one of several gzip members) it is read to its end.

    Raises
    ------
    UnreadableError
        If it is truncated or damaged.
    """
    if path.suffix != ".gz":
        if path.stat().st_size < size:
            raise UnreadableError(f"truncated: {path.stat().st_size} bytes, the header announces {size}")
        return
    with path.open("rb") as stream:
        stream.seek(-4, 2)
        (length,) = struct.unpack("<I", stream.read(4))
    if length == size % 2**32:
        return
    held = 0
    try:
        with gzip.open(path) as stream:
            while block := stream.read(DRAIN):
                held += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableError(f"truncated or damaged ({error})") from None
    if held < size:
        raise UnreadableError(f"truncated: {held} bytes unpacked, the header announces {size}")


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked by ISA-L where it is packed: twice as fast as zlib, and the same bytes.

    Raises
    ------
    UnreadableError
        Inside the block, if the file is damaged; what was read before is not to be used.
    """
    from isal import igzip
    from isal.igzip_lib import IsalError

    try:
        with igzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb", buffering=0) as stream:
            yield cast(BinaryIO, stream)
    except (EOFError, OSError, IsalError) as error:  # type: ignore[misc]
        raise UnreadableError(f"cannot be read to its end ({error})") from None


def fill(stream: BinaryIO, target: memoryview) -> None:
    """Read into ``target`` until it is full.

    Raises
    ------
    EOFError
        If the stream ends first.
    """
    held = 0
    while held < len(target):
        count = stream.readinto(target[held:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the file ends early")
        held += count


def drain(stream: BinaryIO) -> None:
    """Read what remains: only at the end of a gzip stream is its checksum compared."""
    while stream.read(DRAIN):
        pass
