"""What the user typed -> recordings, found while they are being scored, in an order that never changes."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from cedtag.audio import AUDIO_SUFFIXES, members
from cedtag.errors import InputError
from cedtag.inputs.globs import glob_matcher
from cedtag.inputs.repeats import SeenPlaces
from cedtag.inputs.search import STDIN
from cedtag.records import FileFailed, Repeated, Skipped, Source
from cedtag.system import remote
from cedtag.system.file_kinds import changed_ns, file_kind
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.audio.members import Member
    from cedtag.audio.piped_tar import PipedInput
    from cedtag.inputs.search import Search

Found: TypeAlias = "Source | Skipped | FileFailed"


def find_sources(
    inputs: Iterable[str], search: Search, *, one_recording: str | None = None, stdin: PipedInput | None = None
) -> Iterator[Found]:
    """Yield the recordings of each input in turn; those of a folder in the byte order of their relative paths.

    An input that is named is followed through symbolic links and is taken whatever its suffix; one that cannot be
    opened is a FileFailed. Inside folders, hidden names are passed over, symbolic links and special files are
    Skipped, and a folder that cannot be listed is a FileFailed. A recording to which two inputs lead is taken once,
    under the first name; then it is Repeated. Where only `one_recording` can be used, for the reason given, a second
    one is an InputError before much is scored. A tar on `stdin` is read like one that is named; without it, standard
    input is one recording, and not looked at.
    """
    # A single folder holds no name twice, so no names have to be kept.
    finder = _Finder(search, stdin, remembers=not (isinstance(inputs, list | tuple) and len(inputs) == 1))
    typed = first = None
    for typed in inputs:
        for found in finder.find(typed):
            if one_recording is not None and isinstance(found, Source):
                if first is not None:
                    raise InputError(second_recording(first, found, one_recording))
                first = found
            yield found
    if typed is None:
        raise InputError("nothing to tag was named; name a file, a folder, or - for standard input")


def second_recording(first: Source, second: Source, what: str) -> str:
    """The sentence for two recordings where there can be one."""
    return (
        f"{second.name}: {what} one recording a file, and there is {first.name} already; "
        "name one recording, or `formats` and a folder for `to`"
    )


class _Finder:
    """A search with its globs compiled, and what it has found if it `remembers` that."""

    def __init__(self, search: Search, stdin: PipedInput | None = None, *, remembers: bool = True) -> None:
        self._search, self._stdin = search, stdin
        self._seen = SeenPlaces() if remembers else None
        self._real_folder = lru_cache(maxsize=64)(_real_folder)
        self._included = glob_matcher(search.include_globs or ("**",))
        self._excluded = glob_matcher(search.exclude_globs)

    def find(self, typed: str) -> Iterator[Found]:
        for found in self._all(typed):
            source = found if isinstance(found, Source) else found.source
            # Before the shard is looked at: a recording belongs to the shard of its first name alone.
            is_new = self._is_new(found)
            if self._in_shard(source.relative):
                yield found if is_new else Repeated(source, "was named before; a recording is taken once")

    def _is_new(self, found: Found) -> bool:
        if self._seen is None or isinstance(found, Skipped):  # a link in a folder may be named later
            return True
        source = found if isinstance(found, Source) else found.source
        return self._seen.add(source.at or source.name)

    def _all(self, typed: str) -> Iterator[Found]:
        if typed == STDIN:
            # The time of this run, so that no later run takes its own for the same.
            source = Source(typed, typed, typed, mtime_ns=time.time_ns())
            tar = None if self._stdin is None else self._stdin.tar()
            if tar is None:
                yield source
            else:
                yield from self._members(typed, source, tar.members())
            return
        if remote.is_url(typed):
            yield from self._objects(typed)
            return
        source = self._placed(typed)
        try:
            status = os.stat(typed)  # noqa: PTH116 -- a path stays as it was typed
        except (OSError, ValueError) as error:
            found: Found = _failed(source, error)
        else:
            if stat.S_ISDIR(status.st_mode):
                yield from self._walk(typed)
                return
            if members.is_archive(typed) and stat.S_ISREG(status.st_mode):
                yield from self._members(typed, source, members.members(typed))
                return
            found = _checked(source, status)
            if isinstance(found, Skipped):  # asked for by name, so its absence is a failure
                found = FileFailed(source, "open", f"{typed}: {found.reason}; `cedtag -` reads standard input")
        if self._takes(source.relative):
            yield found

    def _objects(self, url: str) -> Iterator[Found]:
        """The object at a URL, or the recordings below it, in the order of their keys."""
        safe, why = remote.refusal(url)
        if why:
            yield FileFailed(Source(safe, safe, safe, at=safe), "open", f"{safe}: {why}")
            return
        last = url.rpartition("/")[2].lower()
        is_one = not remote.is_listed(url) or last[last.rfind(".") :] in AUDIO_SUFFIXES or members.is_archive(url)
        try:
            for found in (remote.head(url),) if is_one else remote.objects(url):
                source = self._object(found, url.removesuffix(found.relative) if is_one else f"{url.rstrip('/')}/")
                if is_one and members.is_archive(url):
                    yield from self._members(url, source, members.members(url))
                elif is_one or self._wants(found.relative):
                    yield source
        except remote.RemoteError as error:
            yield FileFailed(Source(url, url, url, at=url), "read", f"{url}: {error}")

    def _object(self, found: remote.Object, root: str) -> Source:
        return Source(found.url, found.url, found.relative, root, found.size, found.stamp, at=found.url)

    def _wants(self, relative: str) -> bool:
        """Whether an object below a prefix or a member of an archive is taken, as a file in a folder would be."""
        *folders, name = relative.split("/")
        if any(part.startswith(".") for part in (*folders, name)) or (folders and not self._search.recursive):
            return False
        entered = not any(self._excluded("/".join(folders[: depth + 1])) for depth in range(len(folders)))
        return entered and name[name.rfind(".") :].lower() in AUDIO_SUFFIXES and self._takes(relative)

    def _members(self, typed: str, archive: Source, listed: Iterable[Member]) -> Iterator[Found]:
        """The recordings in an archive, in its order; what leads out of it is Skipped."""
        root = f"{typed}{members.BETWEEN}"
        num_found = 0
        try:
            for member in listed:
                num_found += 1
                relative = member.name.removeprefix("./")
                if not (self._takes(relative) if member.refusal else self._wants(relative)):
                    continue
                path = f"{root}{member.name}"
                at = archive.at and f"{archive.at}{members.BETWEEN}{relative}"
                source = Source(path, f"{root}{relative}", relative, root, member.size, member.stamp, at=at)
                yield Skipped(source, member.refusal) if member.refusal else source
        except members.DAMAGE as error:
            what = (
                f"cannot be read as an archive ({members.said(error)}); {num_found} recordings were found before that"
            )
            yield FileFailed(archive, "open", f"{typed}: {what}")

    def _placed(self, typed: str) -> Source:
        """The source of a file that was typed, with its real place."""
        name = typed.rpartition("/")[2]
        real = self._real_folder(typed.removesuffix(name) or ".")
        return replace(typed_source(typed), at=real and real + name)

    def _walk(self, root: str) -> Iterator[Found]:
        """Depth first, with a stack of relative paths; those of folders end in a slash, which sorts them in place."""
        prefix = os.fsencode(root.rstrip("/")) + b"/"
        real = self._real_folder(root)
        pending = [b""]
        while pending:
            relative = pending.pop()
            path = os.fsdecode(prefix + relative)
            below = os.fsdecode(relative)
            source = Source(path, path, below, root, at=real and real + below)
            try:
                if relative[-1:] in (b"", b"/"):
                    pending += sorted(self._children(prefix, relative), reverse=True)
                    continue
                if self._seen is None and not self._in_shard(below):
                    continue
                found: Found = _checked(source, os.lstat(path))
            except OSError as error:
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
        if dot + suffix.lower() in AUDIO_SUFFIXES:
            return True
        return self._search.recursive and entry.is_symlink() and _leads_to_folder(entry)

    def _takes(self, relative: str) -> bool:
        return self._included(relative) and not self._excluded(relative)

    def _in_shard(self, relative: str) -> bool:
        if self._search.shard is None:
            return True
        part, count = self._search.shard
        return shard_of(relative, count) == part


def typed_source(typed: str) -> Source:
    """A file by itself: its relative path is the whole path as typed, so that no two files of a list get the same."""
    relative = "/".join(part for part in typed.split("/") if part not in ("", ".", ".."))
    return Source(typed, typed, relative, typed.removesuffix(relative))


def _checked(source: Source, status: os.stat_result) -> Source | Skipped:
    """The source with its size and time; Skipped when it is no regular file."""
    if stat.S_ISREG(status.st_mode):
        return replace(source, size=status.st_size, mtime_ns=changed_ns(status))
    return Skipped(source, f"{file_kind(status.st_mode)}, not a recording")


def _failed(source: Source, error: OSError | ValueError) -> FileFailed:
    if is_shortage(error):
        raise error
    why = error.strerror if isinstance(error, OSError) else "its name holds a zero byte"
    return FileFailed(source, "open", f"{source.name or 'an empty path'}: cannot be opened ({why})")


def _real_folder(folder: str) -> str:
    """The real path of a folder with a slash at its end; "" where there is none."""
    try:
        return os.path.realpath(folder).rstrip("/") + "/"
    except (OSError, ValueError):  # the working folder was removed; a zero byte
        return ""


def _leads_to_folder(link: os.DirEntry[bytes]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a loop of links leads nowhere
        return False


def shard_of(relative: str, count: int) -> int:
    """Which of `count` parts, 1 to `count`, a relative path belongs to, on every machine and for ever."""
    digest = hashlib.blake2b(os.fsencode(relative), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count + 1
