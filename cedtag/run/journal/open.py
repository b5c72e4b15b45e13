"""Opening a journal: to go on with it, alone, or to look at what it holds."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cedtag.errors import OutputError
from cedtag.run.journal import Journal, write
from cedtag.run.journal.format import Contents, check_is_journal, header_line, read_contents, results_at
from cedtag.run.settings import run_differences
from cedtag.system.atomic import sync_folder
from cedtag.system.file_kinds import file_kind

try:
    import fcntl
except ImportError:  # not a POSIX system: two runs on one output are not noticed
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from cedtag.records import Listed, Result
    from cedtag.writers.run_info import RunInfo


def open_journal(path: Path, run: RunInfo, *, fresh: bool = False, by_relative: bool = False) -> Journal:
    """Open, lock and read a journal, or start one; `fresh` starts over.

    OutputError when it was made with other settings, is damaged, or another run is writing it. Recordings are told
    apart by their names, or `by_relative` paths.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open_regular(path)
    try:
        _lock(path, descriptor)
        check_is_journal(path)
        contents = Contents() if fresh else read_contents(path, by_relative=by_relative)
        if contents.header is None:
            _start(path, descriptor, run, replaces=fresh)
            contents = read_contents(path, by_relative=by_relative)
        else:
            _check_settings(path, contents.run, run)
        os.ftruncate(descriptor, contents.end)
    except BaseException:
        os.close(descriptor)
        raise
    return Journal(path, descriptor, contents)


def pending_in(
    path: Path, sources: Iterable[Listed], *, by_relative: bool = False, retry_failed: bool = False
) -> Iterator[Listed]:
    """Yield what `Journal.pending` does, of a journal that is neither locked nor changed; all where there is none."""
    contents = read_contents(path, by_relative=by_relative) if path.exists() else Contents()
    if contents.header is None:
        yield from sources
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield from Journal(path, descriptor, contents).pending(sources, retry_failed=retry_failed)
    finally:
        os.close(descriptor)


def read_journal(path: Path) -> tuple[RunInfo, Callable[[], Iterator[Result]]]:
    """The settings of a journal, and a function that reads its committed results; later ones replace earlier ones."""
    contents = read_contents(path)
    if contents.header is None:
        raise OutputError(f"{path}: this journal has no header; run the command that made it again with `overwrite`")

    def results() -> Iterator[Result]:
        with path.open("rb") as lines:
            for offset in contents.done.offsets().tolist():
                yield from results_at(lines, offset)

    return contents.run, results


def _open_regular(path: Path) -> int:
    """Open or create the file of a journal; OutputError for a pipe or device, which is never waited for."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OutputError(f"{path}: is {file_kind(mode)}, not a journal of cedtag; move it away")
    return descriptor


def _start(path: Path, descriptor: int, run: RunInfo, *, replaces: bool) -> None:
    """Write the header of a new journal, and put its name on the disk."""
    os.ftruncate(descriptor, 0)
    # By the file system's clock, with which the files beside it are compared.
    since_ns = 0 if replaces else os.fstat(descriptor).st_mtime_ns
    write(descriptor, header_line(run, since_ns))
    os.fsync(descriptor)
    sync_folder(path.parent)


def _lock(path: Path, descriptor: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another run is writing this output; wait for it, or name another -o") from None
    except OSError:
        pass  # a file system without locks


def _check_settings(path: Path, before: RunInfo, run: RunInfo) -> None:
    if changed := run_differences(before, run):
        raise OutputError(
            f"{path}: the results there were made with other settings ({'; '.join(changed)}); "
            "use the same settings, `overwrite` to start over, or another `to`"
        )
