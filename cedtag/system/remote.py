"""Objects in buckets and files on web servers: listed, and read into temporary files. Only this file imports obstore.

An object is read once, in ranges, each of the state that the first one had. What a vendor's own tools read of the
environment and of profiles is read here, too; nothing of it gets into a message or into results.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from cedtag.errors import AudioError, MissingPackageError
from cedtag.system.clouds import config_of, endpoint_of, has_static_credentials
from cedtag.system.extras import missing
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL = re.compile(r"(s3|gs|az|https?)://[^/\s]+(/.*)?", re.DOTALL)
RANGE_BYTES = 8 << 20
BLOCK_BYTES, _BLOCKS_KEPT = 2 << 20, 3
MAX_OBJECT_BYTES = 64 << 30
_RETRIES, _DEADLINE_S = 6, 60.0
_STAMP_BITS = 62
_NO_PROXY = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its URL, its path below what was named, its size in bytes, and a number that changes when it does."""

    url: str
    relative: str
    size: int
    stamp: int


class RemoteError(Exception):
    """Something that is not here could not be listed or read: why, in a few words."""


class WithoutRangesError(RemoteError):
    """A server gives whole objects only."""


def is_url(path: str) -> bool:
    """Whether a path is the URL of something that is read over the network."""
    return _URL.fullmatch(path) is not None


