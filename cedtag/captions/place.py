"""From events to cues: the words for sounds, and their places between the lines."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.captions.subtitle_file import Cue
from cedtag.labels.table import ancestors, descendants
from cedtag.records import SAMPLES_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import SoundEvent

SHORTEST_MS, LONGEST_MS = 1000, 7000  # of a cue: what can be read, and what stays long enough to be read
REPEAT_MS = 10_000  # a sound that begins anew sooner is still the same
LONGEST_TEXT = 42
# What lines say themselves, and what is no sound: left out unless classes are named.
_LEFT_OUT = ("/m/09x0r", "/m/028v0c", "/t/dd00093")
# Words that name the sound alone -> those that name who makes it.
_WORDS = {
    "bark": "dog barking",
    "bow-wow": "dog barking",
    "bleat": "sheep bleating",
    "caw": "crow cawing",
    "cluck": "chicken clucking",
    "croak": "frog croaking",
    "gobble": "turkey gobbling",
    "hoot": "owl hooting",
    "howl": "dog howling",
    "meow": "cat meowing",
    "moo": "cow mooing",
    "neigh": "horse neighing",
    "oink": "pig oinking",
    "purr": "cat purring",
    "quack": "duck quacking",
}
_NOT_IN_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|-->")


@dataclass(frozen=True, slots=True)
class Captions:
    """The cues of sounds, in order, and how many sounds found no place between the lines."""

    cues: tuple[Cue, ...]
    num_left_out: int


def captions(events: Iterable[SoundEvent], lines: Sequence[tuple[int, int]], *, all_classes: bool) -> Captions:
    """The cues of events between `lines`, from and to in milliseconds, overlapping neither these nor each other.

    A sound has one cue, in the first second of it that is free. With `all_classes` speech, silence and the acoustics of
    rooms have cues, too.
    """
    left_out = frozenset() if all_classes else frozenset(_LEFT_OUT).union(*map(descendants, _LEFT_OUT))
    free = list(_gaps(lines))
    cues: list[Cue] = []
    num_left_out = 0
    for sound in _merged(_most_specific([event for event in events if event.mid not in left_out])):
        if _joins(sound, cues):
            cues[-1] = replace(cues[-1], text=_both(cues[-1], sound))
        elif cue := next((cue for gap in free if (cue := _within(sound, *gap, cues))), None):
            if cues:
                cues[-1] = replace(cues[-1], stop=min(cues[-1].stop, cue.start))
            cues.append(cue)
        else:
            num_left_out += 1
    return Captions(tuple(cues), num_left_out)


def words_of(label: str) -> str:
    """The text of a cue: the label in lower case up to its first comma or parenthesis, in brackets, cut at a word."""
    name = " ".join(_NOT_IN_TEXT.sub(" ", label).lower().split())
    first = name.split(",")[0]
    text = _WORDS.get(first) or first.split("(")[0].strip() or name
    if len(text) > LONGEST_TEXT - 2:
        text = text[: LONGEST_TEXT - 1]
        text = (text.rpartition(" ")[0] or text[: LONGEST_TEXT - 2]).rstrip(" ,-")
    return f"[{text}]"


def _most_specific(events: Sequence[SoundEvent]) -> Iterator[SoundEvent]:
    """The events without those of a class that only says less: one below it occurs then, and begins before or soon."""
    by_mid: dict[str, list[SoundEvent]] = {}
    for event in sorted(events, key=lambda event: event.start):
        by_mid.setdefault(event.mid, []).append(event)
    starts = {mid: [event.start for event in found] for mid, found in by_mid.items()}
    below = {mid: [other for other in by_mid if mid in ancestors(other)] for mid in by_mid}
    for event in events:
        soon = event.start + REPEAT_MS * SAMPLES_PER_MS
        latest = (by_mid[mid][place - 1] for mid in below[event.mid] if (place := bisect_left(starts[mid], soon)))
        if not any(other.stop > event.start and other.start < event.stop for other in latest):
            yield event


def _merged(events: Iterable[SoundEvent]) -> list[Cue]:
    """One sound for events of the same words that follow each other, by start."""
    sounds: list[Cue] = []
    latest: dict[str, int] = {}
    for event in sorted(events, key=lambda event: (event.start, -event.peak, event.index)):
        start, stop, text = event.start // SAMPLES_PER_MS, event.stop // SAMPLES_PER_MS, words_of(event.label)
        place = latest.get(text)
        if place is not None and start < sounds[place].stop + REPEAT_MS:
            sounds[place] = replace(sounds[place], stop=max(stop, sounds[place].stop))
        else:
            latest[text] = len(sounds)
            sounds.append(Cue(start, stop, text))
    return sounds


def _gaps(lines: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """From and to of the times without a line that are long enough for a cue."""
    at = 0
    for start, stop in sorted(lines):
        if start - at >= SHORTEST_MS:
            yield at, start
        at = max(at, stop)
    yield at, 1 << 62


def _within(sound: Cue, start: int, stop: int, cues: Sequence[Cue]) -> Cue | None:
    """The cue of a sound in a gap, where it may cut the one before short; None where it has no place."""
    if cues:
        start = max(start, cues[-1].start + SHORTEST_MS)
    if sound.stop <= start or sound.start >= stop or stop - start < SHORTEST_MS:
        return None
    first = min(max(sound.start, start), stop - SHORTEST_MS)
    last = min(max(sound.stop, first + SHORTEST_MS), first + LONGEST_MS, stop)
    return Cue(first, last, sound.text)


def _joins(sound: Cue, cues: Sequence[Cue]) -> bool:
    """Whether a sound begins with the last cue, and its words have room there."""
    return (
        bool(cues) and 0 <= sound.start - cues[-1].start < SHORTEST_MS and len(_both(cues[-1], sound)) <= LONGEST_TEXT
    )


def _both(cue: Cue, sound: Cue) -> str:
    return f"{cue.text[:-1]}, {sound.text[1:]}"
