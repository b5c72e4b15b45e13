"""Mistakes in the code that reads one recording: they cost that recording, and are reported with their traceback."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cedtag.errors import AudioError, CedtagError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def bugs_reported(name: str) -> Iterator[None]:
    """Turn what no decoder and no parser should raise into the `AudioError` of one recording."""
    try:
        yield
    except (CedtagError, OSError, MemoryError):  # faults of the file, of the disk, and of the machine
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise AudioError(
            f"{name}: reading it met a bug in cedtag ({what}); please report it where cedtag was installed from, "
            "with the traceback and the output of `cedtag doctor`",
            stage="bug",
            traceback="".join(traceback.format_exception(error)),
        ) from error