def refusal(url: str) -> tuple[str, str]:
    """A URL without what may be secret in it, and why it is not read: it would stand in results as it was typed."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    _, has_user, host = host.rpartition("@")
    path, has_query, _ = path.partition("?") if scheme.startswith("http") else (path, "", "")
    safe = f"{scheme}://{host}{slash}{path}"
    if has_user:
        return safe, "names a user or a password, which would stand in results; fetch it first"
    return safe, "has a query, such as a signature, which would stand in results; fetch it first" if has_query else ""


def is_listed(url: str) -> bool:
    """Whether a URL can be that of a folder: web servers do not list theirs."""
    return not url.startswith("http")


def objects(url: str) -> Iterator[Object]:
    """Yield the objects below a prefix in the order of their keys, while they are listed; RemoteError."""
    obstore = _obstore()
    root = url if url.endswith("/") else f"{url}/"
    place, key = _split(root)
    with _said():
        for page in obstore.list(_store(place), prefix=key.rstrip("/") or None, chunk_size=1000):
            for found in page:
                if found["path"].startswith(key):
                    below = found["path"].removeprefix(key)
                    yield Object(root + below, below, found["size"], _stamp(found))


def head(url: str) -> Object:
    """One object; RemoteError."""
    obstore = _obstore()
    place, key = _split(url)
    with _said():
        found = obstore.head(_store(place), key)
    return Object(url, key.rpartition("/")[2], found["size"], _stamp(found))


class RangedObject:
    """An object that is read at any place, in blocks of one state of it, with the next one under way; RemoteError.

    Of the blocks the last few stay, and both ends, at which headers and what follows the audio are.
    """

    def __init__(self, url: str, block_bytes: int | None = None, *, ahead: bool = True) -> None:
        self._block_bytes, self._ahead = block_bytes or BLOCK_BYTES, ahead
        place, self._key = _split(url)
        self._store = _store(place)
        self.size, self._state = _found(self._store, self._key)
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._last = -1

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start` on, fewer than `length` only at the end."""
        stop = min(start + length, self.size)
        parts = []
        while start < stop:
            number, begin = divmod(start, self._block_bytes)
            part = self._block(number)[begin : begin + stop - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of what was read, and wait for nothing."""
        self._blocks.clear()

    def _block(self, number: int) -> bytes:
        ends = (0, (self.size - 1) // self._block_bytes)
        asked = self._asked(number)
        if self._ahead and number == self._last + 1 and number < ends[1]:
            self._asked(number + 1)
        self._last = number
        inner = [one for one in self._blocks if one not in ends]
        for old in inner[: max(0, len(inner) - _BLOCKS_KEPT)]:
            del self._blocks[old]
        return asked.result()

    def _asked(self, number: int) -> Future[bytes]:
        if number not in self._blocks:
            block: Future[bytes] = Future()
            self._blocks[number] = block
            # No pool: a process that is told to end waits for the threads of one.
            threading.Thread(target=self._fetch, args=(number, block), name="cedtag-ahead", daemon=True).start()
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, number: int, block: Future[bytes]) -> None:
        span = number * self._block_bytes, min(self.size, (number + 1) * self._block_bytes)
        try:
            with _said():
                block.set_result(_range(self._store, self._key, span, self._state))
        except BaseException as error:  # noqa: BLE001 -- raised again where the block is read
            block.set_exception(error)


def open_object(name: str, url: str, content: RangedObject | None = None) -> int:
    """The descriptor of a temporary file with the bytes of an object; the reason why there is none is an AudioError.

    What `content` has of it already is not read again.
    """
    try:
        with tempfile.TemporaryFile(prefix="cedtag-") as file:
            if content is None:
                _fetch(url, file)
            else:
                for start in range(0, content.size, BLOCK_BYTES):
                    file.write(content.read(start, BLOCK_BYTES))
            file.flush()
            fd = os.dup(file.fileno())
    except RemoteError as error:
        raise AudioError(f"{name}: {error}", stage="read") from error
    except OSError as error:
        if is_shortage(error):
            raise
        why = f"cannot be kept in {tempfile.gettempdir()} ({error.strerror}); set TMPDIR to a folder with more room"
        raise AudioError(f"{name}: {why}", stage="read") from error
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _fetch(url: str, file: Any) -> None:
    place, key = _split(url)
    store = _store(place)
    size, state = _found(store, key)
    try:
        for start in range(0, size, RANGE_BYTES):
            with _said():
                content = _range(store, key, (start, min(size, start + RANGE_BYTES)), state)
            file.write(content)
    except WithoutRangesError:
        _fetch_at_once(store, key, size, state, file)


def _fetch_at_once(store: Any, key: str, size: int, state: dict[str, Any], file: Any) -> None:
    """Write an object in one answer, which is asked for anew where it breaks."""
    for _ in range(_RETRIES):
        file.seek(0)
        file.truncate()
        with _said():
            pieces = iter(_obstore().get(store, key, options=state).stream())
        while (piece := _next_of(pieces)) is not None:
            file.write(piece)
        if file.tell() == size:
            return
    raise RemoteError("could not be read (the answer is cut off)")


def _next_of(pieces: Iterator[Any]) -> Any:
    """The next piece of an answer; None at its end, and where it breaks."""
    with _said():
        try:
            return next(pieces, None)
        except _obstore().exceptions.GenericError:
            return None


def _found(store: Any, key: str) -> tuple[int, dict[str, Any]]:
    """The size of an object, and what asks for the state in which it is now."""
    with _said():
        found = _obstore().head(store, key)
    if found["size"] > MAX_OBJECT_BYTES:
        raise RemoteError(f"is longer than {MAX_OBJECT_BYTES >> 30} GiB")
    etag = found.get("e_tag")
    return found["size"], {"if_match": etag} if etag else {"if_unmodified_since": found["last_modified"]}


def _range(store: Any, key: str, span: tuple[int, int], state: dict[str, Any]) -> bytes:
    """The bytes of an object from one place to another, of the state that is asked for."""
    obstore = _obstore()
    for _ in range(_RETRIES):
        try:
            content = bytes(obstore.get(store, key, options={"range": span, **state}).bytes())
        except obstore.exceptions.NotSupportedError as error:
            raise WithoutRangesError("is on a server that gives no part of it") from error
        except obstore.exceptions.GenericError as error:  # a connection that broke inside an answer
            if "body" not in str(error) and "Wrapped" not in str(error):
                raise
            continue
        if len(content) == span[1] - span[0]:
            return content
    raise RemoteError(f"could not be read at byte {span[0]} (the answer is cut off)")


class _said:
    """Turns what obstore raises into a RemoteError of few words, without URLs and headers."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if not isinstance(error, _obstore().exceptions.BaseError | OSError):
            return
        found = re.search(r"\b([45]\d\d) [A-Z][a-z]+", str(error))
        status = found[1] if found else next((code for of, code in _KINDS.items() if type(error).__name__ == of), "")
        why = f"HTTP {status}" if status else "no answer"
        if "Account must be specified" in str(error):
            raise RemoteError("the account is not known; set AZURE_STORAGE_ACCOUNT_NAME") from error
        raise RemoteError(_WORDS.get(status, f"could not be read ({why})")) from error


# The errors of obstore that come without a status, and what a few statuses mean.
_KINDS = {
    "NotFoundError": "404",
    "FileNotFoundError": "404",
    "PermissionDeniedError": "403",
    "UnauthenticatedError": "401",
    "PreconditionError": "412",
}
_DENIED = "access is denied; see the credentials in the environment or the profile"
_WORDS = {"404": "there is no such object", "401": _DENIED, "403": _DENIED, "412": "has changed while it was read"}


def _stamp(found: Any) -> int:
    # Azure and Google write an ETag without quotes into lists.
    state = (found.get("e_tag") or "").strip('"') or found["last_modified"].isoformat()
    digest = hashlib.blake2b(state.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _STAMP_BITS)


def _split(url: str) -> tuple[str, str]:
    """The bucket (of Azure: the container; of a web server: its host), and the key in it."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def _obstore() -> Any:
    """The package, which only those need who name a URL."""
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise MissingPackageError(missing("what lies behind a URL needs obstore", "remote")) from error
    return obstore


def _store(place: str) -> Any:
    """What opens the objects of a bucket; RemoteError where it is not told enough."""
    with _said():
        return _stores(place)


@lru_cache(maxsize=16)
def _stores(place: str) -> Any:
    config: Any = config_of(place)
    options: dict[str, Any] = {"timeout": timedelta(seconds=_DEADLINE_S)}
    endpoint = endpoint_of(place, config)
    if endpoint.startswith("http:"):
        options["allow_http"] = True
    if endpoint and has_static_credentials(place, config) and not getproxies():
        # obstore follows a redirect to any host, and takes what is no `Authorization` along, such as a session token.
        # A proxy that is not there, for all hosts but the one that was named, keeps it from that.
        options |= {"proxy_url": _NO_PROXY, "proxy_excludes": urlsplit(endpoint).hostname}
    retry: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_DEADLINE_S)}
    arguments: dict[str, Any] = {"config": config or None, "client_options": options, "retry_config": retry}
    return _obstore().store.from_url(place, **arguments)
