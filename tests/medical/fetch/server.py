"""A real HTTP server on loopback that serves files as S3 does: with ranges, and with a listing of the bucket."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class Bucket:
    """What the server has, what it was asked, and how it misbehaves.

    Attributes
    ----------
    files
        Key -> content.
    tags
        Key -> ETag, where it is not the content's MD5.
    drops
        Key -> how often the connection is still to be dropped half-way.
    refuses_ranges
        Whether a range is answered with the whole file.
    page
        Keys a page of the listing.
    asked
        (key, Range header) of every request of a file.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    drops: dict[str, int] = field(default_factory=dict)
    refuses_ranges: bool = False
    page: int = 1000
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def listing(self, prefix: str, token: str) -> bytes:
        """A page of ListObjectsV2."""
        keys = sorted(key for key in self.files if key.startswith(prefix))
        first = int(token or 0)
        shown = keys[first : first + self.page]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><ETag>&quot;{self.tag(key)}&quot;</ETag>"
            f"<Size>{len(self.files[key])}</Size></Contents>"
            for key in shown
        )
        following = first + self.page
        more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following < len(keys) else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}{more}</ListBucketResult>'
        ).encode()

    def tag(self, key: str) -> str:
        """ETag of a key."""
        return self.tags.get(key, hashlib.md5(self.files[key], usedforsecurity=False).hexdigest())


@contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    """Serve a bucket for the length of a test; its ``url`` is filled in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if "list-type" in query:
                self.answer(200, bucket.listing(query["prefix"][0], query.get("continuation-token", [""])[0]))
                return
            key = unquote(parts.path).lstrip("/")
            wanted = self.headers.get("Range", "")
            bucket.asked.append((key, wanted))
            if key not in bucket.files:
                self.answer(404, b"no such key")
                return
            content, status = bucket.files[key], 200
            headers = {"ETag": f'"{bucket.tag(key)}"'}
            same = self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
            if wanted and same and not bucket.refuses_ranges:
                first, whole = int(wanted.removeprefix("bytes=").rstrip("-")), len(content)
                content, status = content[first:], 206
                headers["Content-Range"] = f"bytes {first}-{whole - 1}/{whole}"
            if bucket.drops.get(key, 0):
                bucket.drops[key] -= 1
                self.answer(status, content, headers, sent=len(content) // 2)
                self.close_connection = True
                return
            self.answer(status, content, headers)

        def answer(
            self,
            status: int,
            content: bytes,
            headers: Mapping[str, str] | None = None,
            sent: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:sent])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
