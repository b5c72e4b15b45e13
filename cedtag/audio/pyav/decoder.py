"""From a container to frames, on the clock of the container."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import av

from cedtag.audio.containers.identify import Container
from cedtag.audio.limits import check_limits
from cedtag.audio.pyav.clock import PresentationClock
from cedtag.audio.pyav.conversion import Assembler
from cedtag.audio.pyav.damage import DAMAGE, Complaints, Tally, missing, reason_of
from cedtag.audio.pyav.outliers import SMALLEST_JUMP_S, without_outliers
from cedtag.audio.pyav.streams import HAS_EMPTY_FRAME, audio_stream, choice, presentation_start_s
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.mono import Samples
    from cedtag.audio.spliced import SplicedFile

# An undecodable packet becomes silence of its length, if that is a length that packets have.
_LONGEST_PACKET_S = 10
# A container that cannot be read here is read on behind the damage; not for ever.
_MOST_ERRORS_IN_A_ROW = 100
# Demuxers of FFmpeg that call every packet corrupt.
_MARKS_ALL_PACKETS = frozenset(["adx"])


class AvDecoder:
    """The frames of the best audio stream in a file that is what `demuxer` reads, or of the selected one.

    `rate_hz` and `channels` may change between the pieces of `frames`.
    """

    declared_frames: int | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rate_hz: int
    channels: int
    _first: Samples

    def __init__(self, file: AudioFile, demuxer: str, part: SplicedFile | None = None) -> None:
        """`part` takes the place of what stands in the file; then time stamps are left to the caller."""
        self._name, self._demuxer, self._track = file.name, demuxer, file.selection.track
        self._skipped_bytes = file.format.start if isinstance(file.format, Container) else 0
        self._num_frames = 0  # with the silence for packets that could not be decoded
        self._tally = Tally()
        self._complaints = Complaints()
        self._assembler: Assembler | None = None
        self._damage: AudioError | None = None
        self._is_silent = True  # so far
        self._file = self._opened(file, part)
        self._has_clock = part is None
        try:
            self._stream = audio_stream(file.name, self._file, self._track)
            self._clock = PresentationClock(presentation_start_s(self._file, self._stream), is_chained=demuxer == "ogg")
            self._time_base = float(self._stream.time_base or 0)
            self._num_empty = int(self._stream.codec_context.name in HAS_EMPTY_FRAME)  # frames still to leave out
            self._complaints.listen_to(self._stream.codec_context.name)
            self._pieces = self._joined()
            # The decoder may correct what the header says (HE-AAC doubles the rate), so the first frame decides.
            first = next(self._pieces, None)
            if first is None or self._assembler is None:
                raise self._no_sound()
            self._first = first
            self.rate_hz, self.channels = self._assembler.rate_hz, self._assembler.channels
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32, n about `FRAMES_PER_READ`; each piece is overwritten by the next."""
        for samples in chain([self._first], self._pieces):
            assert self._assembler is not None
            self.rate_hz, self.channels = self._assembler.rate_hz, self._assembler.channels
            self._is_silent = self._is_silent and not samples.any()
            yield samples
        self.problems = tuple(self._find_problems())
        self.warnings = tuple(self._find_warnings())
        if self._damage is not None and not self._is_beyond_the_end():
            raise self._damage

    def close(self) -> None:
        self._complaints.close()
        self._file.close()

    def _opened(self, file: AudioFile, part: SplicedFile | None) -> av.container.InputContainer:
        url, protocols = _address(file)
        only_this = {"protocol_whitelist": protocols, "format_whitelist": self._demuxer}
        try:
            return av.open(part or url, "r", format=self._demuxer, options=only_this, metadata_errors="replace")
        except DAMAGE as error:
            raise self._undecodable(error) from error

    def _packets(self) -> Iterator[av.Packet[av.AudioStream]]:
        """Yield the packets, also those behind a place that cannot be read; where none follows, that is `_damage`."""
        errors_in_a_row = 0
        while errors_in_a_row < _MOST_ERRORS_IN_A_ROW:
            try:
                for packet in self._file.demux(self._stream):
                    if packet.size:
                        self._tally.holes += errors_in_a_row > 0
                        errors_in_a_row, self._damage = 0, None
                        self._tally.packets += 1
                    elif packet.pts is not None:
                        continue  # an empty packet would end decoding, as the one after the last does
                    yield packet
                return
            except DAMAGE as error:
                errors_in_a_row += 1
                self._damage = self._damage or self._undecodable(error)

    def _joined(self) -> Iterator[Samples]:
        """Yield samples, each piece in one format, that of `_assembler`, until the end or until `_damage`."""
        try:
            for packet in without_outliers(self._packets(), SMALLEST_JUMP_S / (self._time_base or 1)):
                for silence_s, frame in self._decoded(packet):
                    yield from self._assembled(silence_s, frame)
        except AudioError as error:
            self._damage = error
        if self._assembler is not None:
            yield from self._assembler.rest()

    def _decoded(self, packet: av.Packet[av.AudioStream]) -> Iterator[tuple[float, av.AudioFrame | None]]:
        """Yield seconds of silence, and the frame that follows it; silence alone for what cannot be decoded."""
        try:
            frames = packet.decode()
        except DAMAGE as error:
            self._tally.refuse(error, is_first=self._assembler is None)
            duration_s = (packet.duration or 0) * self._time_base
            # Nothing before the first sound: its time stamp tells how much is missing.
            if self._assembler is not None and 0 < duration_s <= _LONGEST_PACKET_S:
                self._num_frames += round(duration_s * self._assembler.rate_hz)
                yield self._gap_s(packet.pts, duration_s) + duration_s, None
            return
        is_doubtful = (packet.is_corrupt and self._demuxer not in _MARKS_ALL_PACKETS) or self._complaints.are_new()
        begin, self._num_empty = self._num_empty, max(0, self._num_empty - len(frames))
        for frame in frames[begin:]:
            is_doubtful = is_doubtful or frame.is_corrupt
            self._num_frames += frame.samples
            yield self._gap_s(frame.pts, frame.samples / frame.sample_rate), frame
        self._tally.doubtful += is_doubtful

    def _gap_s(self, stamp: int | None, duration_s: float) -> float:
        if not self._has_clock:
            return 0.0
        return self._clock.silence_before(None if stamp is None else stamp * self._time_base, duration_s)

    def _assembled(self, silence_s: float, frame: av.AudioFrame | None) -> Iterator[Samples]:
        """Append silence and then a frame; yield what they complete."""
        assembler = self._assembler
        if frame is not None and (assembler is None or not assembler.takes(frame)):
            if assembler is not None:
                yield from assembler.rest()
            check_limits(self._name, frame.sample_rate, frame.layout.nb_channels)
            assembler = self._assembler = Assembler(frame)
        assert assembler is not None
        if silence_s:
            yield from assembler.add_silence(round(silence_s * assembler.rate_hz))
        if frame is not None:
            yield from assembler.add(frame)

    def _find_problems(self) -> Iterator[str]:
        if missed := missing(self._file, self._stream, self._tally.packets, self._num_frames):
            yield missed
        yield from self._tally.problems(self._demuxer)
        yield from self._clock.problems()

    def _find_warnings(self) -> Iterator[str]:
        yield from choice(
            self._file.streams.audio, self._stream, is_asked=self._track is not None, is_silent=self._is_silent
        )
        yield from self._tally.warnings(self._demuxer, self._skipped_bytes)
        yield from self._clock.warnings()

    def _is_beyond_the_end(self) -> bool:
        """Whether all samples that Ogg counts are there: an empty packet that only marks the end is an error."""
        stated = (self._stream.duration or 0) * self._time_base * self.rate_hz
        return self._demuxer == "ogg" and 0 < stated <= self._num_frames

    def _no_sound(self) -> AudioError:
        if self._damage is not None:
            return self._damage
        if self._tally.refused:
            codec = self._stream.codec_context.codec.long_name
            said = f"none of its {self._tally.refused} packets could be decoded ({codec}: {self._tally.reason})"
            return AudioError(f"{self._name}: {said}")
        return AudioError(f"{self._name}: holds no audio")

    def _undecodable(self, error: Exception) -> AudioError:
        return AudioError(f"{self._name}: cannot be decoded ({reason_of(error)})")


def _address(file: AudioFile) -> tuple[str, str]:
    """FFmpeg's name of the span of a file, from its first whole frame on, and the protocols that it needs."""
    url, span = f"/dev/fd/{file.fd}", file.span
    start = span.start + (file.format.start if isinstance(file.format, Container) else 0)
    if start == 0 and span.stop is None:
        return url, "file"
    return f"subfile,,start,{start},end,{span.stop or 0},,:{url}", "subfile,file"
