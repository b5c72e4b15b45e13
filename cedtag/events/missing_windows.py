"""The windows that tables leave out: a table has a row per tag, and none for a window without tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.windows import SHORTEST_REMAINDER
from cedtag.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, TagResult, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import Result


def with_silent_windows(results: Iterable[Result], window_s: float) -> Iterator[Result]:
    """Results with a window without tags in each place where none is, as far as the last one that is there.

    Windows are `window_s` long and follow each other; where they overlap, the missing ones are not known.
    """
    size = round(window_s * SAMPLE_RATE_HZ)
    source = None
    indices: dict[int, int] = {}  # by channel
    ended: dict[int, TagResult] = {}  # by channel, the shorter window that can only be the last one
    for result in results:
        if result.source != source:
            source, indices, ended = result.source, {}, {}
        if not isinstance(result, TagResult):
            yield result
            continue
        if result.channel in ended:
            raise _none_of(ended[result.channel], window_s)
        index = indices.get(result.channel, 0)
        while _cut(index * size) < result.start:
            start, stop = _cut(index * size), _cut((index + 1) * size)
            # The last window may begin earlier than where it would stand, to be a second long.
            if stop >= result.stop:
                break
            yield TagResult(result.source, index, start, stop, (), result.channel)
            index += 1
        if not _is_whole(result, _cut(index * size), _cut((index + 1) * size), window_s):
            ended[result.channel] = result
        yield result
        indices[result.channel] = index + 1


def _cut(sample: int) -> int:
    return sample // SAMPLES_PER_MS * SAMPLES_PER_MS


def _is_whole(result: TagResult, start: int, stop: int, window_s: float) -> bool:
    """Whether a window begins and ends as it should; else it is the last, which is shorter, or an InputError."""
    if (result.start, result.stop) == (start, stop):
        return True
    moved = min(stop - start, SHORTEST_REMAINDER) + SAMPLES_PER_MS
    may_begin = result.start == start or (result.start < start and result.stop - result.start <= moved)
    is_last = may_begin and start <= result.stop <= stop
    if not is_last:
        raise _none_of(result, window_s)
    return False


def _none_of(result: TagResult, window_s: float) -> InputError:
    return InputError(
        f"{result.source.name}: the window from {seconds(result.start):.3f} to {seconds(result.stop):.3f} s is "
        f"none of {window_s:g} s one after another; give their length with `window_s`, and where they overlap "
        "make events of jsonl, json, a journal or a store, which also have the windows without tags"
    )
