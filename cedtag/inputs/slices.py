"""A part of each recording: from one time to another."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cedtag.errors import InputError

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,3}):([0-5]?\d(?:\.\d{1,9})?)")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}")


@dataclass(frozen=True, slots=True)
class Slice:
    """The samples from `start` to `stop`, or to the end where that is None."""

    start: int = 0
    stop: int | None = None


def parse_offset(text: str, parameter: str) -> float:
    """Seconds, from text such as "90", "90.5", "1:30" and "0:01:30.500"; InputError that names the parameter."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if found := _CLOCK.fullmatch(text):
        return (int(found[1] or 0) * 60 + int(found[2])) * 60 + float(found[3])
    raise InputError(f"`{parameter}` {text}: write seconds (90.5), or hours, minutes and seconds (1:30, 0:01:30.5)")
