"""ETags of S3: whether a file is the one that a tag names."""

import hashlib
import re
from pathlib import Path

SINGLE = re.compile(r"[0-9a-f]{32}")
PARTS = re.compile(r"([0-9a-f]{32})-(\d+)")
MIB = 2**20
# Sizes of a part, which the tag does not tell, that uploading programs have: powers of two, boto's and others' tens.
PART_SIZES = tuple(
    n * MIB for n in (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 256, 500, 512, 1000, 1024)
)


def is_md5(tag: str) -> bool:
    """Whether a tag is the MD5 of the file: it was uploaded in one part."""
    return SINGLE.fullmatch(tag) is not None


def agrees(path: Path, tag: str) -> bool | None:
    """Whether a file is what its tag says; ``None`` where the tag does not tell.

    The tag of a file that was uploaded in n parts is the MD5 of their MD5s, then -n. With the sizes of a part that are
    usual it is computed again; where none gives the tag, the file was uploaded in others, or is damaged.

    Parameters
    ----------
    path
        The file.
    tag
        Without quotation marks; empty where there is none.
    """
    if is_md5(tag):
        with path.open("rb") as stream:
            # A checksum against damage, as the server gives it, not against an attacker.
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == tag
    several = PARTS.fullmatch(tag)
    if several is None:
        return None
    digest, number = several[1], int(several[2])
    length = path.stat().st_size
    if number == 1:
        return _of_parts(path, max(length, 1)) == digest
    fitting = [size for size in PART_SIZES if -(-length // size) == number]
    return True if any(_of_parts(path, size) == digest for size in fitting) else None


def _of_parts(path: Path, size: int) -> str:
    """MD5 of the MD5s of a file's parts."""
    whole = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while first := stream.read(min(size, MIB)):
            part = hashlib.md5(first, usedforsecurity=False)
            left = size - len(first)
            while left and (block := stream.read(min(left, MIB))):
                part.update(block)
                left -= len(block)
            whole.update(part.digest())
    return whole.hexdigest()
