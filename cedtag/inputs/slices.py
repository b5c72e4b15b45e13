"""A part of each recording: from one time to another."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.windows import sliding_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.records import Source, Window

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,3}):([0-5]?\d(?:\.\d{1,9})?)")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}")


@dataclass(frozen=True, slots=True)
class Slice:
    """The samples from `start` to `stop`, or to the end where that is None."""

    start: int = 0
    stop: int | None = None

    def windows(self, blocks: Iterable[NDArray[np.float32]], source: Source, size: int, hop: int) -> Iterator[Window]:
        """The windows of this part, as `sliding_windows` cuts it, at their places in the recording.

        Blocks are asked for no further than the part goes.
        """
        for window in sliding_windows(self._cut(blocks), source, size, hop):
            yield replace(window, start=self.start + window.start)

    def _cut(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        at = 0
        for block in blocks:
            stop = len(block) if self.stop is None else min(len(block), self.stop - at)
            if len(part := block[max(0, self.start - at) : stop]):
                yield part
            at += len(block)
            if self.stop is not None and at >= self.stop:
                return


def parse_offset(text: str, parameter: str) -> float:
    """Seconds, from text such as "90", "90.5", "1:30" and "0:01:30.500"; InputError that names the parameter."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if found := _CLOCK.fullmatch(text):
        return (int(found[1] or 0) * 60 + int(found[2])) * 60 + float(found[3])
    raise InputError(f"`{parameter}` {text}: write seconds (90.5), or hours, minutes and seconds (1:30, 0:01:30.5)")
