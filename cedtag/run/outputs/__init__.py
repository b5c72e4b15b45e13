"""Where the results of a run go: a stream, files, or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from cedtag.records import AlreadyDone, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import FileFailed, Listed

Kept: TypeAlias = Result | AlreadyDone  # what an output takes


class Output(Protocol):
    """Takes what a run yields, in order."""

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done, with `AlreadyDone` in the place of what an earlier run has done."""

    def write(self, outcome: Kept) -> FileFailed | None:
        """Take an outcome; the failure that stands for the recording in its place, where it could not be written."""

    def finish(self) -> None:
        """Put everything in its place: the run has come to its end."""

    def close(self) -> None:
        """Let go; what is needed to go on later stays."""
