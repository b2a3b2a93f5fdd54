"""Datasets of OpenNeuro by number, from its public bucket over plain HTTPS (S3's ListObjectsV2)."""

import os
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import quote
from xml.etree import ElementTree

from transferscale.errors import UserError
from transferscale.medical.fetch.download import TIMEOUT, Remote, download

URL = "https://s3.amazonaws.com/openneuro.org"
ENVIRONMENT = "TRANSFERSCALE_OPENNEURO_URL"
NAME = re.compile(r"ds\d{6}")
SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def base_url() -> str:
    """Address of the bucket: a mirror's where the environment variable names one."""
    return os.environ.get(ENVIRONMENT, URL).rstrip("/")


def listing(name: str, include: Sequence[str]) -> list[Remote]:
    """Files of a dataset that fit one of the patterns (all without any), sorted by path.

    Raises
    ------
    UserError
        If it is no dataset's number, there is no such dataset, or no file fits.
    """
    import requests

    from transferscale.medical.fetch.http import get

    if not NAME.fullmatch(name):
        raise UserError(
            f"fetch.name: '{name}' is no OpenNeuro dataset; it is ds and six digits, as in ds000228"
        )
    base, found, token = base_url(), [], ""
    while True:
        query = {"list-type": "2", "prefix": f"{name}/"} | ({"continuation-token": token} if token else {})
        try:
            answer = get(f"{base}/", params=query, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise UserError(f"{base}: cannot be reached ({type(error).__name__}); try again later") from None
        if answer.status_code != 200:
            raise UserError(f"{base}: the server answers {answer.status_code} {answer.reason}")
        page, token = _page(answer.content, base, name)
        found += page
        if not token:
            break
    if not found:
        raise UserError(f"{base}: no dataset '{name}'")
    wanted = [
        remote for remote in found if not include or any(fnmatchcase(remote.path, text) for text in include)
    ]
    if not wanted:
        raise UserError(f"fetch.include: none of {len(found)} files of {name} fits, as in '{found[0].path}'")
    return sorted(wanted, key=lambda remote: remote.path)


def _page(content: bytes, base: str, name: str) -> tuple[list[Remote], str]:
    """One page of the listing, and the token of the next (empty at the end)."""
    try:
        # Expat refuses entities that blow up, and there are no external ones to read.
        tree = ElementTree.fromstring(content)  # noqa: S314
    except ElementTree.ParseError:
        raise UserError(f"{base}: the answer is no listing of a bucket; is the address right?") from None
    found = []
    for item in tree.iter(f"{SPACE}Contents"):
        key = item.findtext(f"{SPACE}Key") or ""
        path = key.removeprefix(f"{name}/")
        if not path or path.endswith("/"):
            continue
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise UserError(f"{base}: the listing names '{key}', which leaves the dataset's folder")
        tag = (item.findtext(f"{SPACE}ETag") or "").strip('"')
        size = int(item.findtext(f"{SPACE}Size") or 0)
        found.append(Remote(f"{base}/{quote(key)}", path, size, tag))
    return found, tree.findtext(f"{SPACE}NextContinuationToken") or ""


def fetch(name: str, include: Sequence[str], root: Path) -> list[Remote]:
    """Download the files of a dataset that fit; those that are there already are left alone."""
    remotes = listing(name, include)
    whole = sum(remote.bytes for remote in remotes)
    done = 0
    for number, remote in enumerate(remotes, start=1):
        came = download(remote, root)
        done += remote.bytes
        print(
            f"{number}/{len(remotes)} files, {done / 1e6:.1f} of {whole / 1e6:.1f} MB: {remote.path}"
            f"{'' if came else ' (there already)'}",
            file=sys.stderr,
        )
    return remotes
