"""Packets that are damaged or missing: each costs its own time, and it is said that it is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders
from cedtag.audio.audio_file import open_audio
from cedtag.audio.containers.file_bytes import HeadBytes
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.raw_streams import find_raw_stream
from cedtag.audio.in_process import open_in_process
from cedtag.errors import AudioError
from tests.bad_audio import encoded_av, ogg_pages
from tests.sounds import bursts, decoded, decoded_by, source_of, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("av")

# Containers whose codec has a checksum for each packet, and that codec.
CHECKED = {"wv": "wavpack", "tta": "tta", "ac3": "ac3", "eac3": "eac3", "matroska": "flac", "mp4": "flac"}
# Streams of frames alone.
RAW = {
    "aac": ("adts", "aac"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
    "latm": ("latm", "aac"),
    "mpeg": ("vob", "mp2"),
}
TUNED_IN = "begins in the middle of a frame, and was read from its first whole one on"
PACKETS = "packets that could not be decoded, left out or read as silence"


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


@pytest.mark.parametrize("kind", CHECKED)
@pytest.mark.parametrize("share", [0.35, 0.5, 0.65])
def test_a_flipped_bit_costs_its_packet_alone(decoders: Decoders, tmp_path: Path, kind: str, share: float) -> None:
    data = encoded_av(kind, CHECKED[kind], 4)
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(with_flipped_bit(data, share))
    good, problems, warnings = decoded_by(decoders, tmp_path / "good")
    assert (problems, warnings) == ([], [])
    bad, problems, _ = decoded_by(decoders, tmp_path / "bad")
    assert f"{PACKETS}: 1" in problems
    assert abs(len(bad) - len(good)) < 2_000
    assert np.mean(np.abs(good[: len(bad)] - bad[: len(good)]) < 1e-4) > 0.7  # packets are up to a second long


def with_flipped_bit(data: bytes, share: float) -> bytes:
    changed = bytearray(data)
    changed[int(share * len(data))] ^= 0x10
    return bytes(changed)


def test_nothing_but_packets_that_cannot_be_decoded_is_said(decoders: Decoders, tmp_path: Path) -> None:
    data = encoded_av("mp4", "aac")
    begin = data.index(b"mdat") + 4
    (tmp_path / "a.m4a").write_bytes(data[:begin] + bytes(data.index(b"moov") - begin) + data[data.index(b"moov") :])
    with pytest.raises(AudioError, match=r"none of its \d+ packets could be decoded \(AAC .*: Invalid data"):
        decoded_by(decoders, tmp_path / "a.m4a")


def test_what_follows_a_hole_is_read_at_its_time(decoders: Decoders, tmp_path: Path) -> None:
    blocks = [b"wvpk" + block for block in encoded_av("wv", "wavpack", 8).split(b"wvpk")[1:]]
    (tmp_path / "a.wv").write_bytes(b"".join([*blocks[:3], *blocks[4:]]))
    (tmp_path / "good.wv").write_bytes(b"".join(blocks))
    good = decoded_by(decoders, tmp_path / "good.wv")[0]
    samples, problems, _ = decoded_by(decoders, tmp_path / "a.wv")
    assert len(samples) == len(good)
    np.testing.assert_allclose(samples[-16_000:], good[-16_000:], atol=1e-4)
    assert problems == [
        f"decoded {len(good) / 16_000 - 1:.2f} of {len(good) / 16_000:.2f} s",
        "samples that are missing between its blocks: 48000, in 1 places",
    ]


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("skipped", [1, 57, 444])
def test_a_stream_that_begins_in_the_middle_of_a_frame_is_read_from_the_next(
    decoders: Decoders, tmp_path: Path, kind: str, skipped: int
) -> None:
    data = encoded_av(*RAW[kind])
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "tuned_in").write_bytes(data[skipped:])
    whole = decoded_by(decoders, tmp_path / "whole")[0]
    samples, problems, warnings = decoded_by(decoders, tmp_path / "tuned_in")
    assert (problems, warnings) == ([], [TUNED_IN])
    assert 0 < len(whole) - len(samples) < 4_000
    assert np.std(samples[-16_000:]) == pytest.approx(np.std(whole[-16_000:]), rel=0.01)


@pytest.mark.parametrize("kind", ["ac3", "aac"])
def test_a_stream_of_two_rates_is_read_to_its_end(decoders: Decoders, tmp_path: Path, kind: str) -> None:
    import av

    paths = [tmp_path / f"{rate_hz}.{kind}" for rate_hz in (48_000, 32_000)]
    for path, rate_hz in zip(paths, (48_000, 32_000), strict=True):
        with av.open(str(path), "w") as file:
            stream = file.add_stream(kind, rate=rate_hz, layout="mono", bit_rate=96_000)
            samples = bursts(2, rate_hz).T
            for at in range(0, samples.shape[1], 1_000):
                piece = np.ascontiguousarray(samples[:, at : at + 1_000])
                frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
                frame.sample_rate, frame.pts = rate_hz, at
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    first, second = (decoded_by(decoders, path)[0] for path in paths)
    (tmp_path / "both").write_bytes(b"".join(path.read_bytes() for path in paths))
    both, problems, _ = decoded_by(decoders, tmp_path / "both")
    assert problems == []
    assert len(both) == pytest.approx(len(first) + len(second), abs=200)
    assert np.std(both[len(first) + 2_000 :]) == pytest.approx(np.std(second[2_000:]), rel=0.05)


def test_dts_is_known_in_every_order_of_bytes() -> None:
    frame = bytes.fromhex("7ffe8001fc3c3ff0b5e0").ljust(1_024, b"\x55")  # states 1024 bytes
    assert find_raw_stream(HeadBytes(b"junk" + 4 * frame), 100) == ("dts", 4)
    little = bytes(frame[place ^ 1] for place in range(len(frame)))
    assert find_raw_stream(HeadBytes(b"junk" + 4 * little), 100) == ("dts", 4)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_stream(seed: int) -> None:
    noise = np.random.default_rng(seed).bytes(1 << 16)
    assert find_raw_stream(HeadBytes(noise), len(noise)) is None
    assert find_raw_stream(HeadBytes(b"\xff\xf1" * (1 << 15)), 1 << 16) is None


def test_the_end_of_alac_in_caf_is_kept(tmp_path: Path) -> None:
    samples = bursts(2, 44_100)
    path = write(tmp_path / "a.caf", samples, 44_100, subtype="ALAC_16")
    with open_in_process(replace(open_audio(source_of(path)), format=Container("caf", "caf"))) as recording:
        read = np.concatenate(list(recording.blocks()))
    assert recording.problems == []
    np.testing.assert_allclose(read, decoded(path)[0], atol=1e-4)


def test_an_empty_packet_that_ends_opus_is_no_damage(decoders: Decoders, tmp_path: Path) -> None:
    pages = ogg_pages(encoded_av("ogg", "libopus"))
    last = bytearray(pages[-1])
    last[5] &= ~4  # no longer the last page
    number = int.from_bytes(last[18:22], "little") + 1
    empty = bytearray(b"OggS\0\4" + last[6:18] + number.to_bytes(4, "little") + bytes(4) + b"\1\0")
    for page in (last, empty):
        page[22:26] = bytes(4)
        page[22:26] = ogg_crc(page).to_bytes(4, "little")
    (tmp_path / "a.opus").write_bytes(b"".join([*pages[:-1], last, empty]))
    samples, problems, warnings = decoded_by(decoders, tmp_path / "a.opus")
    assert (problems, warnings) == ([], [])
    assert len(samples) / 16_000 == pytest.approx(2, abs=0.02)


def ogg_crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc >> 31 else crc << 1
    return crc


def test_what_the_decoder_of_truehd_says_is_heard() -> None:
    import av

    from cedtag.audio.pyav.damage import Complaints

    complaints = Complaints()
    complaints.listen_to("truehd")
    assert not complaints.are_new()
    av.logging.log(av.logging.ERROR, "truehd", "checksum failed")
    assert complaints.are_new()
    assert not complaints.are_new()
    complaints.close()
    assert av.logging.get_level() is None
