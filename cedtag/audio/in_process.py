"""A recording that is decoded in this process."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from cedtag.audio.audio_file import AudioFile, closed_on_error
from cedtag.audio.bugs import bugs_reported
from cedtag.audio.containers.audit import audit
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.span import Span
from cedtag.audio.flac import FlacDecoder
from cedtag.audio.mpeg import MpegDecoder
from cedtag.audio.ogg_chain import OggDecoder
from cedtag.audio.open import unreadable
from cedtag.audio.parts import Parts
from cedtag.audio.plain_header import with_plain_header
from cedtag.audio.raw import RawDecoder, RawFormat
from cedtag.audio.repaired import repaired
from cedtag.audio.selection import Selection
from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.audio.spliced import SplicedFile
from cedtag.errors import AudioError
from cedtag.records import NOTE, PASSING_STAGES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from cedtag.audio.mono import Samples


class Decoder(Protocol):
    """Frames at the recording's own rate; damage is an `AudioError` from `frames`.

    `rate_hz` and `channels` are those of the first piece, then of the last that `frames` has yielded: they may change.
    """

    rate_hz: int
    channels: int
    declared_frames: int | None

    @property
    def problems(self) -> tuple[str, ...]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...

    def frames(self) -> Iterator[Samples]: ...
    def close(self) -> None: ...


class InProcessRecording:
    """A recording that is decoded in this process; see `cedtag.audio.Recording`."""

    def __init__(
        self, name: str, decoder: Decoder, file: AudioFile | None = None, selection: Selection | None = None
    ) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.cause = self.traceback = ""
        self._name = name
        self._decoder = decoder
        self._file = file
        selection = selection or (file.selection if file is not None else Selection())
        self._mono = Parts(name, selection, decoder.rate_hz, decoder.channels)
        if decoder.channels > 1 and (channel := selection.channel_of(name, decoder.channels)) is not None:
            self.warnings.append(f"{NOTE}channel {channel + 1} of {decoder.channels}")
        self._in_use = threading.Lock()
        self._abandoned = False
        self._closed = False
        self.on_hang: Callable[[], object] = lambda: None  # called when it is closed in the middle of a piece

    def blocks(self) -> Iterator[Samples]:
        """Yield new arrays `(n,)` of 16 kHz mono, n of any size.

        Damage after the first samples ends the stream and is a problem; without any sample it is an `AudioError`.
        """
        damage = None
        try:
            for block in self._decoded():
                if len(block):
                    yield block
        except AudioError as error:
            if self._abandoned or self._mono.num_frames == 0:
                raise
            damage, self.traceback = error, error.traceback
        with bugs_reported(self._name):
            rest = self._mono.flush()
        if len(rest):
            yield rest
        self._conclude(damage)

    def close(self) -> None:
        """Close the file; called from another thread, `blocks` raises after the piece that it is decoding."""
        self._abandoned = True
        if self._in_use.acquire(blocking=False):
            try:
                self._release()
            finally:
                self._in_use.release()
        else:
            self.on_hang()

    def __enter__(self) -> InProcessRecording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _decoded(self) -> Iterator[Samples]:
        """Yield resampled pieces; the decoder is locked while it works, as closing it then would crash."""
        frames = self._decoder.frames()
        with bugs_reported(self._name):
            while True:
                with self._in_use:
                    if self._abandoned:
                        self._release()
                        raise AudioError(f"{self._name}: was closed while it was read", stage="timeout")
                    try:
                        piece = next(frames, None)
                    except OSError as error:
                        raise unreadable(self._name, error) from error
                    if piece is None:
                        return
                    block = self._mono.push(piece, self._decoder.rate_hz)
                yield block

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._decoder.close()
            if self._file is not None:
                self._file.close()

    def _conclude(self, damage: AudioError | None) -> None:
        decoded = self._mono.num_frames
        findings = self._audit()
        if decoded == 0:
            raise AudioError("; ".join([f"{self._name}: holds no audio", *self._decoder.problems, *findings.problems]))
        self.problems += [*self._shortfall(damage), *self._decoder.problems, *findings.problems]
        if self._mono.num_samples == 0:
            frames = f"frames: {decoded}, at {self._decoder.rate_hz} Hz"
            little = f"holds less than one sample at {SAMPLE_RATE_HZ} Hz ({frames})"
            raise AudioError("; ".join([f"{self._name}: {little}", *self.problems]))
        self.warnings += findings.warnings
        self.cause = self.cause or self._cause(damage)
        if self._mono.num_bad:
            self.problems.append(f"samples that are not finite or out of any range, read as 0: {self._mono.num_bad}")
        if self._mono.is_out_of_scale:
            peak = f"samples reach {self._mono.peak:.6g}, far beyond full scale 1"
            self.warnings.append(f"{peak}: is it float audio in integer scale? divide it by its full scale")
        if self._file is not None and not self._file.is_as_opened():
            self.problems.append("the file changed while it was read")
        self.warnings += self._decoder.warnings
        if self._mono.cancels:
            self.warnings.append("its channels cancel out in the mix to mono (one of them is inverted)")
        elif self._mono.cancels_mostly:
            said = "its channels largely cancel out in the mix to mono (is one of them inverted?)"
            self.warnings.append(f"{said}; score one of them alone")

    def _shortfall(self, damage: AudioError | None) -> Iterator[str]:
        decoded, declared = self._mono.num_frames, self._decoder.declared_frames
        count = f"decoded {decoded} of {declared} frames" if declared else f"decoded {decoded} frames"
        if damage is not None:
            yield f"{count}: " + str(damage).removeprefix(f"{self._name}: ")
        elif declared is not None and decoded < declared:
            yield count

    def _cause(self, damage: AudioError | None) -> str:
        """The stage at which it was cut short, if that can pass; libsndfile takes an error of the disk for the end."""
        if damage is not None and damage.stage in PASSING_STAGES:
            return damage.stage
        if self._file is None or self._file.ranged is not None or not any(self._shortfall(damage)):
            return ""
        try:
            os.pread(self._file.fd, 1, os.lseek(self._file.fd, 0, os.SEEK_CUR))
        except OSError:
            return "read"
        return ""

    def _audit(self) -> Findings:
        if self._file is None or isinstance(self._file.format, RawFormat):
            return Findings()
        try:
            with bugs_reported(self._name):
                return audit(self._file.contents(), self._file.format, self._mono.num_frames)
        except OSError as error:
            self.cause = "read"
            return Findings((f"whether it is complete could not be checked ({error.strerror})",))
        except AudioError as error:
            self.cause, self.traceback = error.stage, error.traceback
            return Findings((f"whether it is complete could not be checked: {error}",))


def open_in_process(file: AudioFile) -> InProcessRecording:
    """Decode a file in this process; its descriptor is closed with the recording, or here when there is none."""
    with closed_on_error(file.name, file), bugs_reported(file.name), ExitStack() as stack:
        decoder = decoder_of(file)
        stack.callback(decoder.close)
        recording = InProcessRecording(file.name, decoder, file)
        stack.pop_all()
    return recording


def decoder_of(file: AudioFile) -> Decoder:
    """Return the one decoder of a file's format, at the beginning of the file; it leaves the descriptor open."""
    if isinstance(file.format, Container) and file.format.name == "ogg":
        return OggDecoder(file, file.format)
    if isinstance(file.format, Container) and file.format.demuxer is not None:
        from cedtag.audio.pyav import AvDecoder

        return AvDecoder(file, file.format.demuxer)
    file.selection.check_single_track(file.name)
    if isinstance(file.format, RawFormat):
        return RawDecoder(os.fdopen(os.dup(file.fd), "rb", buffering=0), file.format)
    if file.format.name == "flac":
        return FlacDecoder(file)
    if file.format.name == "mp3":
        return MpegDecoder(file, file.format.start)
    return SoundFileDecoder(_for_libsndfile(file, file.format), file.name)


def _for_libsndfile(file: AudioFile, container: Container) -> int | SplicedFile:
    """The descriptor where libsndfile can read the file itself: reading through Python takes longer."""
    contents = file.contents()
    if (other := with_plain_header(contents, container) or repaired(contents, container)) is not None:
        return other
    if file.span == Span() and file.ranged is None:
        os.lseek(file.fd, file.span.start, os.SEEK_SET)
        return file.fd
    return SplicedFile(contents)
