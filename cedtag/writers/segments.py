"""What the formats of editors and evaluations show: stretches of a recording with one class each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.sources import second_recording
from cedtag.records import SoundEvent, TagResult, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo

_ENDS_FIELD = re.compile(r"[\t\r\n]|%(?=09|0A|0D|25)")


@dataclass(frozen=True, slots=True)
class Segment:
    """One class from sample `start` to sample `stop`; the `score` of an event is its peak.

    Times are whole milliseconds, as in rows, so that what is made from rows is what the run writes.
    """

    start: int
    stop: int
    label: str
    score: float
    channel: int = 0  # from 1, where each is scored by itself

    @property
    def text(self) -> str:
        return f"{self.label} {self.score:.2f}"


def segments(result: Result) -> Iterator[Segment]:
    """A segment for each tag of a window, best first, or the one of an event."""
    if isinstance(result, TagResult):
        for tag in result.tags:
            yield Segment(whole(result.start), whole(result.stop), tag.label, tag.score, result.channel)
    elif isinstance(result, SoundEvent):
        yield Segment(whole(result.start), whole(result.stop), result.label, result.peak, result.channel)


class SegmentWriter:
    """A format with a line per segment, below a header."""

    header = ""
    skips_silence = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self.out = out
        self._put(self.header)

    def write(self, result: Result) -> None:
        for segment in segments(result):
            self._put(self.line(result.source, segment))

    def line(self, source: Source, segment: Segment) -> str:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing stands at the end."""

    def _put(self, text: str) -> None:
        self.out.write(encoded(text))


class SingleRecording:
    """Refuses a second recording, for formats that hold only one; their writers set `one_recording = True`."""

    def __init__(self) -> None:
        self._first: Source | None = None

    def check(self, source: Source) -> None:
        if self._first is None:
            self._first = source
        elif source.name != self._first.name:
            raise InputError(second_recording(self._first, source, "this format holds"))


def encoded(text: str) -> bytes:
    """UTF-8, in which bytes of names that are not UTF-8 stay what they are."""
    return text.encode("utf-8", "surrogateescape")


def plain(text: str) -> str:
    """Without the characters that end fields and lines, which become `%09`, `%0A` and `%0D`."""
    return percent_escaped(_ENDS_FIELD, text)


def percent_escaped(unsafe: re.Pattern[str], text: str) -> str:
    """The text with `%` and two digits for each byte of what matches: so no two texts become one.

    `unsafe` has to match a `%` that could be taken for such an escape.
    """
    return unsafe.sub(lambda found: "".join(f"%{byte:02X}" for byte in encoded(found[0])), text)


def whole(sample: int) -> int:
    """The sample at which the millisecond begins."""
    return sample - sample % 16


def six_decimals(sample: int) -> str:
    """Seconds, cut to milliseconds, as Audacity writes them."""
    return f"{seconds(sample):.6f}"
