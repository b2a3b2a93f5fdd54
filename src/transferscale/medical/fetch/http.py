"""Requests that stay encrypted once they are, and bring files as they are stored."""

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests


class _Session(requests.Session):
    """Follows no redirect from https to anything else."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None and urlsplit(resp.url).scheme == "https":
            scheme = urlsplit(urljoin(resp.url, target)).scheme
            if scheme != "https":
                raise requests.exceptions.InvalidURL(f"{resp.url} leads from https to {scheme}")
        return target


def get(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    stream: bool = False,
    timeout: tuple[float, float],
) -> requests.Response:
    """Answer of a server.

    Parameters
    ----------
    url, headers, params, stream, timeout
        As :func:`requests.get` has them. A packed answer is not asked for: sizes and ranges are those of the file.

    Raises
    ------
    requests.RequestException
        If it cannot be reached, or leads from https elsewhere.
    """
    wanted = {"Accept-Encoding": "identity", **(headers or {})}
    # The session may close at once: an answer holds its connection itself.
    with _Session() as session:
        return session.get(url, headers=wanted, params=params, stream=stream, timeout=timeout)
