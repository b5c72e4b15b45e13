"""Results that go out as they come."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from cedtag.records import AlreadyDone
from cedtag.system.atomic import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import ExitStack

    from cedtag.records import Listed
    from cedtag.run.outputs import Kept
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo

STDOUT = Path("standard output")


class StreamOutput:
    """Results go out to `place` as they come, through every writer; nothing is remembered. `close` closes `stack`."""

    def __init__(
        self, place: Path, writers: Sequence[tuple[IO[bytes], type[Writer]]], run: RunInfo, stack: ExitStack
    ) -> None:
        self._place, self._stack = place, stack
        self._outs = [out for out, _ in writers]
        with writing(self._place):
            self._writers = [writer(out, run) for out, writer in writers]
            self._flush()

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        return iter(sources)

    def write(self, outcome: Kept) -> None:
        assert not isinstance(outcome, AlreadyDone)
        with writing(self._place):
            for writer in self._writers:
                writer.write(outcome)
            self._flush()

    def finish(self) -> None:
        with writing(self._place):
            for writer in self._writers:
                writer.close()
            self._flush()

    def close(self) -> None:
        with writing(self._place):
            self._stack.close()

    def _flush(self) -> None:
        for out in self._outs:
            out.flush()
