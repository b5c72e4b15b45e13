"""Lists of paths, read while they are used."""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MAX_LISTED_PATH_BYTES = 1 << 20  # far beyond any path: a list with a longer item is no list of paths


def read_path_list(stream: BinaryIO, null_separated: bool) -> Iterator[str]:
    """Yield the paths of a list, one per line or separated by NUL, as soon as each is read; empty ones are left out."""
    at_start = True
    for item in _split(stream, b"\0" if null_separated else b"\n"):
        path = item.removeprefix(codecs.BOM_UTF8) if at_start else item
        at_start = False
        if not null_separated:
            path = path.removesuffix(b"\r")
        if b"\0" in path:
            raise InputError("the list of paths is separated by NUL, not by lines; say -0")
        if path:
            yield os.fsdecode(path)


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    # `read` of a pipe waits for a full buffer; `read1`, which not every stream has, for whatever comes first.
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    rest = b""
    while chunk := read(1 << 16):
        *items, rest = (rest + chunk).split(separator)
        yield from items
        if len(rest) > MAX_LISTED_PATH_BYTES:
            raise InputError("the list of paths has an item of over 1 MiB; is it separated by NUL (-0), or no list?")
    yield rest
