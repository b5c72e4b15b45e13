"""From windows with tags to events: the onset and offset of each class.

At each moment a class has the mean of its scores in the windows that cover it, 0 in a window without a tag of it. The
last window of a recording may overlap the previous one although others do not; its scores then apply only to the part
that does not. A class is active from the moment its score reaches its onset until the score falls below its offset.
Times are whole milliseconds, as in rows, so that events from rows equal events from recordings.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from cedtag.events.settings import EventSettings
from cedtag.records import SAMPLES_PER_MS, SoundEvent, TagResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import FileEnd, FileFailed, Result, Source, Tag

SCORE_UNITS = 10_000  # scores have four decimals; as whole numbers they add up exactly
LAST = 1 << 62


def detect_events(
    results: Iterable[Result], settings: EventSettings | None = None
) -> Iterator[SoundEvent | FileEnd | FileFailed]:
    """The events of each recording, by start and then by class, and how it ended.

    They come as soon as no earlier one can follow; what is kept is the windows that cover one moment, and the events
    that began while an earlier one still goes on.
    """
    maker = EventMaker(settings or EventSettings())
    for result in results:
        yield from maker.add(result)
    yield from maker.finish()


class EventMaker:
    """Makes events of results that are given one by one."""

    def __init__(self, settings: EventSettings) -> None:
        settings.check_indices()
        self._settings = settings
        self._source: Source | None = None
        self._channels: dict[int, _Recording] = {}  # one, 0, unless each is scored by itself
        self._held: list[SoundEvent] = []  # of several channels, until all are known

    def add(self, result: Result) -> Iterator[SoundEvent | FileEnd | FileFailed]:
        """The events that are complete now; the outcome of a recording is passed on after its events."""
        if self._source is not None and self._source != result.source:
            yield from self.finish()
        if not isinstance(result, TagResult):
            yield from self.finish()
            yield result
            return
        self._source = result.source
        if result.channel not in self._channels:
            self._channels[result.channel] = _Recording(result.source, self._settings)
        yield from self._passed(result.channel, self._channels[result.channel].add(result))

    def finish(self) -> Iterator[SoundEvent]:
        """The events that are left of a recording without an outcome."""
        channels, self._channels, self._source = self._channels, {}, None
        for channel, recording in channels.items():
            yield from self._passed(channel, recording.finish())
        held, self._held = self._held, []
        yield from sorted(held, key=lambda event: (event.start, event.index, event.channel))

    def _passed(self, channel: int, events: Iterator[SoundEvent]) -> Iterator[SoundEvent]:
        """Pass the events of all channels together on, and hold those of one."""
        if not channel:
            yield from events
        else:
            self._held += [replace(event, channel=channel) for event in events]


@dataclass(frozen=True, slots=True)
class _Covering:
    """A window that covers the present; times in milliseconds."""

    start: int
    stop: int
    tags: tuple[Tag, ...]


@dataclass(slots=True)
class _Span:
    """A class that is active, or was until `stop`: it may become active again before the gap is too long."""

    tag: Tag
    start: int
    stop: int
    peak: int = 0
    total: int = 0  # score times milliseconds, from start to stop
    gap_total: int = 0  # the same since stop
    active: bool = True

    def extend(self, stop: int, score: int, duration: int) -> None:
        self.total += self.gap_total + score * duration
        self.gap_total = 0
        self.stop, self.peak, self.active = stop, max(self.peak, score), True


class _Recording:
    """One recording on its way from windows to events."""

    def __init__(self, source: Source, settings: EventSettings) -> None:
        self.source, self._settings = source, settings
        self._pad_onset, self._pad_offset = _ms(settings.pad_onset_s), _ms(settings.pad_offset_s)
        self._min_on, self._min_off = _ms(settings.min_duration_on_s), _ms(settings.min_duration_off_s)
        self._covering: list[_Covering] = []
        self._held: _Covering | None = None
        self._last: _Covering | None = None
        self._hop = 0  # between the last two windows
        self._now = 0  # everything before is known
        self._spans: dict[int, _Span] = {}  # one a class
        self._ready: list[tuple[int, int, SoundEvent]] = []  # a heap: by start, then by class

    def add(self, window: TagResult) -> Iterator[SoundEvent]:
        """Take the next window; its scores apply once it is known whether it is the last."""
        self._take_held()
        self._held = _Covering(window.start // SAMPLES_PER_MS, window.stop // SAMPLES_PER_MS, window.tags)
        yield from self._due()

    def finish(self) -> Iterator[SoundEvent]:
        if self._held is not None and self._last is not None:
            since, length = self._held.start - self._last.start, self._held.stop - self._held.start
            usual = self._last.stop - self._last.start
            # Cut times differ by a millisecond.
            if length < usual - 1 or since < (self._hop or usual) - 1:
                self._held = replace(self._held, start=max(self._held.start, self._last.stop))
        self._take_held()
        end = max((window.stop for window in self._covering), default=self._now)
        self._pass_until(end)
        for span in self._spans.values():
            self._close(span, end)
        self._spans.clear()
        self._now = LAST
        yield from self._due()

    def _take_held(self) -> None:
        window, self._held = self._held, None
        if window is None:
            return
        self._pass_until(window.start)
        if window.stop > self._now:
            self._covering.append(window)
        self._hop = window.start - self._last.start if self._last is not None else 0
        self._last = window

    def _pass_until(self, until: int) -> None:
        """Go on to a moment before which all windows are known, in steps during which the same windows cover."""
        while self._now < until:
            step_stop = min((window.stop for window in self._covering), default=until)
            step_stop = min(step_stop, until)
            if step_stop > self._now:
                self._step(self._now, step_stop)
            self._now = step_stop
            self._covering = [window for window in self._covering if window.stop > step_stop]

    def _step(self, start: int, stop: int) -> None:
        totals: defaultdict[int, int] = defaultdict(int)
        tags: dict[int, Tag] = {}
        for window in self._covering:
            for tag in window.tags:
                totals[tag.index] += round(tag.score * SCORE_UNITS)
                tags[tag.index] = tag
        scores = {index: round(total / len(self._covering)) for index, total in totals.items()}
        for index in self._spans.keys() - scores.keys():
            self._silence(index, start, stop, 0)
        for index, score in scores.items():
            self._hear(tags[index], start, stop, score)

    def _hear(self, tag: Tag, start: int, stop: int, score: int) -> None:
        """Let a class begin or go on, if its score is high enough."""
        span = self._spans.get(tag.index)
        shown = score / SCORE_UNITS
        enough = self._settings.offset_of if span is not None and span.active else self._settings.onset_of
        if shown < enough(tag.index):
            if span is not None:
                self._silence(tag.index, start, stop, score)
            return
        if span is None or (not span.active and self._is_apart(span, start)):
            if span is not None:
                self._close(span, start)
            span = self._spans[tag.index] = _Span(tag, start, start)
        span.extend(stop, score, stop - start)

    def _silence(self, index: int, start: int, stop: int, score: int) -> None:
        """Make a class inactive, and end its event when the gap is too long."""
        span = self._spans[index]
        span.active = False
        span.gap_total += score * (stop - start)
        if self._is_apart(span, stop):
            self._close(span, stop)
            del self._spans[index]

    def _is_apart(self, span: _Span, onset: int) -> bool:
        """Whether an onset would begin another event than the one before."""
        gap = onset - self._pad_onset - (span.stop + self._pad_offset)
        return gap > 0 and gap >= self._min_off

    def _close(self, span: _Span, end: int) -> None:
        start, stop = self._start_of(span), min(span.stop + self._pad_offset, end)
        if stop - start < self._min_on:
            return
        mean = round(span.total / (span.stop - span.start)) / SCORE_UNITS
        tag, peak = span.tag, span.peak / SCORE_UNITS
        samples = (start * SAMPLES_PER_MS, stop * SAMPLES_PER_MS)
        event = SoundEvent(self.source, *samples, tag.index, tag.mid, tag.label, peak, mean)
        heappush(self._ready, (start, tag.index, event))

    def _start_of(self, span: _Span) -> int:
        return max(0, span.start - self._pad_onset)

    def _due(self) -> Iterator[SoundEvent]:
        """The events before which none can come any more."""
        if not self._ready:
            return
        first = min(((self._start_of(span), index) for index, span in self._spans.items()), default=(LAST, 0))
        first = min(first, (self._now - self._pad_onset, -1))
        while self._ready and self._ready[0][:2] < first:
            yield heappop(self._ready)[2]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
