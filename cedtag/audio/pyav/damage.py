"""What FFmpeg finds wrong with a file, and what of it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator

# What PyAV raises for files that are damaged; the last two for streams without a known codec.
DAMAGE = (av.FFmpegError, ValueError, AttributeError, IndexError)

# Codecs whose packets carry a checksum that FFmpeg looks at if it is asked to; a packet that fails is then refused.
_CHECKED = frozenset(["ac3", "ape", "dca", "eac3", "flac", "mlp", "tak", "truehd", "tta", "wavpack"])
# These decode a packet whose checksum fails, and only tell the log.
_LOGGED = frozenset(["mlp", "truehd"])

# Containers that state exactly how many samples they hold.
_STATE_SAMPLES = frozenset(["wv", "tta", "dsf", "ape"])
# Raw streams and broadcasts: whoever tunes in begins in the middle of a packet.
_BROADCASTS = frozenset(["aac", "ac3", "eac3", "dts", "truehd", "mlp", "loas", "mpegts", "mpeg"])
# Frames that one damaged first packet can cost: the next ones may need it.
_MOST_LEADING_PACKETS = 3


def checks_of(codec: str) -> dict[str, str]:
    """Return the options with which the decoder of a codec checks what it can."""
    return {"err_detect": "crccheck+explode"} if codec in _CHECKED else {}


def reason_of(error: Exception) -> str:
    """Return FFmpeg's own words for an error."""
    return (error.strerror if isinstance(error, av.FFmpegError) else str(error)) or type(error).__name__


class Complaints:
    """What a decoder writes to FFmpeg's log, where that is the only trace of damage."""

    def __init__(self) -> None:
        self._capture: av.logging.Capture | None = None
        self._log: list[tuple[int, str, str]] = []

    def listen_to(self, codec: str) -> None:
        """Keep what comes from now on, until `close`."""
        if codec in _LOGGED:
            av.logging.set_level(av.logging.ERROR)
            self._capture = av.logging.Capture()
            self._log = self._capture.__enter__()

    def are_new(self) -> bool:
        """Return whether there are any since the last call."""
        found = bool(self._log)
        self._log.clear()
        return found

    def close(self) -> None:
        if self._capture is not None:
            self._capture.__exit__(None, None, None)
            self._capture = None
            av.logging.set_level(None)


@dataclass(slots=True)
class Tally:
    """The packets of a stream so far, and what was wrong with them."""

    packets: int = 0
    refused: int = 0
    refused_first: int = 0  # of these, before any sound
    doubtful: int = 0  # gave samples, although they are damaged
    holes: int = 0  # where the container could not be read
    reason: str = ""

    def refuse(self, error: Exception, *, is_first: bool) -> None:
        """Count a packet that could not be decoded."""
        self.refused += 1
        self.refused_first += is_first
        self.reason = self.reason or reason_of(error)

    def tuned_in(self, demuxer: str) -> bool:
        """Return whether nothing but the packets at the very beginning was refused, as where somebody tunes in."""
        return demuxer in _BROADCASTS and 0 < self.refused_first <= _MOST_LEADING_PACKETS

    def problems(self, demuxer: str) -> Iterator[str]:
        """Sentences on the packets that are no sound."""
        refused = self.refused - (self.refused_first if self.tuned_in(demuxer) else 0)
        if refused:
            yield f"packets that could not be decoded, left out or read as silence: {refused}"
        if self.doubtful:
            yield f"packets that are damaged, and were read as they are: {self.doubtful}"
        if self.holes:
            yield f"places where it could not be read: {self.holes}"

    def warnings(self, demuxer: str, skipped_bytes: int) -> Iterator[str]:
        """A sentence where the recording begins in the middle of a frame."""
        if skipped_bytes or self.tuned_in(demuxer):
            yield "begins in the middle of a frame, and was read from its first whole one on"


def missing(file: av.container.InputContainer, stream: av.AudioStream, num_packets: int, num_frames: int) -> str:
    """Return a sentence where the container has more packets or samples than were read, else ""."""
    demuxer = file.format.name.split(",")[0]
    if demuxer == "mov" and num_packets < (listed := len(stream.index_entries)):
        return f"read {num_packets} of the {listed} packets that its index lists"
    if demuxer in _STATE_SAMPLES and stream.duration and stream.time_base:
        stated = round(stream.duration * stream.time_base * stream.codec_context.sample_rate)
        if num_frames < stated:
            rate_hz = stream.codec_context.sample_rate
            return f"decoded {num_frames / rate_hz:.2f} of {stated / rate_hz:.2f} s"
    return ""
