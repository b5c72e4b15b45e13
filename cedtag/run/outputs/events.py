"""An output to which events go in place of the rows that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.events.detect import EventMaker
from cedtag.records import AlreadyDone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.events.settings import EventSettings
    from cedtag.records import FileFailed, Listed
    from cedtag.run.outputs import Kept, Output


class EventOutput:
    """Takes rows; `output` gets their events as soon as they are complete."""

    def __init__(self, output: Output, settings: EventSettings) -> None:
        self._output = output
        self._maker = EventMaker(settings)

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        return self._output.pending(sources, retry_failed=retry_failed)

    def write(self, outcome: Kept) -> FileFailed | None:
        if isinstance(outcome, AlreadyDone):
            return self._output.write(outcome)
        failed = None
        for result in self._maker.add(outcome):
            failed = self._output.write(result) or failed
        return failed

    def finish(self) -> None:
        self._output.finish()

    def close(self) -> None:
        self._output.close()
