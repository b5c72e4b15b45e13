"""Containers that PyAV reads show by their structure that a recording is cut or damaged, or whole."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio.containers.audit import audit
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.identify import identify
from tests.sounds import bursts, decoded, write_av

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.findings import Findings

pytest.importorskip("av")

RATE_HZ = 48_000
SOUNDS: dict[str, tuple[str, str, dict[str, str]]] = {  # muxer, codec, its options
    "sound.mka": ("matroska", "flac", {}),
}
FILMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "film.mkv": ("matroska", "aac", {}),
    "film_live.webm": ("webm", "libopus", {"live": "1", "cluster_time_limit": "500"}),
    "film_without_checksums.mkv": ("matroska", "aac", {"write_crc32": "0"}),
}
EVERY = [*SOUNDS, *FILMS]
# Which kinds of damage leave no trace in the structure.
NO_TRACE: dict[str, set[str]] = {}
DAMAGE: dict[str, Callable[[bytes, int, int], bytes]] = {
    "cut": lambda data, at, _: data[:at],
    "zeroed": lambda data, at, size: data[:at] + bytes(size) + data[at + size :],
    "overwritten": lambda data, at, size: data[:at] + np.random.default_rng(at).bytes(size) + data[at + size :],
    "left out": lambda data, at, size: data[:at] + data[at + size :],
}


@cache
def written(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        if name in SOUNDS:
            kind, codec, options = SOUNDS[name]
            write_av(path, bursts(3, RATE_HZ, 2), RATE_HZ, codec, format=kind, options=options)
        else:
            _write_film(path, *FILMS[name])
        return path.read_bytes()


def _write_film(path: Path, kind: str, codec: str, options: dict[str, str]) -> None:
    """Write three seconds of noise in pictures and in sound, side by side."""
    import av

    samples, rng = bursts(3, RATE_HZ, 2), np.random.default_rng(0)
    with av.open(str(path), "w", format=kind, options=options) as file:
        picture = file.add_stream(_PICTURES.get(kind, "mpeg4"), rate=25, width=64, height=64)
        picture.pix_fmt = "yuv420p"
        sound = file.add_stream(codec, rate=RATE_HZ, layout="stereo")
        sound_format = sound.codec_context.codec.audio_formats[-1]
        sound.codec_context.format = sound_format
        size, done = sound.codec_context.frame_size or 1024, 0
        for number in range(75):
            seen = rng.integers(0, 255, (64, 64, 3), np.uint8)
            file.mux(picture.encode(av.VideoFrame.from_ndarray(seen, format="rgb24")))
            while done < min((number + 1) * RATE_HZ // 25, len(samples) - size):
                piece = samples[done : done + size]
                if sound_format.name.startswith("s16"):
                    piece = (piece * 32_767).astype(np.int16)
                stored = piece.T if sound_format.is_planar else piece.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stored), sound_format.name, "stereo")
                frame.sample_rate, frame.pts = RATE_HZ, done
                file.mux(sound.encode(frame))
                done += size
        file.mux(picture.encode(None))
        file.mux(sound.encode(None))


_PICTURES = {"webm": "libvpx", "asf": "wmv2", "flv": "flv", "mpegts": "mpeg2video", "vob": "mpeg2video"}


def inspected(path: Path, data: bytes) -> Findings | None:
    path.write_bytes(data)
    with path.open("rb") as stream:
        file = FileBytes(stream.fileno())
        container = identify(file)
        return None if container is None else audit(file, container, 3 * RATE_HZ, file.size)


@pytest.mark.parametrize("name", EVERY)
def test_a_whole_file_is_found_complete(tmp_path: Path, name: str) -> None:
    findings = inspected(tmp_path / name, written(name))
    assert findings is not None
    assert (findings.problems, findings.warnings) == ((), ())


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", EVERY)
def test_damage_at_every_tenth_is_found(tmp_path: Path, name: str, kind: str) -> None:
    data = written(name)
    size = max(200, len(data) // 20)
    missed = []
    for tenth in range(1, 10):
        findings = inspected(tmp_path / name, DAMAGE[kind](data, tenth * len(data) // 10, size))
        if findings is None or not findings.problems:
            missed.append(tenth)
    assert bool(missed) == (kind in NO_TRACE.get(name, ())), missed


@pytest.mark.parametrize("name", EVERY)
def test_a_recording_that_is_cut_is_partial(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(written(name)[: len(written(name)) * 7 // 10])
    samples, problems, _ = decoded(path)
    assert len(samples) > 0
    assert any("cut off" in problem for problem in problems)
