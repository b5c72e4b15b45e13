"""Frames and SMPTE timecode of a timeline."""

from __future__ import annotations

from fractions import Fraction

from cedtag.errors import InputError
from cedtag.records import SAMPLE_RATE_HZ

_FILM = Fraction(1000, 1001)
# What is typed -> frames per second. Drop frame, `df`, leaves out numbers of frames, so that timecode and clock agree.
FRAME_RATES = {
    "23.976": 24 * _FILM,
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": 30 * _FILM,
    "29.97df": 30 * _FILM,
    "30": Fraction(30),
    "50": Fraction(50),
    "59.94": 60 * _FILM,
    "59.94df": 60 * _FILM,
    "60": Fraction(60),
}


def is_drop_frame(frame_rate: str) -> bool:
    """Whether timecode of this rate leaves out numbers."""
    return frame_rate.endswith("df")


def frame_at(sample: int, frame_rate: str) -> int:
    """The frame that begins nearest to a sample, counted from 0."""
    return int(Fraction(sample, SAMPLE_RATE_HZ) * FRAME_RATES[frame_rate] + Fraction(1, 2))


def frames_of_an_hour(frame_rate: str) -> int:
    """The number of frames from 00:00:00:00 to 01:00:00:00 in timecode."""
    nominal = round(FRAME_RATES[frame_rate])
    return 3600 * nominal - (54 * nominal // 15 if is_drop_frame(frame_rate) else 0)


def timecode(frame: int, frame_rate: str) -> str:
    """`HH:MM:SS:FF` of a frame, in drop frame `HH:MM:SS;FF`; InputError from 24 hours on."""
    nominal = round(FRAME_RATES[frame_rate])
    number = _with_dropped(frame, nominal) if is_drop_frame(frame_rate) else frame
    hours, rest = divmod(number, 3600 * nominal)
    if hours >= 24:
        raise InputError("timecode ends after 24 hours; write a shorter recording, or use otio, which has no such end")
    minutes, rest = divmod(rest, 60 * nominal)
    point = ";" if is_drop_frame(frame_rate) else ":"
    return f"{hours:02d}:{minutes:02d}:{rest // nominal:02d}{point}{rest % nominal:02d}"


def _with_dropped(frame: int, nominal: int) -> int:
    """The number of a frame when each minute but every tenth begins without the first two of 30 numbers."""
    dropped = nominal // 15
    per_minute, per_ten = 60 * nominal - dropped, 600 * nominal - 9 * dropped
    tens, rest = divmod(frame, per_ten)
    minutes = max(0, rest - dropped) // per_minute
    return frame + dropped * (9 * tens + minutes)
