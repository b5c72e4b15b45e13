"""What the system can run out of, as sentences with the next step."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_SHOWN = 300  # characters of a path

_FILES = "too many files are open at once; raise the limit (ulimit -n), or use fewer --jobs"
_THREADS = (
    "no process or thread can be started; raise the limit (ulimit -u, or that of the container), "
    "or use fewer --jobs and --threads"
)
_MEMORY = (
    "there is not enough memory; raise the limit (ulimit -v, or that of the container), "
    "or use a smaller model, -b 1, or fewer --jobs and --threads"
)
_ROOM = "the disk is full, or a quota or limit of file sizes is reached; make room, or write to another place"

_BY_NUMBER = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _FILES),
    errno.EAGAIN: _THREADS,
    errno.ENOMEM: _MEMORY,
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _ROOM),
}
# Messages of exceptions that libraries define themselves.
_BY_TEXT = {
    "can't start new thread": _THREADS,
    "resource temporarily unavailable": _THREADS,
    "too many open files": _FILES,
    "cannot allocate memory": _MEMORY,
    "can't allocate memory": _MEMORY,
    "failed to allocate memory": _MEMORY,
    "failed to map segment": _MEMORY,
    "out of memory": _MEMORY,
    "bad_alloc": _MEMORY,
    "bad allocation": _MEMORY,
}


def shortage_of(error: BaseException) -> str | None:
    """The sentence for an exception that the system caused, without the name of the program; None for any other."""
    for cause in _causes(error):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno is not None):
            return sentence_of_system(cause)
        text = str(cause).lower()
        for said, sentence in _BY_TEXT.items():
            if said in text:
                return sentence
    return None


def sentence_of_system(error: OSError | MemoryError) -> str:
    """What the system refused, and what to look at."""
    if isinstance(error, MemoryError):
        return _MEMORY
    known = _BY_NUMBER.get(error.errno or 0)
    text = error.strerror or str(error)
    if error.filename is None:
        hint = "set TMPDIR to a folder for temporary files" if "temporary directory" in text else "see `cedtag doctor`"
        return known or f"the system refused to go on: {printable(text)}; {hint}"
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return f"{printable(_shortened(name))}: {known or f'{text}; check the name, the rights and the room there'}"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those from which it was made."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def shortage_of_threads() -> str | None:
    """The sentence where no thread can be started: there, OpenBLAS sends SIGINT, as if by Ctrl-C."""
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return _THREADS
    return None
