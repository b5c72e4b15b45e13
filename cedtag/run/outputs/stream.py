"""Results that go out as they come."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.records import AlreadyDone
from cedtag.run.outputs.blocks import in_whole_blocks
from cedtag.system.atomic import writing
from cedtag.writers import write_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import ExitStack

    from cedtag.labels.tagged import TaggedWindows
    from cedtag.records import Listed
    from cedtag.run.outputs import Kept
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo

STDOUT = Path("standard output")


class StreamOutput:
    """Results go out to `place` as they come, through every writer, each whole; nothing is remembered.

    `close` closes `stack`, so that files beside `place` are whole; after an InputError of the sources none is replaced.
    """

    def __init__(
        self, place: Path, writers: Sequence[tuple[IO[bytes], type[Writer]]], run: RunInfo, stack: ExitStack
    ) -> None:
        self._place, self._stack, self._is_refused = place, stack, False
        self._outs = [in_whole_blocks(out) for out, _ in writers]
        with writing(self._place):
            self._writers = [writer(out, run) for out, (_, writer) in zip(self._outs, writers, strict=True)]
            self._flush()

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        try:
            yield from sources
        except InputError:
            self._is_refused = True
            raise

    def write(self, outcome: Kept | TaggedWindows) -> None:
        assert not isinstance(outcome, AlreadyDone)
        with writing(self._place):
            for writer in self._writers:
                write_to(writer, outcome)
            self._flush()

    def finish(self) -> None:
        with writing(self._place):
            for writer in self._writers:
                writer.close()
            self._flush()

    def close(self) -> None:
        with writing(self._place), suppress(_Refused), self._stack:
            if self._is_refused:
                raise _Refused

    def _flush(self) -> None:
        for out in self._outs:
            out.flush()


class _Refused(Exception):
    pass
