"""PyAV (FFmpeg): AAC, Opus, WMA and the sound of video files. The only file that imports `av`; runs in a child process.

FFmpeg gets the container of a file from here, and may open nothing but that file: by itself it follows playlists to
other files and to the network, whatever the file is called.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import av
import numpy as np

from cedtag.audio.containers.span import Span
from cedtag.audio.limits import FRAMES_PER_READ, check_limits
from cedtag.errors import AudioError
from cedtag.records import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.mono import Samples
    from cedtag.audio.spliced import SplicedFile

# What full scale is in each sample format, planar or not.
_FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "s64": 1 << 63, "flt": 1, "dbl": 1}

# These state how long each stream is; the others guess from its bit rate.
_STATE_DURATIONS = frozenset(["mov", "asf", "wv", "tta", "dsf", "ape"])
# Encoder delay and padding, which decoders leave out.
_DURATION_SLACK_S = 0.15
# An undecodable packet becomes silence of its length, if that is a length that packets have.
_LONGEST_PACKET_S = 10

_SKIP_MANUAL = 1 << 29  # FFmpeg's AV_CODEC_FLAG2_SKIP_MANUAL

# What PyAV raises for files that are damaged; the last two for streams without a known codec.
_DAMAGE = (av.FFmpegError, ValueError, AttributeError, IndexError)


class AvDecoder:
    """The frames of the best audio stream in a file that is what `demuxer` reads, or of the selected one."""

    declared_frames: int | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, file: AudioFile, demuxer: str, part: SplicedFile | None = None) -> None:
        """`part` takes the place of what stands in the file."""
        self._name, self._track = file.name, file.selection.track
        self.rate_hz = self.channels = 0
        self._num_frames = self._silent_packets = 0
        self._damage: AudioError | None = None
        url, protocols = _address(file)
        only_this = {"protocol_whitelist": protocols, "format_whitelist": demuxer}
        try:
            self._file = av.open(part or url, "r", format=demuxer, options=only_this, metadata_errors="replace")
        except _DAMAGE as error:
            raise self._undecodable(error) from error
        try:
            self._stream = self._audio_stream()
            self._stated_s = _stated_duration_s(self._file, self._stream, demuxer)
            self._pieces = self._decoded()
            # The decoder may correct what the header says (HE-AAC doubles the rate), so the first frame decides.
            first = next(self._pieces, None)
            if first is None:
                raise self._damage or AudioError(f"{self._name}: holds no audio")
            self._first = first
        except BaseException:
            self._file.close()
            raise

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32, n about `FRAMES_PER_READ`."""
        yield from _joined(chain([self._first], self._pieces))
        self.problems = tuple(self._find_problems())
        if self._damage is not None:
            raise self._damage

    def close(self) -> None:
        self._file.close()

    def _audio_stream(self) -> av.AudioStream:
        tracks = self._file.streams.audio
        best = self._file.streams.best("audio")
        if not isinstance(best, av.AudioStream):
            raise AudioError(f"{self._name}: holds no audio stream")
        stream = best if self._track is None else self._wanted(tracks, self._track)
        if stream.codec_context is None:
            raise AudioError(f"{self._name}: its audio codec is not known to FFmpeg")
        if len(tracks) > 1:
            self.warnings = (_choice(tracks, stream, note=self._track is not None),)
        stream.codec_context.thread_count = 1  # recordings are decoded side by side already
        if stream.codec_context.name == "alac" and self._file.format.name == "caf":
            # The last frame states its own length; FFmpeg cuts it once more, by the remainder that CAF states.
            stream.codec_context.flags2 |= _SKIP_MANUAL
        return stream

    def _wanted(self, tracks: Sequence[av.AudioStream], track: str) -> av.AudioStream:
        """The track of that number, or the first one of that language."""
        for number, stream in enumerate(tracks, 1):
            if track == str(number) or track.casefold() == _language(stream).casefold():
                return stream
        raise AudioError(f"{self._name}: has no sound track {track}, but {_tracks(tracks)}")

    def _decoded(self) -> Iterator[Samples]:
        """Yield the frames as they come, until the end or until `_damage`."""
        try:
            for packet in self._file.demux(self._stream):
                yield from self._decoded_packet(packet)
        except AudioError as error:
            self._damage = error
        except _DAMAGE as error:
            self._damage = self._undecodable(error)

    def _decoded_packet(self, packet: av.Packet[av.AudioStream]) -> Iterator[Samples]:
        """Yield the frames of a packet; silence if it cannot be decoded, so that the next ones keep their time."""
        try:
            frames = packet.decode()
        except _DAMAGE:
            duration_s = float((packet.duration or 0) * (packet.time_base or 0))
            if not self._num_frames:  # a stream recorded from its middle: its first packets need ones that are missing
                self._silent_packets += 1
                return
            if not 0 < duration_s <= _LONGEST_PACKET_S:
                raise
            self._silent_packets += 1
            yield np.zeros((round(duration_s * self.rate_hz), self.channels), np.float32)
            return
        for frame in frames:
            self._check_format(frame)
            self._num_frames += frame.samples
            yield _samples(frame)

    def _check_format(self, frame: av.AudioFrame) -> None:
        rate_hz, channels = frame.sample_rate, frame.layout.nb_channels
        if not self._num_frames:
            check_limits(self._name, rate_hz, channels)
            self.rate_hz, self.channels = rate_hz, channels
        elif (rate_hz, channels) != (self.rate_hz, self.channels):
            was, now = f"{self.rate_hz} Hz, {self.channels} channels", f"{rate_hz} Hz, {channels} channels"
            raise AudioError(f"{self._name}: changes from {was} to {now}, and the rest was not read")

    def _find_problems(self) -> Iterator[str]:
        decoded_s = self._num_frames / self.rate_hz
        if decoded_s < self._stated_s - _DURATION_SLACK_S:
            yield f"decoded {decoded_s:.2f} of {self._stated_s:.2f} s"
        if self._silent_packets:
            yield f"packets that could not be decoded, left out or read as silence: {self._silent_packets}"

    def _undecodable(self, error: Exception) -> AudioError:
        reason = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        return AudioError(f"{self._name}: cannot be decoded ({reason})")


