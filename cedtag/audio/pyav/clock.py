"""The time stamps of a container against the samples that were decoded: time that passed without sound is silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.records import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

# Time stamps are rounded, and jitter where a recorder read them off its clock. Below this FFmpeg's own resampler
# (`aresample=async=1`) finds no gap either.
_SMALLEST_GAP_S = 0.1
# A gap begins with a step. Sound that falls behind its time stamps without one was recorded with another clock.
_SMALLEST_STEP_S = 0.01
# Less is an overlap or jitter: going on from there would add the next gap to the silence.
_SMALLEST_RESTART_S = 1.0
# Time stamps of a damaged file may be anything; of a sound one they may leave out a night.
_LONGEST_SILENCE_S = 12 * 3600.0
# A recorder that sleeps leaves gaps, too, but hardly so many that together are so much longer than the sound.
_MANY_GAPS, _DOUBTFUL_SHARE = 20, 10


class PresentationClock:
    """Follows the time stamps of a stream whose container begins to play at `zero_s`.

    In a container that `is_chained` it is usual that they begin anew.
    """

    def __init__(self, zero_s: float, *, is_chained: bool = False) -> None:
        self._zero_s = zero_s  # the time stamp of the first sample of all
        self._is_chained = is_chained
        self._position_s = 0.0  # of the next sample
        self._due_s: float | None = None  # the time stamp of the next frame if it follows the last one
        self._silence_s = 0.0
        self._lead_s = 0.0
        self._gaps: list[tuple[float, float]] = []  # position and length
        self._leaps: list[tuple[float, float]] = []  # ahead, beyond what becomes silence
        self._restarts: list[tuple[float, float]] = []

    def silence_before(self, stamp_s: float | None, duration_s: float) -> float:
        """Return how many seconds of silence come before the next frame; its time stamp may not be known."""
        silence_s = 0.0
        if stamp_s is not None:
            silence_s = self._follow(stamp_s, max(_SMALLEST_GAP_S, duration_s / 2))
            self._due_s = stamp_s
        if self._due_s is not None:
            self._due_s += duration_s
        self._position_s += silence_s + duration_s
        return silence_s

    def _follow(self, stamp_s: float, tolerance_s: float) -> float:
        """Take the next time stamp and return the length of the gap before it."""
        at_s = self._position_s
        ahead_s = stamp_s - self._zero_s - at_s
        step_s = ahead_s if self._due_s is None else stamp_s - self._due_s
        if ahead_s > tolerance_s and step_s > _SMALLEST_STEP_S:
            if self._silence_s + ahead_s <= _LONGEST_SILENCE_S:
                self._note_silence(ahead_s)
                return ahead_s
            self._leaps.append((at_s, ahead_s))
            self._zero_s += ahead_s
        elif ahead_s < -_SMALLEST_RESTART_S and step_s < -_SMALLEST_RESTART_S:
            self._restarts.append((at_s, -step_s))
            self._zero_s += ahead_s
        return 0.0

    def _note_silence(self, length_s: float) -> None:
        self._silence_s += length_s
        if self._position_s == 0:
            self._lead_s = length_s
        else:
            self._gaps.append((self._position_s, length_s))

    def problems(self) -> Iterator[str]:
        """Sentences on time stamps that cannot be."""
        if self._leaps:
            at_s, length_s = self._leaps[0]
            said = f"its time stamps leap ahead by {length_s:.0f} s at {at_s:.2f} s"
            yield f"{said}{_others(self._leaps)}; no silence was put there, and what follows may be early"

        sound_s, silence_s = self._position_s - self._silence_s, self._silence_s - self._lead_s
        if len(self._gaps) > _MANY_GAPS and silence_s > _DOUBTFUL_SHARE * sound_s:
            said = f"its time stamps leave {silence_s:.0f} s of silence in {len(self._gaps)} places"
            yield f"{said} of {sound_s:.2f} s of sound, and may be wrong"

    def warnings(self) -> Iterator[str]:
        """Notes on what was read as silence, and sentences on time stamps that begin anew."""
        if self._lead_s:
            yield f"{NOTE}silence for the {self._lead_s:.2f} s before its sound begins"
        if self._gaps:
            at_s, length_s = self._gaps[0]
            said = f"silence for {length_s:.2f} s without sound at {at_s:.2f} s"
            total = f", {sum(length for _, length in self._gaps):.2f} s in all" if len(self._gaps) > 1 else ""
            yield f"{NOTE}{said}{_others(self._gaps)}{total}"
        if self._restarts and not self._is_chained:
            at_s, length_s = self._restarts[0]
            said = f"its time stamps go back by {length_s:.2f} s at {at_s:.2f} s{_others(self._restarts)}"
            yield f"{said}; the parts were read one after the other"


def _others(places: list[tuple[float, float]]) -> str:
    others = len(places) - 1
    return f" and at {others} other place{'s'[: others - 1]}" if others else ""
