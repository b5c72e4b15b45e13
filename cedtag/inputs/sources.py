"""What the user typed -> recordings, found while they are being scored, in an order that never changes."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cedtag.errors import InputError
from cedtag.records import FileFailed, Skipped, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

Found: TypeAlias = "Source | Skipped | FileFailed"

STDIN = "-"
MAX_LISTED_PATH_BYTES = 1 << 20  # far beyond any path: a list with a longer item is no list of paths

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Search:
    """What is taken of the inputs.

    In folders, files whose suffix is in `suffixes` (lower case, with dot) are recordings, in any case of letters. Globs
    are matched, case-sensitively, against the path below the folder and against the name alone: `*`, `?` and `[a-z]`
    stay within one name, `**` does not; a folder that an exclude glob matches is not entered. Of a `shard` (i, n) only
    the recordings with `shard_of(relative, n) == i` are taken.
    """

    suffixes: frozenset[str]
    recursive: bool = True
    include_globs: tuple[str, ...] = ()
    exclude_globs: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None


def find_sources(inputs: Iterable[str], search: Search) -> Iterator[Found]:
    """Yield the recordings of each input in turn; those of a folder in the byte order of their relative paths.

    An input that is named is followed through symbolic links and is taken whatever its suffix; one that cannot be
    opened is a FileFailed. Inside folders, hidden names are passed over, symbolic links and special files are
    Skipped, and a folder that cannot be listed is a FileFailed.
    """
    finder = _Finder(search)
    typed = None
    for typed in inputs:
        yield from finder.find(typed)
    if typed is None:
        raise InputError("nothing to tag was named; name a file, a folder, or - for standard input")


class _Finder:
    """A search with its globs compiled."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._included = _glob_matcher(search.include_globs or ("**",))
        self._excluded = _glob_matcher(search.exclude_globs)

    def find(self, typed: str) -> Iterator[Found]:
        if typed == STDIN:
            if self._in_shard(typed):
                yield Source(typed, typed, typed)
            return
        source = _typed_source(typed)
        try:
            status = os.stat(typed)  # noqa: PTH116 -- a path stays as it was typed
        except OSError as error:
            found: Found = _failed(source, error)
        else:
            if stat.S_ISDIR(status.st_mode):
                yield from self._walk(typed)
                return
            found = _checked(source, status)
            if isinstance(found, Skipped):  # asked for by name, so its absence is a failure
                found = FileFailed(source, "open", f"{typed}: {found.reason}; `cedtag -` reads standard input")
        if self._takes(source.relative):
            yield found

    def _walk(self, root: str) -> Iterator[Found]:
        """Depth first, with a stack of relative paths; those of folders end in a slash, which sorts them in place."""
        prefix = os.fsencode(root.rstrip("/")) + b"/"
        pending = [b""]
        while pending:
            relative = pending.pop()
            path = os.fsdecode(prefix + relative)
            source = Source(path, path, os.fsdecode(relative), root)
            try:
                if relative[-1:] in (b"", b"/"):
                    pending += sorted(self._children(prefix, relative), reverse=True)
                    continue
                found: Found = _checked(source, os.lstat(path))
            except OSError as error:
                if not self._in_shard(source.relative):
                    continue
                found = _failed(source, error)
            yield found

    def _children(self, prefix: bytes, folder: bytes) -> Iterator[bytes]:
        """The relative paths, in any order, of what is to be looked at in one folder."""
        with os.scandir(prefix + folder) as entries:
            for entry in entries:
                relative = folder + entry.name
                if entry.name.startswith(b"."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._search.recursive and not self._excluded(os.fsdecode(relative)):
                        yield relative + b"/"
                elif self._is_recording(entry) and self._takes(os.fsdecode(relative)):
                    yield relative

    def _is_recording(self, entry: os.DirEntry[bytes]) -> bool:
        """Whether somebody may expect rows for this entry: by its suffix, or as a link to a whole folder."""
        _stem, dot, suffix = os.fsdecode(entry.name).rpartition(".")
        if dot + suffix.lower() in self._search.suffixes:
            return True
        return self._search.recursive and entry.is_symlink() and _leads_to_folder(entry)

    def _takes(self, relative: str) -> bool:
        return self._included(relative) and not self._excluded(relative) and self._in_shard(relative)

    def _in_shard(self, relative: str) -> bool:
        if self._search.shard is None:
            return True
        part, count = self._search.shard
        return shard_of(relative, count) == part


def _typed_source(typed: str) -> Source:
    """A file by itself: its relative path is the whole path as typed, so that no two files of a list get the same."""
    relative = "/".join(part for part in typed.split("/") if part not in ("", ".", ".."))
    return Source(typed, typed, relative, typed.removesuffix(relative))


def _checked(source: Source, status: os.stat_result) -> Source | Skipped:
    """The source with its size and time; Skipped when it is no regular file."""
    if stat.S_ISREG(status.st_mode):
        return Source(source.path, source.name, source.relative, source.root, status.st_size, status.st_mtime_ns)
    return Skipped(source, f"{_KINDS.get(stat.S_IFMT(status.st_mode), 'no regular file')}, not a recording")


def _failed(source: Source, error: OSError) -> FileFailed:
    return FileFailed(source, "open", f"{source.name or 'an empty path'}: cannot be opened ({error.strerror})")


def _leads_to_folder(link: os.DirEntry[bytes]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a loop of links leads nowhere
        return False


def shard_of(relative: str, count: int) -> int:
    """Which of `count` parts, 1 to `count`, a relative path belongs to, on every machine and for ever."""
    digest = hashlib.blake2b(os.fsencode(relative), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count + 1


def parse_shard(text: str) -> tuple[int, int]:
    """(2, 8) for "2/8", the second of eight parts."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    part, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= count:
        raise InputError(f"{text!r} is no shard; write I/N with I from 1 to N, such as 2/8")
    return part, count


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


_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_GLOB_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _glob_matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """A test whether any glob matches a relative path, or its last name."""
    try:
        regex = re.compile("|".join(map(_glob_regex, globs)) or "(?!)", re.DOTALL)
    except re.error as error:
        raise InputError(f"a glob of {' '.join(map(repr, globs))} cannot be read ({error}); escape [ as [[]") from error
    return lambda relative: bool(regex.fullmatch(relative) or regex.fullmatch(relative.rpartition("/")[2]))


def _glob_regex(glob: str) -> str:
    return "".join(_GLOB_REGEX.get(token) or _glob_part(token) for token in _GLOB_TOKEN.findall(glob))


def _glob_part(token: str) -> str:
    """The regex of one character, or of a set of them such as [a-z] or [!0-9]."""
    if len(token) == 1:
        return re.escape(token)
    negated = token[1] == "!"
    members = re.sub(r"([\\\[\]&|~^]|(?<=-)-)", r"\\\1", token[1 + negated : -1])
    return f"(?!/)[{'^' * negated}{members}]"
