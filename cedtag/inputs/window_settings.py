"""Length and distance of the windows that are scored."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cedtag.errors import InputError
from cedtag.records import LONGEST_S, SAMPLE_RATE_HZ

WINDOW_S = 10.0
SHORTEST_REFINED_S = 0.16


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Length and distance of the windows, in seconds.

    Windows follow each other unless `hop_s` (the distance of their starts) or `overlap` (seconds, or a share of the
    window such as "50%") is given. With `refine_s`, windows in which an event begins or ends are scored again in
    shorter ones of that length. With `frames`, events have the edges of columns of tokens, of 0.16 s each.
    """

    window_s: float = WINDOW_S
    hop_s: float | None = None
    overlap: str | float | None = None
    refine_s: float | None = None
    frames: bool = False

    def __post_init__(self) -> None:
        for name, seconds in (("window_s", self.window_s), ("hop_s", self.hop_s)):
            if seconds is not None and not abs(seconds) <= LONGEST_S:  # not for NaN either
                raise InputError(f"`{name}` {seconds:g}: expected seconds, more than 0 and up to {LONGEST_S:g}")
        if self.refine_s is not None and not SHORTEST_REFINED_S <= self.refine_s <= LONGEST_S:
            raise InputError(f"`refine_s` {self.refine_s:g}: expected seconds, from {SHORTEST_REFINED_S:g} on")

    def in_samples(self, shortest: int, longest: int) -> tuple[int, int]:
        """Window and hop in samples; InputError unless the window holds `shortest` to `longest` samples."""
        window = samples_of(self.window_s)
        if not shortest <= window <= longest:
            lengths = f"{shortest / SAMPLE_RATE_HZ:g} to {longest / SAMPLE_RATE_HZ:g}"
            raise InputError(f"`window_s` {self.window_s:g}: this model takes from {lengths} seconds")
        if self.hop_s is not None and self.overlap is not None:
            raise InputError("`hop_s` and `overlap` are alternatives; use one of them")
        hop = window if self.hop_s is None else samples_of(self.hop_s)
        if self.overlap is not None:
            hop = window - self._overlap_samples(str(self.overlap), window)
        if self.overlap is not None and hop <= 0:
            share = "" if str(self.overlap).endswith("%") else f"; {self.overlap} percent is written {self.overlap}%"
            raise InputError(
                f"`overlap` {self.overlap}: must be less than the window, which is {self.window_s:g} s long{share}"
            )
        if not 0 < hop <= window:
            raise InputError(
                f"windows of {self.window_s:g} s every {hop / SAMPLE_RATE_HZ:g} s: the hop must be more than 0 "
                "and no more than the window, so that nothing is left out"
            )
        return window, hop

    def _overlap_samples(self, text: str, window: int) -> int:
        number, percent = (text[:-1], True) if text.endswith("%") else (text, False)
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not abs(value) <= LONGEST_S:
            raise InputError(f"`overlap` {text}: write seconds (2.5) or a share of the window (50%)")
        return round(window * value / 100) if percent else samples_of(value)


def samples_of(seconds: float) -> int:
    """The number of samples in so many seconds."""
    return round(seconds * SAMPLE_RATE_HZ)
