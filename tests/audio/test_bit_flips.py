"""Single bits are flipped through every format that has checksums: the samples stay the same, or damage is reported.

Of streams as they are broadcast, the first frame may be cut: that costs a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded_by, write, write_av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cedtag.audio.mono import Samples

# Each with the encoder of FFmpeg that writes it; None is written by libsndfile.
CHECKED = {
    "a.flac": None,
    "vorbis.ogg": None,
    "opus.ogg": "libopus",
    "speex.ogg": "libspeex",
    "flac.ogg": "flac",
    "flac.mka": "flac",
    "flac.mp4": "flac",
    "a.wv": "wavpack",
    "a.tta": "tta",
    "a.ac3": "ac3",
    "a.eac3": "eac3",
    "ac3.mkv": "ac3",
}
RATES_HZ = {"opus.ogg": 48_000, "a.ac3": 48_000, "a.eac3": 48_000, "ac3.mkv": 48_000}
SECONDS = 1


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


def recording(folder: Path, name: str) -> Path:
    rate_hz, codec = RATES_HZ.get(name, 16_000), CHECKED[name]
    samples, path = bursts(SECONDS, rate_hz), folder / name
    if codec is None:
        return write(path, samples, rate_hz)
    av = pytest.importorskip("av")
    try:
        write_av(path, samples, rate_hz, codec)
    except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        pytest.skip(f"this FFmpeg has no such encoder: {error}")
    return path


def outcome(decoders: Decoders, path: Path) -> tuple[Samples | None, list[str]]:
    """The samples of a recording and what is wrong with it; no samples where it failed."""
    try:
        samples, problems, warnings = decoded_by(decoders, path)
    except AudioError as error:
        return None, [str(error)]
    return samples, problems + [warning for warning in warnings if "begins in the middle of a frame" in warning]


def unnoticed(decoders: Decoders, path: Path, places: list[int]) -> list[tuple[int, int]]:
    """Return the places and bits of which a flip changes samples, or loses them, without a word."""
    original, problems = outcome(decoders, path)
    assert (original is not None, problems) == (True, [])
    data, found = path.read_bytes(), []
    damaged = path.with_name(f"damaged{path.suffix}")
    for place in places:
        bit = place % 8
        damaged.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        samples, problems = outcome(decoders, damaged)
        if not problems and not (samples is not None and np.array_equal(samples, original)):
            found.append((place, bit))
    return found


def spread(path: Path, count: int) -> list[int]:
    """Places from the first byte to the last, and some in the header."""
    return sorted({*np.linspace(0, path.stat().st_size - 1, count).astype(int).tolist(), *range(5, 120, 23)})


@pytest.mark.parametrize("name", CHECKED)
def test_no_flipped_bit_changes_samples_without_a_word(tmp_path: Path, decoders: Decoders, name: str) -> None:
    path = recording(tmp_path, name)
    assert unnoticed(decoders, path, spread(path, 25)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CHECKED)
def test_no_flipped_bit_of_many_does(tmp_path: Path, decoders: Decoders, name: str) -> None:
    path = recording(tmp_path, name)
    assert unnoticed(decoders, path, spread(path, 400)) == []
