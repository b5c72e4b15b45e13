"""Sources -> lanes, a bounded number of them ahead of what is drained."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from cedtag.records import Source
from cedtag.run.pipeline.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import Listed
    from cedtag.run.pipeline.settings import LookAhead
    from cedtag.run.pipeline.threads import WorkQueue


class Lister:
    """Makes a lane of every source, and puts those that are recordings in a queue for the decoders."""

    def __init__(self, ahead: LookAhead, to_decode: WorkQueue[Lane]) -> None:
        self._ahead = ahead
        self._to_decode = to_decode
        self._room = threading.Semaphore(ahead.lanes)
        self._lanes: SimpleQueue[Lane | BaseException | None] = SimpleQueue()
        self._open: set[Lane] = set()
        self._stopped = False

    def run(self, sources: Iterable[Listed]) -> None:
        """List all sources, with a pause wherever enough lanes wait."""
        try:
            for item in sources:
                self._room.acquire()
                if self._stopped:
                    return
                self._add(item)
            self._lanes.put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again by `lanes`
            self._lanes.put(error)

    def lanes(self) -> Iterator[Lane]:
        """Yield the lanes in order; a lane counts as drained when the next one is asked for."""
        while (lane := self._lanes.get()) is not None:
            if isinstance(lane, BaseException):
                raise lane
            yield lane
            self._open.discard(lane)
            self._room.release()

    def stop(self) -> None:
        """List nothing more, and abandon the lanes that are not drained."""
        self._stopped = True
        self._room.release()
        for lane in list(self._open):
            lane.abandon()

    def _add(self, item: Listed) -> None:
        source = item if isinstance(item, Source) else item.source
        lane = Lane(source, threading.Semaphore(self._ahead.groups))
        self._open.add(lane)
        if isinstance(item, Source):
            self._to_decode.put(lane)
        else:
            lane.items.put(item)
        self._lanes.put(lane)
