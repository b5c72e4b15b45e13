"""Errors that are no fault of a file: the system has run out of something, and the next file would meet the same."""

from __future__ import annotations

import errno

_NUMBERS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


def is_shortage(error: BaseException) -> bool:
    """Whether there were too many open files, processes or threads, or too little memory."""
    return isinstance(error, OSError) and error.errno in _NUMBERS
