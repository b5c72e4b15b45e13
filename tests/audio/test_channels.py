"""Every number of channels, in every codec and container that holds it: the mean of all, and each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders, Decoding, Selection
from tests.sounds import decoded, decoded_by, write, write_channels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cedtag.audio.mono import Samples

pytest.importorskip("av")

RATE_HZ = 16_000  # as scored: nothing is resampled
NUM_FRAMES = 1_600
ANY = range(1, 25)
LOSSLESS = {
    ("mov", "pcm_s16le"): ANY,
    ("mov", "pcm_s24le"): (1, 2, 7, 8, 9, 16, 24),
    ("mov", "pcm_f64be"): (1, 7, 8),
    ("mkv", "pcm_s16le"): ANY,
    ("mkv", "pcm_f32le"): (1, 2, 7, 8, 9, 24),
    ("avi", "pcm_s16le"): ANY,
    ("avi", "pcm_u8"): (1, 8),
    ("mka", "flac"): range(1, 9),
    ("mp4", "flac"): (8,),
    ("ogg", "flac"): (7, 8),
    ("m4a", "alac"): range(1, 9),
    ("wv", "wavpack"): ANY,
    ("tta", "tta"): range(1, 17),
}
LOSSY = {
    ("m4a", "aac"): (1, 2, 3, 4, 5, 6, 7, 8),
    ("aac", "aac"): (1, 2, 3, 4, 5, 6, 8),
    ("ts", "aac"): (1, 2, 6, 8),
    ("opus", "libopus"): range(1, 9),
    ("webm", "libopus"): (1, 2, 7, 8),
    ("mp4", "libopus"): (8,),
    ("ac3", "ac3"): range(1, 7),
    ("eac3", "eac3"): range(1, 7),
}
# Rates that these can be encoded at.
RATES_HZ = {"ac3": 48_000, "eac3": 48_000, "libopus": 48_000}


def cases(codecs: dict[tuple[str, str], range | tuple[int, ...]]) -> list[tuple[str, str, int]]:
    return [(suffix, codec, channels) for (suffix, codec), counts in codecs.items() for channels in counts]


def tones(channels: int, rate_hz: int = RATE_HZ, num_frames: int = NUM_FRAMES) -> Samples:
    """Return `(n, channels)` where every channel has its own tone, in steps of 8 bits, which every codec here holds."""
    t = np.arange(num_frames)[:, None] / rate_hz
    phases = np.random.default_rng(3).uniform(0, 2 * np.pi, channels)
    tones = 0.5 * np.sin(2 * np.pi * 110 * (1 + np.arange(channels)) * t + phases)
    return (np.round(tones * 128) / 128).astype(np.float32)


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


@pytest.mark.parametrize(("suffix", "codec", "channels"), cases(LOSSLESS))
def test_the_mix_is_the_mean_of_all_channels(
    decoders: Decoders, tmp_path: Path, suffix: str, codec: str, channels: int
) -> None:
    path = write_channels(tmp_path / f"a.{suffix}", tones(channels), RATE_HZ, codec)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples, tones(channels).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("suffix", "codec", "channels"), cases(LOSSY))
def test_lossy_codecs_keep_all_channels(
    decoders: Decoders, tmp_path: Path, suffix: str, codec: str, channels: int
) -> None:
    rate_hz = RATES_HZ.get(codec, RATE_HZ)
    original = tones(channels, rate_hz, num_frames=rate_hz // 2)
    path = write_channels(tmp_path / f"a.{suffix}", original, rate_hz, codec)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    wav = decoded(write(tmp_path / "a.wav", original, rate_hz))[0]
    assert np.std(samples[2_000:6_000]) == pytest.approx(np.std(wav[2_000:6_000]), rel=0.25)


@pytest.mark.parametrize("channels", [9, 16, 24])
def test_opus_without_a_layout_has_any_number_of_channels(decoders: Decoders, tmp_path: Path, channels: int) -> None:
    options = {"mapping_family": "255", "frame_duration": "20"}
    path = write_channels(tmp_path / "a.opus", tones(channels, 48_000, 24_000), 48_000, "libopus", **options)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    assert len(samples) == pytest.approx(8_000, abs=200)


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("wv", "wavpack"), ("mka", "flac")])
def test_each_of_eight_channels_is_scored_by_itself(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_channels(tmp_path / f"a.{suffix}", tones(8), RATE_HZ, codec)
    samples, problems, _ = decoded(path, Decoding(selection=Selection("each")))
    assert problems == []
    np.testing.assert_allclose(samples, tones(8), atol=1e-6)
    eighth, _, warnings = decoded(path, Decoding(selection=Selection("8")))
    np.testing.assert_allclose(eighth, tones(8)[:, 7], atol=1e-6)
    assert warnings == ["scored channel 8 of 8"]


@pytest.mark.parametrize(("channels", "layout_tag"), [(7, 0x008E0007), (8, 0x00800008)])
def test_a_layout_in_an_order_of_its_own_costs_no_decoder(
    decoders: Decoders, tmp_path: Path, channels: int, layout_tag: int
) -> None:
    path = write_channels(tmp_path / "a.mov", tones(channels), RATE_HZ, "pcm_s16le")
    data = path.read_bytes()
    at = data.index(b"chan") + 8  # after size and flags: the tag, and a bitmap that then does not count
    path.write_bytes(data[:at] + layout_tag.to_bytes(4, "big") + bytes(4) + data[at + 8 :])
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples, tones(channels).mean(axis=1), atol=1e-6)
