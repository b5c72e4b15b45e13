"""The errors file: one JSON object per recording that failed or was scored only in part."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import FileEnd, FileFailed
from cedtag.writers.lines import encode

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class ErrorsWriter:
    """`{"path", "stage", "error"}`; "partial" means that rows were written all the same, "stale" that they are old.

    Where cedtag has a bug, `traceback` is added.
    """

    has_channels = skips_silence = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out

    def write(self, result: Result) -> None:
        if isinstance(result, FileFailed):
            self._add(result, result.stage, result.error)
        elif isinstance(result, FileEnd) and result.problems:
            stage = "stale" if result.is_stale else "partial"
            self._add(result, stage, "; ".join(result.problems))

    def close(self) -> None:
        """Nothing stands at the end."""

    def _add(self, result: FileEnd | FileFailed, stage: str, error: str) -> None:
        what = {"path": result.source.name, "stage": stage, "error": error}
        self._out.write(encode(what | ({"traceback": result.traceback} if result.traceback else {})) + b"\n")
