"""MPEG audio is read as its frames are, whatever a tag, a container or a decoder's guess says of them."""

from __future__ import annotations

import struct
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest
import soundfile

from cedtag.audio.quiet import _c_stderr
from tests.bad_audio import chunk, encoded, flipped, id3, mp3_frames, patched, wav_of
from tests.sounds import decoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.audio.mono import Samples

RATE_HZ = 44_100
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0xA0000000) + bytes(40)
ID3V1 = b"TAG".ljust(128, b"x")


@cache
def bare(level: float = 0.5, seconds: float = 2, channels: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    """Return MP3 frames of one bit rate, the lower the higher the `level`, without the frame of the tag."""
    options = {"bitrate_mode": "CONSTANT", "compression_level": level}
    return b"".join(mp3_frames(encoded("mp3", seconds, channels, rate_hz, **options))[1:])


@cache
def varying() -> bytes:
    """Return frames that begin with a high bit rate: a guess from the first ones is far too short."""
    return bare(0.0) + 3 * bare(0.95)


def seconds_of(frames: bytes, frame_s: float = 1152 / RATE_HZ) -> float:
    return len(mp3_frames(frames)) * frame_s


def silent_frames(head: bytes, num_bytes: int, count: int) -> bytes:
    return head.ljust(num_bytes, b"\0") * count


def read(tmp_path: Path, data: bytes, name: str = "a.mp3") -> tuple[Samples, list[str], list[str]]:
    path = tmp_path / name
    path.write_bytes(data)
    return decoded(path)


def assert_whole(tmp_path: Path, data: bytes, seconds: float, name: str = "a.mp3") -> None:
    samples, problems, warnings = read(tmp_path, data, name)
    assert len(samples) / 16_000 == pytest.approx(seconds, abs=0.001)
    assert (problems, warnings) == ([], [])


def in_wav(frames: bytes, code: int = 0x55) -> bytes:
    form = struct.pack("<HHIIHHHHIHHH", code, 1, RATE_HZ, 16_000, 1, 0, 12, 1, 2, 417, 1, 1393)
    return wav_of(chunk(b"fmt ", form), chunk(b"fact", bytes(4)), chunk(b"data", frames), chunk(b"LIST", b"INFO"))


def in_extensible_wav(frames: bytes) -> bytes:
    guid = bytes.fromhex("5500000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE_HZ, 16_000, 1, 0, 22, 0, 4) + guid
    return wav_of(chunk(b"fmt ", form), chunk(b"data", frames))


def in_w64(frames: bytes) -> bytes:
    def w64_chunk(kind: bytes, rest: str, body: bytes) -> bytes:
        whole = kind + bytes.fromhex(rest) + struct.pack("<Q", 24 + len(body)) + body
        return whole + bytes(-len(whole) % 8)

    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE_HZ, 16_000, 1, 0, 12, 1, 2, 417, 1, 1393)
    kin = "f3acd3118cd100c04f8edb8a"
    body = bytes.fromhex("f3acd3118cd100c04f8edb8a") + w64_chunk(b"fmt ", kin, form) + w64_chunk(b"data", kin, frames)
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return head + struct.pack("<Q", 24 + 4 + len(body)) + b"wave" + body


def in_aiff(frames: bytes) -> bytes:
    def big(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack(">I", len(body)) + body + bytes(len(body) % 2)

    rate = struct.pack(">HQ", 16_398, RATE_HZ << 48)
    common = struct.pack(">HIH", 1, 100, 16) + rate + b".mp3" + b"\0\0"
    body = b"AIFC" + big(b"COMM", common) + big(b"SSND", bytes(8) + frames)
    return b"FORM" + struct.pack(">I", len(body)) + body


def in_caf(frames: bytes) -> bytes:
    desc = struct.pack(">d4sIIIII", RATE_HZ, b".mp3", 0, 0, 1152, 1, 0)
    return (
        b"caff\0\1\0\0desc" + struct.pack(">Q", len(desc)) + desc
        + b"data" + struct.pack(">QI", 4 + len(frames), 0) + frames
    )  # fmt: skip


@pytest.mark.parametrize("put_in", [in_wav, in_extensible_wav, in_w64, in_aiff, in_caf])
def test_mp3_inside_another_container_is_read_to_its_last_frame(
    tmp_path: Path, put_in: Callable[[bytes], bytes]
) -> None:
    name = put_in.__name__.replace("in_", "a.")
    assert_whole(tmp_path, put_in(varying()), seconds_of(varying()), name)
    assert_whole(tmp_path, put_in(bare(0.5)), seconds_of(bare(0.5)), name)


def test_mp3_inside_a_wav_that_was_cut_is_partial(tmp_path: Path) -> None:
    frames = mp3_frames(bare())
    whole = in_wav(b"".join(frames))
    cut = whole[: whole.index(b"data") + 8 + sum(map(len, frames[:30]))]  # between two frames
    samples, problems, _ = read(tmp_path, cut, "a.wav")
    assert len(samples) / 16_000 == pytest.approx(30 * 1152 / RATE_HZ, abs=0.001)
    assert "bytes of audio are there" in problems[0]


def test_layer_1_and_2_with_a_varying_bit_rate_are_read_to_the_end(tmp_path: Path) -> None:
    layer_2 = silent_frames(b"\xff\xfd\xe0\0", 1253, 1) + silent_frames(b"\xff\xfd\x40\0", 208, 60)
    assert_whole(tmp_path, layer_2, 61 * 1152 / 44_100, "a.mp2")
    assert_whole(tmp_path, in_wav(layer_2, 0x50), 61 * 1152 / 44_100, "a.wav")
    layer_1 = silent_frames(b"\xff\xff\xe0\0", 484, 1) + silent_frames(b"\xff\xff\x20\0", 68, 200)
    assert_whole(tmp_path, layer_1, 201 * 384 / 44_100, "a.mp1")


def vbri(frames: bytes) -> bytes:
    """Return a frame with the tag of Fraunhofer's encoders, which libsndfile takes for sound."""
    tag = b"VBRI" + struct.pack(">HHHIIHHHH", 1, 0x700, 75, len(frames), len(mp3_frames(frames)), 1, 1, 2, 1)
    return (b"\xff\xfb\x90\xc4" + bytes(32) + tag).ljust(417, b"\0")


def test_a_vbri_tag_is_no_sound_and_does_not_shorten_the_recording(tmp_path: Path) -> None:
    assert_whole(tmp_path, vbri(varying()) + varying(), seconds_of(varying()))


def test_frames_that_a_vbri_tag_promises_and_that_are_not_there_are_a_problem(tmp_path: Path) -> None:
    frames = mp3_frames(varying())
    _, problems, _ = read(tmp_path, vbri(varying()) + b"".join(frames[:100]))
    assert problems == [f"is cut off or damaged: 100 of {len(frames)} MPEG frames are there"]


def test_a_tag_without_a_number_of_frames_does_not_shorten_the_recording(tmp_path: Path) -> None:
    head, *frames = mp3_frames(encoded("mp3", 8, 1, RATE_HZ, bitrate_mode="VARIABLE", compression_level=0.5))
    whole, _, _ = read(tmp_path, head + b"".join(frames))
    at = max(head.find(b"Xing"), head.find(b"Info"))
    for tag in (patched(head, at + 8, bytes(4)), patched(head, at + 7, b"\0")):
        samples, problems, _ = read(tmp_path, tag + b"".join(frames))
        assert len(samples) >= len(whole)
        assert problems == []


@pytest.mark.parametrize("counted", [-1, 0, 1])
def test_a_tag_may_count_its_own_frame(tmp_path: Path, counted: int) -> None:
    head, *frames = mp3_frames(encoded("mp3"))
    at = max(head.find(b"Xing"), head.find(b"Info")) + 8
    tag = patched(head, at, struct.pack(">I", len(frames) + counted))
    samples, problems, _ = read(tmp_path, tag + b"".join(frames))
    assert len(samples) / 16_000 >= 2
    assert problems == []


@pytest.mark.parametrize(
    "others", [(1, 22_050), (2, 44_100), (2, 48_000)], ids=["mpeg-2", "stereo", "stereo and another rate"]
)
def test_streams_of_different_formats_that_were_joined_are_read_to_the_end(
    tmp_path: Path, others: tuple[int, int]
) -> None:
    channels, rate_hz = others
    other = bare(0.5, 2, channels, rate_hz)
    frame_s = (1152 if rate_hz > 32_000 else 576) / rate_hz
    joined = bare() + ID3V1 + id3(100) + other + APE + bare()
    assert_whole(tmp_path, joined, 2 * seconds_of(bare()) + seconds_of(other, frame_s))


def test_a_tag_inside_a_joined_stream_is_a_frame_of_silence(tmp_path: Path) -> None:
    second = encoded("mp3", 2, 2, RATE_HZ)
    samples, problems, _ = read(tmp_path, bare() + second)
    assert len(samples) / 16_000 == pytest.approx(seconds_of(bare()) + seconds_of(second), abs=0.001)
    assert problems == []


def test_mp3_and_mp2_that_were_joined_are_read_to_the_end(tmp_path: Path) -> None:
    layer_2 = silent_frames(b"\xff\xfd\x80\0", 417, 50)
    assert_whole(tmp_path, bare() + layer_2 + bare(), 2 * seconds_of(bare()) + 50 * 1152 / RATE_HZ)


def test_a_damaged_header_costs_its_frame_alone(tmp_path: Path) -> None:
    frames = mp3_frames(bare())
    for at, bit in ((1, 0x08), (1, 0x02), (2, 0x40), (2, 0x04), (3, 0xC0)):  # version, layer, bit rate, rate, mode
        damaged = bytearray(frames[20])
        damaged[at] ^= bit
        samples, problems, _ = read(tmp_path, b"".join([*frames[:20], bytes(damaged), *frames[21:]]))
        assert len(samples) / 16_000 > (len(frames) - 3) * 1152 / RATE_HZ
        assert "places between its MPEG frames are no audio, the first at 0.5 s" in problems[0]


@pytest.mark.skipif(_c_stderr() is None, reason="this C library cannot be silenced")
def test_the_decoder_prints_nothing_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("one frame", "flipped bits", "the size in the tag is wrong")):
        data = {
            "one frame": mp3_frames(encoded("mp3"))[4],
            "flipped bits": flipped(bare(seconds=6), 0.1, 1, 400),
            "the size in the tag is wrong": encoded("mp3", 6) + bytes(100_000),
        }[name]
        path = tmp_path / f"{number}.mp3"
        path.write_bytes(data)
        if number:
            soundfile.read(path)
            assert "mpg123" in (said := capfd.readouterr().err) or "Warning" in said, "else it proves nothing"
        decoded(path)
        sys.stderr.write("our own words\n")
        assert capfd.readouterr().err == "our own words\n"


def padded(frames: bytes, num_bytes: int) -> bytes:
    return frames + bytes(num_bytes)


def test_a_few_zeros_at_the_end_are_harmless_and_many_may_be_sound_that_was_never_written(tmp_path: Path) -> None:
    assert_whole(tmp_path, padded(bare(), 4_096), seconds_of(bare()))
    _, problems, _ = read(tmp_path, padded(bare(), 4_097))
    assert problems == ["its last 4097 bytes are zeros, where sound may be missing"]
    tagged = encoded("mp3", 2, 1, RATE_HZ)  # its tag says that nothing is missing
    assert read(tmp_path, padded(tagged, 100_000))[1:] == ([], [])


@pytest.mark.parametrize("kind", ["a.mp3", "a.wav"])
def test_zeros_in_the_place_of_the_second_half_are_a_problem(tmp_path: Path, kind: str) -> None:
    frames = bare(seconds=4)
    half = frames[: len(frames) // 2].ljust(len(frames), b"\0")
    samples, problems, _ = read(tmp_path, in_wav(half) if kind == "a.wav" else half, kind)
    assert len(samples) / 16_000 == pytest.approx(2, abs=0.1)
    assert any("are zeros, where sound may be missing" in problem for problem in problems)


def test_a_hole_of_zeros_is_a_problem_that_says_where(tmp_path: Path) -> None:
    frames = bare(seconds=6)
    third = len(frames) // 3
    _, problems, _ = read(tmp_path, frames[:third] + bytes(third) + frames[2 * third :])
    assert "are no audio, the first at 2.0 s" in problems[0]


TRAILERS = {
    "ID3v1": ID3V1,
    "enhanced ID3v1": b"TAG+".ljust(227, b"\0") + ID3V1,
    "APEv1": b"\4\0\0\0\0\0\0\0Title\0test" + b"APETAGEX" + struct.pack("<IIII", 1000, 50, 1, 0) + bytes(8),
    "APEv2 and ID3v1": APE + ID3V1,
    "APEv2, lyrics and ID3v1": APE + b"LYRICSBEGIN" + b"x" * 50 + b"000061LYRICS200" + ID3V1,
    "lyrics of version 1": b"LYRICSBEGINla la laLYRICSEND" + ID3V1,
    "ID3v1 and APEv2": ID3V1 + APE,
    "ID3v2.4 with a footer": id3(100).replace(b"ID3\4\0\0", b"ID3\4\0\x10") + b"3DI\4\0\x10" + bytes([0, 0, 0, 100]),
    "a cue sheet": b'REM GENRE Field\r\nFILE "a.mp3" MP3\r\n  TRACK 01 AUDIO\r\n    INDEX 01 00:00:00\r\n' * 9,
    "a picture": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 40,
    "chunks of RIFF": b"LIST\x10\0\0\0INFOISFT\4\0\0\0abc\0",
    "zeros and a tag": bytes(2_000) + ID3V1,
}


@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS)
def test_a_whole_recording_is_whole_whatever_taggers_wrote_behind_it(tmp_path: Path, trailer: bytes) -> None:
    samples, problems, _ = read(tmp_path, bare() + trailer)
    assert len(samples) / 16_000 == pytest.approx(seconds_of(bare()), abs=0.001)
    assert problems == []


def test_something_unknown_behind_frames_without_a_tag_may_be_damaged_sound(tmp_path: Path) -> None:
    frames = mp3_frames(bare())
    damaged = b"\xfe" + frames[-1][1:]
    assert "after the audio are something else" in read(tmp_path, b"".join([*frames[:-1], damaged]))[1][0]
    head, *rest = mp3_frames(encoded("mp3", 2, 1, RATE_HZ))
    _, problems, _ = read(tmp_path, head + b"".join([*rest[:-1], b"\xfe" + rest[-1][1:]]))
    assert problems


# The first bytes of frames with a checksum, as twolame and LAME write them; the rest is not checked.
CHECKED = {
    "layer II, mono": ("fffc10c43747336d1228aa38f454452513545b328565f863425a398bb2caddba1491a2e5c41d162ecbe25a69", 104),
    "layer II, joint": (
        "fffc844405ce443333444332322491291200000aaaafaaafaaaaaaa5aa35034d40d4104924d34d3592592514",
        384,
    ),
    "layer II, stereo": (
        "fffca004f38b33333344332232223322224922522524892492495500000aa0aaaaaaaaaaaa5faaaaaaaa38e3",
        626,
    ),
    "layer II, MPEG-2": (
        "fff4444457465533331124924000000000155555415f461879e8a29249a6a28b26b2c9aca28ca8ca8a284044",
        192,
    ),
    "layer II, 32 kHz": (
        "fffc48c477913334322222128925024905aa6aaaaaaaaa3504925135144d45155545165965575965965aab0d",
        288,
    ),
    "layer III": ("fffa9064f1" + "00" * 39, 417),
}


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x8005 if crc >> 15 else 0)) & 0xFFFF
    return crc


def checked_frame(kind: str) -> bytes:
    head, num_bytes = CHECKED[kind]
    frame = bytes.fromhex(head).ljust(num_bytes, b"\0")
    return frame if kind != "layer III" else patched(frame, 4, struct.pack(">H", crc16(frame[2:4] + frame[6:38])))


@pytest.mark.parametrize("kind", CHECKED)
def test_a_wrong_checksum_is_damage(tmp_path: Path, kind: str) -> None:
    frame = checked_frame(kind)
    assert read(tmp_path, frame * 60)[1] == []
    for at, bit in ((4, 0x10), (7, 0x02), (1, 0x01)):  # the checksum, what it is for, and that there is one
        damaged = patched(frame, at, bytes([frame[at] ^ bit]))
        _, problems, _ = read(tmp_path, frame * 20 + damaged + frame * 39)
        assert problems[0].startswith("MPEG frames that are damaged, by their checksums: 1 of ")


def test_an_encoder_that_computes_no_checksums_is_no_damage(tmp_path: Path) -> None:
    frame = patched(checked_frame("layer III"), 4, b"\0\0")
    _, problems, warnings = read(tmp_path, frame * 60)
    assert problems == []
    assert "are wrong throughout" in warnings[0]