def _address(file: AudioFile) -> tuple[str, str]:
    """FFmpeg's name of the span of a file, and the protocols that it needs."""
    url, span = f"/dev/fd/{file.fd}", file.span
    if span == Span():
        return url, "file"
    return f"subfile,,start,{span.start},end,{span.stop or 0},,:{url}", "subfile,file"


def _choice(tracks: Sequence[av.AudioStream], taken: av.AudioStream, *, note: bool) -> str:
    """What was scored of several tracks: a note where it was asked for, else a warning."""
    number = 1 + tracks.index(taken)
    if note:
        return f"{NOTE}track {number} of {len(tracks)} ({_tracks(tracks)})"
    return f"holds {len(tracks)} sound tracks ({_tracks(tracks)}), of which track {number} was scored"


def _tracks(tracks: Sequence[av.AudioStream]) -> str:
    described = (f"{number}: {_language(stream) or 'no language'}" for number, stream in enumerate(tracks, 1))
    return ", ".join(described)


def _language(stream: av.AudioStream) -> str:
    language = stream.metadata.get("language", "")
    return "" if language == "und" else language


def _joined(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """Join small pieces: resampling a few hundred frames at a time costs more than decoding them."""
    waiting: list[Samples] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= FRAMES_PER_READ:
            yield np.concatenate(waiting)
            waiting, size = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _samples(frame: av.AudioFrame) -> Samples:
    """Return a frame as `(n, channels)` float32, full scale 1."""
    stored = frame.to_ndarray()
    stored = stored.T if frame.format.is_planar else stored.reshape(-1, frame.layout.nb_channels)
    kind = frame.format.name.removesuffix("p")
    samples: Samples = stored.astype(np.float32, copy=False)
    if kind == "u8":
        samples = samples - np.float32(1 << 7)
    full_scale = _FULL_SCALE[kind]
    return samples if full_scale == 1 else samples * np.float32(1 / full_scale)


def _stated_duration_s(file: av.container.InputContainer, stream: av.AudioStream, demuxer: str) -> float:
    """Return the duration that the container states for the stream, or 0 where it states none."""
    if demuxer in _STATE_DURATIONS:
        return float((stream.duration or 0) * (stream.time_base or 0))
    if demuxer == "matroska" and len(file.streams) == 1:  # states how long its longest stream is
        return (file.duration or 0) / av.time_base
    return 0.0
