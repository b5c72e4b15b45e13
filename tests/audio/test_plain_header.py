"""What a header states besides the sound costs neither memory nor the recording, whatever its length."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.sounds import bursts, decoded, write

if TYPE_CHECKING:
    from pathlib import Path

# More than a run may take, and nothing on a disk: files have holes.
HUGE = 1 << 30
MEGABYTE = 1 << 20

_READ_ALL = """
import json, resource, sys
from datetime import timezone
from cedtag.audio import open_recording
from cedtag.inputs.recorder_time import time_of_broadcast_wave, times_of_recorder
from cedtag.records import Source
for path in sys.argv[1:]:
    source = Source(path, path, path)
    list(times_of_recorder(source, timezone.utc)), time_of_broadcast_wave(source, timezone.utc)
    with open_recording(source) as recording:
        num_samples = sum(map(len, recording.blocks()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([num_samples, recording.problems, peak]))
"""


def with_hole(path: Path, *pieces: bytes | int) -> Path:
    """Write bytes, and holes of so many bytes."""
    with path.open("wb") as file:
        for piece in pieces:
            if isinstance(piece, int):
                file.seek(piece, 1)
            else:
                file.write(piece)
        file.truncate(file.tell())
    return path


def recording(folder: Path, suffix: str) -> bytes:
    return write(folder / f"plain.{suffix}", bursts(1, 16_000), 16_000).read_bytes()


def chunk_before(folder: Path, suffix: str, kind: bytes, audio: bytes, order: str, size_bytes: int = 4) -> Path:
    data = recording(folder, suffix)
    at = data.index(audio)
    head = kind + HUGE.to_bytes(size_bytes, order)  # type: ignore[arg-type]
    return with_hole(folder / f"{kind.decode().strip()}.{suffix}", data[:at], head, HUGE, data[at:])


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in kilobytes")
def test_a_size_that_a_header_states_is_not_taken_from_memory(tmp_path: Path) -> None:
    plain = write(tmp_path / "first.wav", bursts(1, 16_000), 16_000)
    flac = recording(tmp_path, "flac")
    application = b"\2\xff\xff\xffABCD"
    paths = [
        *(chunk_before(tmp_path, "caf", kind, b"data", "big", 8) for kind in (b"info", b"strg", b"uuid")),
        *(chunk_before(tmp_path, "aiff", kind, b"SSND", "big") for kind in (b"ANNO", b"NAME", b"ID3 ")),
        *(chunk_before(tmp_path, "wav", kind, b"data", "little") for kind in (b"LIST", b"bext", b"iXML", b"guan")),
        with_hole(tmp_path / "a.flac", flac[:42], application, (1 << 24) - 5, flac[42:]),
        with_hole(tmp_path / "id3.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f", (1 << 28) - 1, recording(tmp_path, "mp3")),
    ]
    done = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(plain), *map(str, paths)], capture_output=True, check=True
    )
    (_, _, before), *read = map(json.loads, done.stdout.splitlines())
    for path, (num_samples, problems, peak) in zip(paths, read, strict=True):
        assert (num_samples, problems) == (16_000, []), path
        assert (peak - before) * 1024 < 40 * MEGABYTE, path


@pytest.mark.parametrize("subtype", ["PCM_16", "ALAC_16", "ULAW"])
@pytest.mark.parametrize("size", [10, 9_000])
def test_caf_with_texts_is_read_as_without(tmp_path: Path, subtype: str, size: int) -> None:
    plain = write(tmp_path / "plain.caf", bursts(1, 44_100, 2), 44_100, subtype=subtype)
    data = plain.read_bytes()
    text = b"info" + size.to_bytes(8, "big") + b"\0\0\0\1key\0".ljust(size, b"x")
    expected = decoded(plain)[0]
    behind = [] if subtype == "ALAC_16" else [data + text]  # libsndfile writes a byte behind it that is in no chunk
    for changed in (data.replace(b"data", text + b"data", 1), *behind):
        (tmp_path / "a.caf").write_bytes(changed)
        samples, problems, _ = decoded(tmp_path / "a.caf")
        assert problems == []
        np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("kind", [b"NAME", b"AUTH", b"(c) ", b"ANNO"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_aiff_with_a_long_text_is_read(tmp_path: Path, kind: bytes, subtype: str) -> None:
    plain = write(tmp_path / "plain.aiff", bursts(1, 44_100, 2), 44_100, subtype=subtype)
    data = plain.read_bytes()
    text = kind + (20_001).to_bytes(4, "big") + b"x" * 20_001 + b"\0"
    at = data.index(b"SSND")
    expected = decoded(plain)[0]
    for changed in (data[:at] + text + data[at:], data + text):
        (tmp_path / "a.aiff").write_bytes(changed)
        samples, problems, _ = decoded(tmp_path / "a.aiff")
        assert problems == []
        np.testing.assert_array_equal(samples, expected)
    (tmp_path / "cut.aiff").write_bytes((data[:at] + text + data[at:])[:-1_000])
    assert "is cut off" in decoded(tmp_path / "cut.aiff")[1][0]
