"""Sources -> batches of them for the actors, a bounded number ahead of what is drained, in order."""

from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

from cedtag.records import FileEnd, FileFailed, ScoredWindow, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import Listed, Outcome

# A call costs about a millisecond, as much as decoding a short file: so those go together.
MOST_RECORDINGS = 8
MOST_BYTES = 8_000_000
ANSWERS_AHEAD = 4  # of one batch, not drained yet
MOST_DEATHS = 3  # of actors that had the same recording


class Batch:
    """Consecutive sources that one actor is asked for, and what came of them so far.

    What came stays when an actor is lost: another is asked for the rest. The windows of a recording are the same
    wherever it is scored, so those that came already are left out the second time.
    """

    def __init__(self, items: tuple[Listed, ...]) -> None:
        self.items = items
        self._sources = [item for item in items if isinstance(item, Source)]
        self._came: SimpleQueue[list[Outcome] | BaseException] = SimpleQueue()
        self._room = threading.Semaphore(ANSWERS_AHEAD)
        self._num_done = self._num_windows = 0
        self._num_samples = 0  # up to the end of the last window
        self._deaths = 0

    @property
    def is_suspect(self) -> bool:
        """Whether an actor was lost that had it: then its recordings are asked for one by one, with nothing beside."""
        return self._deaths > 0

    def rest(self) -> list[Source]:
        """The recordings that are to be asked for next; none when all have come."""
        return self._sources[self._num_done :][: 1 if self.is_suspect else None]

    @property
    def num_windows(self) -> int:
        """How many windows of the first recording of `rest` came already."""
        return self._num_windows

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take what came; waits while much has come that is not drained yet."""
        self._room.acquire()
        for outcome in outcomes:
            if isinstance(outcome, ScoredWindow):
                self._num_windows += 1
                self._num_samples = outcome.stop
            else:
                self._num_done, self._num_windows, self._deaths = self._num_done + 1, 0, 0
        self._came.put(list(outcomes))

    def fail(self, error: BaseException) -> None:
        """Raise an exception where the batch is drained."""
        self._came.put(error)

    def lost(self, why: str) -> None:
        """Note that the actor is lost; after some of them the recording that they had has failed."""
        self._deaths += 1
        if self._deaths < MOST_DEATHS or not (head := self.rest()):
            return
        text = f"{MOST_DEATHS} actors were lost while they had it ({why})"
        if not self._num_windows:
            self.add([FileFailed(head[0], "crash", f"{head[0].name}: {text}")])
            return
        problem = (
            f"{text}, after {self._num_windows} window{'' if self._num_windows == 1 else 's'}; the rest is missing"
        )
        self.add([FileEnd(head[0], self._num_samples, self._num_windows, (problem,), cause="crash")])

    def drained(self) -> Iterator[Outcome]:
        """Yield all outcomes, in order, as they come."""
        outcomes = self._outcomes()
        for item in self.items:
            if isinstance(item, Source):
                yield from _of_one(outcomes)
            else:
                yield item

    def let_go(self) -> None:
        """Wait for nothing any more: the run is over."""
        self._room.release()

    def _outcomes(self) -> Iterator[Outcome]:
        while True:
            came = self._came.get()
            if isinstance(came, BaseException):
                raise came
            yield from came
            self._room.release()


def _of_one(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """The windows and the end of one recording."""
    for outcome in outcomes:
        yield outcome
        if not isinstance(outcome, ScoredWindow):
            return


class Feed:
    """Makes batches of what is listed; the first of them hold one source, so that all actors begin at once."""

    def __init__(self, actors: int, calls: int) -> None:
        self._singles = actors * calls
        self._room = threading.Semaphore(4 * self._singles + 16)
        self._waiting: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._batches: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self._open: set[Batch] = set()
        self.is_closed = False

    def run(self, sources: Iterable[Listed]) -> None:
        """List all sources, with a pause wherever enough batches wait."""
        items: list[Listed] = []
        num_bytes = 0
        try:
            for item in sources:
                items.append(item)
                num_bytes += item.size if isinstance(item, Source) else 0
                if self._singles > 0 or len(items) >= MOST_RECORDINGS or num_bytes >= MOST_BYTES:
                    self._singles -= 1
                    self._add(items)
                    items, num_bytes = [], 0
                if self.is_closed:
                    return
            self._add(items)
            self._batches.put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again by `batches`
            self._batches.put(error)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches in order; one counts as drained when the next is asked for."""
        while (batch := self._batches.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch
            self._open.discard(batch)
            self._room.release()

    def take(self) -> Batch | None:
        """Wait for the next batch that no actor has; None when the feed is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.is_closed)
            return None if self.is_closed else self._waiting.popleft()

    def give_back(self, batch: Batch) -> None:
        """Let another actor take the rest of a batch, before all others: it may be the one that is waited for."""
        if batch.rest():
            with self._changed:
                self._waiting.appendleft(batch)
                self._changed.notify()

    def fail(self, error: BaseException) -> None:
        """Raise an exception where batches are drained, whichever is waited for."""
        for batch in list(self._open):
            batch.fail(error)
        self._batches.put(error)

    def close(self) -> None:
        """List nothing more, and let nobody wait."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
        self._room.release()
        for batch in list(self._open):
            batch.let_go()

    def _add(self, items: list[Listed]) -> None:
        if not items:
            return
        self._room.acquire()
        batch = Batch(tuple(items))
        self._open.add(batch)
        self._batches.put(batch)
        if batch.rest():
            with self._changed:
                self._waiting.append(batch)
                self._changed.notify()
