"""Sounds and recordings for tests, made in code."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cedtag.audio import Decoders, Decoding, Recording, open_recording
from cedtag.records import Source

if TYPE_CHECKING:
    from cedtag.audio.mono import Samples


_INTEGERS = {"s16": np.int16, "s32": np.int32}


def bursts(seconds: float, rate_hz: int, channels: int = 1) -> Samples:
    """Return `(n, channels)` of tone bursts, noise bursts and silence: what makes a variable bit rate vary."""
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    tone = 0.5 * np.sin(2 * np.pi * 440 * t) * (np.sin(2 * np.pi * 0.5 * t) > 0.6)
    noise = 0.2 * rng.standard_normal((len(t), channels)) * (np.sin(2 * np.pi * 1.7 * t) > 0.8)[:, None]
    return np.clip(tone[:, None] + noise, -1, 1).astype(np.float32)


def write(path: Path, samples: Samples, rate_hz: int, **options: object) -> Path:
    """Write a recording with libsndfile and return its path."""
    soundfile.write(path, samples, rate_hz, **options)
    return path


def source_of(path: Path | str) -> Source:
    """Return the recording at `path`, as somebody would name it on the command line."""
    return Source(path=str(path), name=str(path), relative=Path(path).name)


def decoded(path: Path | str, decoding: Decoding | None = None) -> tuple[Samples, list[str], list[str]]:
    """Read a recording wholly: its samples at 16 kHz, its problems and its warnings."""
    return _read(open_recording(source_of(path), decoding))


def decoded_by(decoders: Decoders, path: Path | str) -> tuple[Samples, list[str], list[str]]:
    """The same, with decoders that are there already."""
    return _read(decoders.open(source_of(path)))


def _read(recording: Recording) -> tuple[Samples, list[str], list[str]]:
    with recording:
        blocks = list(recording.blocks())
        samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        return samples, recording.problems, recording.warnings


def write_av(path: Path, samples: Samples, rate_hz: int, codec: str, **container: object) -> None:
    """Write a recording with PyAV; `container` are options of `av.open`."""
    import av

    with av.open(path, "w", **container) as file:  # type: ignore[call-overload]
        stream = file.add_stream(codec, rate=rate_hz, layout="stereo" if samples.shape[1] == 2 else "mono")
        frame_format = stream.codec_context.codec.audio_formats[-1]
        stream.codec_context.format, stream.codec_context.bit_rate = frame_format, 128_000
        size = stream.codec_context.frame_size or 1024
        for start in range(0, len(samples) - len(samples) % size, size):
            piece = samples[start : start + size]
            if (kind := frame_format.name.removesuffix("p")) in _INTEGERS:
                piece = (piece.astype(np.float64) * np.iinfo(_INTEGERS[kind]).max).astype(_INTEGERS[kind])
            stored = np.ascontiguousarray(piece.T if frame_format.is_planar else piece.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(stored, format=frame_format.name, layout=stream.layout.name)
            frame.sample_rate, frame.pts = rate_hz, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def write_film(path: Path) -> Path:
    """Write three seconds with three sound tracks: silence in English, noise in German, silence without a language."""
    import av

    noise = np.clip(0.1 * np.random.default_rng(0).standard_normal(48_000), -1, 1)
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(3)]
        streams[0].metadata["language"], streams[1].metadata["language"] = "eng", "deu"
        for start in range(0, 48_000, 1_000):
            for number, stream in enumerate(streams):
                piece = noise[start : start + 1_000] * (number == 1) * 32_767
                frame = av.AudioFrame.from_ndarray(piece.astype(np.int16)[None], format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16_000, start
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode(None))
    return path


def times_open(path: Path, pid: int | str = "self") -> int:
    """How many descriptors of a process lead to a file."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            count += descriptor.readlink() == path
    return count


def write_channels(path: Path, samples: Samples, rate_hz: int, codec: str, **options: str) -> Path:
    """Write a recording with any number of channels with PyAV; `options` are those of the encoder."""
    import av

    channels = samples.shape[1]
    with av.open(str(path), "w") as file:
        layout = _LAYOUTS.get((codec, channels), f"{channels}c" if channels <= 8 else f"{channels}C")
        stream = file.add_stream(codec, rate=rate_hz, layout=layout, options={"strict": "-2", **options})
        context = stream.codec_context
        context.format, context.bit_rate = context.codec.audio_formats[0], 64_000 * channels
        context.thread_count = 1
        size = context.frame_size or 1024
        for start in range(0, len(samples), size):
            # In interleaved frames: PyAV cannot fill those of eight planes and more.
            piece = np.ascontiguousarray(samples[start : start + size], np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


# Layouts of so many channels that an encoder takes, where it does not take FFmpeg's default.
_LAYOUTS = {("alac", 3): "3.0", ("alac", 7): "6.1(back)", ("alac", 8): "7.1(wide)", ("libopus", 3): "3.0"}
_LAYOUTS |= {("libopus", 4): "quad"}
