"""A bucket on loopback that speaks as much of S3 as a reader needs, and fails as it is told.

Google's is read by the same words, and Azure's by others for a list, below the name of the emulator's account.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "archive"
ACCOUNT = "/devstoreaccount1"


@dataclass
class Bucket:
    """Objects by key; `faults` are what the next reads of contents meet: a status, "reset", "cut" or "change"."""

    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    denies: bool = False
    gives_ranges: bool = True
    moved_to: str = ""  # the server to which all are sent away
    page: int = 1000
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, authorization
    sent: int = 0
    port: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "key-of-a-test",
            "AWS_SECRET_ACCESS_KEY": "secret-of-a-test",
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    """Serve a bucket on a free port while the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    bucket.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._serve(with_body=False)

    def do_GET(self) -> None:
        self._serve(with_body=True)

    def _serve(self, *, with_body: bool) -> None:
        bucket, url = self.bucket, urlsplit(self.path)
        bucket.requests.append((self.command, unquote(url.path), self.headers.get("Authorization", "")))
        if bucket.denies:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        if bucket.moved_to:
            self._answer(302, b"", {"Location": bucket.moved_to + self.path})
            return
        query = parse_qs(url.query)
        if "list-type" in query:
            self._list(query)
            return
        if "comp" in query:
            self._list_blobs(query)
            return
        content = bucket.objects.get(unquote(url.path).removeprefix(ACCOUNT).removeprefix(f"/{NAME}").lstrip("/"))
        if content is None:
            self._answer(404, b"" if not with_body else b"<Error><Code>NoSuchKey</Code></Error>")
            return
        self._object(content, with_body=with_body)

    def _object(self, content: bytes, *, with_body: bool) -> None:
        bucket = self.bucket
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        fault = bucket.faults.pop(0) if with_body and bucket.faults else None
        if isinstance(fault, int):
            self._answer(fault, b"")
            return
        if fault == "reset":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "change" or self.headers.get("If-Match", etag) != etag:
            self._answer(412, b"")
            return
        wanted, status = content, 200
        fields = {"ETag": etag, "Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT", "Accept-Ranges": "bytes"}
        if (span := self.headers.get("Range")) and with_body and bucket.gives_ranges:
            first, last = span.removeprefix("bytes=").split("-")
            stop = min(len(content), int(last) + 1)
            wanted, status = content[int(first) : stop], 206
            fields["Content-Range"] = f"bytes {first}-{stop - 1}/{len(content)}"
        cut = len(wanted) // 2 if fault == "cut" else len(wanted)
        self._answer(status, wanted, fields, cut if with_body else 0)
        if fault == "cut":
            self.close_connection = True
            self.connection.close()

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", [""])[0]
        keys = [key for key in sorted(self.bucket.objects) if key.startswith(prefix) and key > after]
        page = keys[: self.bucket.page]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-28T10:00:00.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(self.bucket.objects[key]).hexdigest()}&quot;</ETag>"
            f"<Size>{len(self.bucket.objects[key])}</Size></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        body = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _list_blobs(self, query: dict[str, list[str]]) -> None:
        prefix, after = query.get("prefix", [""])[0], query.get("marker", [""])[0]
        keys = [key for key in sorted(self.bucket.objects) if key.startswith(prefix) and key > after]
        page = keys[: self.bucket.page]
        entries = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>Sat, 28 Nov 2026 10:00:00 GMT</Last-Modified>"
            f"<Etag>{hashlib.md5(self.bucket.objects[key]).hexdigest()}</Etag>"
            f"<Content-Length>{len(self.bucket.objects[key])}</Content-Length><Content-Type>audio</Content-Type>"
            "</Properties></Blob>"
            for key in page
        )
        more = escape(page[-1]) if len(keys) > len(page) else ""
        body = f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _answer(
        self, status: int, body: bytes, fields: dict[str, str] | None = None, num_bytes: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        shown = body if num_bytes is None else body[:num_bytes]
        if self.command != "HEAD":
            self.wfile.write(shown)
            self.bucket.sent += len(shown)
