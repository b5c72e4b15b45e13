"""Which sound of a recording is scored, where it holds several: a track of its container, and a channel of that."""

from __future__ import annotations

from dataclasses import dataclass

from cedtag.audio.limits import MAX_CHANNELS
from cedtag.errors import AudioError, InputError
from cedtag.records import EACH, MIX


@dataclass(frozen=True, slots=True)
class Selection:
    """`channel` is "mix" (the mean of all), "each" (every one by itself) or a number from 1.

    `track` is a number from 1 or a language such as "eng"; None takes the track that FFmpeg rates best.
    """

    channel: str = MIX
    track: str | None = None

    def __post_init__(self) -> None:
        """InputError for what is neither."""
        if self.channel not in (MIX, EACH) and not _is_number(self.channel, MAX_CHANNELS):
            raise InputError(f"`channel` {self.channel}: write mix, each, or a number from 1 to {MAX_CHANNELS}")
        if self.track is not None and not (self.track.isalpha() or _is_number(self.track, 1000)):
            raise InputError(f"`track` {self.track}: write a number from 1, or a language such as eng")

    @property
    def is_each(self) -> bool:
        return self.channel == EACH

    def channel_of(self, name: str, num_channels: int) -> int | None:
        """The place, from 0, of the one channel; None for all. AudioError where a recording has it not."""
        if self.channel in (MIX, EACH):
            return None
        number = int(self.channel)
        if number > num_channels:
            raise AudioError(f"{name}: has {num_channels} channel{'s'[: num_channels - 1]}, and no channel {number}")
        return number - 1

    def check_single_track(self, name: str) -> None:
        """AudioError where another than the only track of a recording is wanted."""
        if self.track not in (None, "1"):
            raise AudioError(f"{name}: has one sound track, without a language, and no track {self.track}")


def _is_number(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= largest and not text.startswith("0")
