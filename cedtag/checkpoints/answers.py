"""What a server may answer: checked before huggingface_hub uses any of it, because it joins parts of answers to paths.

The client names files in the cache by the ETag and the commit of an answer, follows redirects, unpacks bodies, and
reads them to their end, whatever they claim to be.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from huggingface_hub import get_session, set_client_factory
from huggingface_hub.errors import HfHubHTTPError

from cedtag.checkpoints.checksums import is_hash
from cedtag.checkpoints.names import MAX_JSON_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMMIT = re.compile(r"[0-9a-f]{40}")
# An ETag that is no hash may still be the name of a file; it must be no more than that.
_PLAIN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_+=-]{0,127}")
_ETAGS = ("x-linked-etag", "etag")  # in the order in which the client takes them
_PACKAGE = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError").__module__.split(".")[0]
_HTTP = import_module(_PACKAGE)  # httpx or httpx2, by the version of huggingface_hub

TransportError: type[Exception] = _HTTP.HTTPError
InvalidURL: type[Exception] = _HTTP.InvalidURL


class Unusable(Exception):
    """A response or download is unusable; a second try helps only if the message names one."""


class AnswerCheck:
    """Checks every response that the client gets, and keeps what the last one stated of its file.

    `answered` is whether there was an answer at all, and `stated` the hash of the file requested last, "" if
    the server gives none.
    """

    def __init__(self) -> None:
        self.answered = False
        self.expect(MAX_JSON_BYTES)

    def expect(self, max_bytes: int) -> None:
        """Allow answers of so many bytes from now on, or of the size that a server states before, if that is less."""
        self.stated = ""
        self._max_bytes = max_bytes

    def install(self) -> None:
        """Have every request of huggingface_hub in this process go through this check."""
        usual = get_session()
        make: Callable[..., Any] = type(usual)
        ask = [*usual.event_hooks["request"], _ask_for_plain_bytes]
        hooks = {"request": ask, "response": [self._check]}
        set_client_factory(lambda: make(event_hooks=hooks, follow_redirects=True, timeout=None))

    def _check(self, response: Any) -> None:
        self.answered = True
        commit = response.headers.get("x-repo-commit")
        if commit is not None and not _COMMIT.fullmatch(commit):
            raise Unusable(f"the server gives a commit that is none ({commit[:80]!r})")
        if response.request.method == "HEAD":
            if commit is not None:  # else it is no answer of a Hub, and the client uses nothing of it
                self._check_head(response)
        elif not response.is_success:
            # A page for people, at best: nothing of it is needed, and it may be of any size and kind.
            _replace_body(response, _no_bytes)
        elif response.headers.get("content-encoding", "identity").lower() != "identity":
            packing = response.headers["content-encoding"][:40]
            raise Unusable(f"the server sends packed data (Content-Encoding: {packing}), which it was not asked for")
        else:
            _replace_body(response, self._at_most)

    def _check_head(self, response: Any) -> None:
        etag = next((response.headers[name] for name in _ETAGS if response.headers.get(name)), "")
        etag = etag.removeprefix("W/").strip('"')
        if response.status_code < 400 and etag and not _PLAIN_NAME.fullmatch(etag):
            raise Unusable(f"the server gives an ETag that is no hash ({etag[:80]!r})")
        self.stated = etag if is_hash(etag) else ""
        own_size = "" if response.is_redirect or response.is_error else response.headers.get("content-length", "")
        size = response.headers.get("x-linked-size", own_size)
        if not re.fullmatch(r"\d{0,15}", size, re.ASCII) or int(size or 0) > self._max_bytes:
            raise Unusable(f"the server states a size of {size[:40]} bytes, expected {self._max_bytes} at most")
        self._max_bytes = int(size) if size else self._max_bytes

    def _at_most(self, stream: Any) -> Iterator[bytes]:
        left = self._max_bytes
        for chunk in stream:
            left -= len(chunk)
            if left < 0:
                raise Unusable(f"the server sends more than {self._max_bytes} bytes")
            yield chunk


def _ask_for_plain_bytes(request: Any) -> None:
    request.headers["accept-encoding"] = "identity"


def _replace_body(response: Any, read: Callable[[Any], Iterator[bytes]]) -> None:
    """Have the body of an answer pass through `read`; closing it closes the connection's own stream."""
    response.stream = _Body(response.stream, read)
    response.headers.pop("content-encoding", None)


def _no_bytes(stream: Any) -> Iterator[bytes]:
    return iter(())


class _Body(_HTTP.SyncByteStream):  # type: ignore[misc, name-defined]
    def __init__(self, stream: Any, read: Callable[[Any], Iterator[bytes]]) -> None:
        self._stream, self._read = stream, read

    def __iter__(self) -> Iterator[bytes]:
        yield from self._read(self._stream)

    def close(self) -> None:
        self._stream.close()
