"""What the threads of a run hand to one another."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from cedtag.records import AlreadyDone, FileEnd, FileFailed, Skipped

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.audio import Recording
    from cedtag.records import Source, Window

Scores: TypeAlias = "Future[NDArray[np.float32]]"


@dataclass(slots=True)
class WindowGroup:
    """Consecutive windows of one recording that are scored in one call, and their scores `(windows, classes)`.

    `columns`, where they are wanted, are those of the columns of each window, and there once the scores are.
    """

    windows: tuple[Window, ...]
    scores: Scores = field(default_factory=Future)
    columns: Sequence[NDArray[np.float32]] = ()


# An exception in a lane is raised again where the lane is drained.
LaneItem: TypeAlias = WindowGroup | FileEnd | FileFailed | Skipped | AlreadyDone | BaseException


@dataclass(slots=True, eq=False)
class Lane:
    """One recording on its way: what is ready of it, and how far its decoder is."""

    source: Source
    room: threading.Semaphore  # for one more group
    items: SimpleQueue[LaneItem] = field(default_factory=SimpleQueue)
    recording: Recording | None = None
    waiting_since: float | None = None  # when the decoder was last asked for samples that have not come yet
    num_samples: int = 0
    num_windows: int = 0
    abandoned: bool = False

    def watched(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks on until the lane is abandoned, and note since when the next one is waited for."""
        while True:
            self.waiting_since = time.monotonic()
            block = next(blocks, None)
            self.waiting_since = None
            if block is None or self.abandoned:
                return
            self.num_samples += len(block)
            yield block

    def waited_s(self) -> float:
        """For how long the decoder has been asked in vain."""
        since = self.waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def abandon(self) -> None:
        """Let go of the recording: its decoder ends as soon as it can."""
        self.abandoned = True
        self.room.release()
        if self.recording is not None:
            self.recording.close()
