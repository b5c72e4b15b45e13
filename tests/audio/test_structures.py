"""Containers that PyAV reads show by their structure that a recording is cut or damaged, or whole."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.audio.containers.audit import audit
from cedtag.audio.containers.encryption import is_encrypted
from cedtag.audio.containers.file_bytes import FileBytes, HeadBytes
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.identify import identify
from cedtag.audio.containers.matroska import is_encrypted_matroska
from cedtag.audio.containers.span import identify_span
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded, write_av

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("av")

RATE_HZ = 48_000
SOUNDS: dict[str, tuple[str, str, dict[str, str]]] = {  # muxer, codec, its options
    "sound.mka": ("matroska", "flac", {}),
    "sound.aac": ("adts", "aac", {}),
    "sound.ac3": ("ac3", "ac3", {}),
    "sound.eac3": ("eac3", "eac3", {}),
    "sound.wv": ("wv", "wavpack", {}),
    "sound.tta": ("tta", "tta", {}),
    "sound.wma": ("asf", "wmav2", {}),
    "sound.m4a": ("mp4", "aac", {"movflags": "faststart"}),
    "sound.mov": ("mov", "alac", {"movflags": "faststart"}),
}
FILMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "film.mkv": ("matroska", "aac", {}),
    "film_live.webm": ("webm", "libopus", {"live": "1", "cluster_time_limit": "500"}),
    "film.avi": ("avi", "mp2", {}),
    "film.wmv": ("asf", "wmav2", {}),
    "film.flv": ("flv", "aac", {}),
    "film.ts": ("mpegts", "mp2", {}),
    "film.m2ts": ("mpegts", "ac3", {"mpegts_m2ts_mode": "1"}),
    "film.vob": ("vob", "mp2", {}),
    "film.mp4": ("mp4", "aac", {"movflags": "faststart"}),
    "film_fragments.mp4": ("mp4", "aac", {"movflags": "empty_moov+default_base_moof", "frag_duration": "200000"}),
    "film_without_checksums.mkv": ("matroska", "aac", {"write_crc32": "0"}),
}


def dts_frame(rng: np.random.Generator) -> bytes:
    size = int(rng.integers(500, 900))
    return (0x7FFE8001 << 32 | 63 << 25 | 15 << 18 | size - 1 << 4).to_bytes(8, "big") + rng.bytes(size - 8)


def truehd_unit(rng: np.random.Generator, *, is_first: bool) -> bytes:
    """Return an access unit of one substream whose parity is right."""
    sync = b"\xf8ro\xba" + bytes(12) + b"\x10" + bytes(11) if is_first else b""
    size = len(sync) + 6 + 2 * int(rng.integers(100, 200))
    header = (size // 2).to_bytes(2, "big") + bytes(2)
    directory = b"\0" + bytes([(0x0F ^ header[0] ^ header[1] ^ header[1] >> 4) & 15])
    return header + sync + directory + rng.bytes(size - len(sync) - 6)


def amr_frame(rng: np.random.Generator, sizes: dict[int, int]) -> bytes:
    kind = int(rng.choice(list(sizes)))
    return bytes([kind << 3 | 4]) + rng.bytes(sizes[kind] - 1)


def _by_hand(name: str) -> bytes:
    """Return what no encoder at hand writes: the structure is right, and what is in it is noise."""
    rng = np.random.default_rng(0)
    if name == "hand.dts":
        return b"".join(dts_frame(rng) for _ in range(60))
    if name == "hand.thd":
        return b"".join(truehd_unit(rng, is_first=number % 50 == 0) for number in range(200))
    if name == "hand.amr":
        return b"#!AMR\n" + b"".join(amr_frame(rng, {7: 32, 4: 20, 8: 6}) for _ in range(900))
    return b"#!AMR-WB\n" + b"".join(amr_frame(rng, {8: 61, 2: 33, 9: 6}) for _ in range(900))


BY_HAND = ["hand.dts", "hand.thd", "hand.amr", "hand.awb"]
DECODABLE = [name for name in (*SOUNDS, *FILMS) if name != "sound.tta"]  # of which no part can be decoded
EVERY = [*SOUNDS, *FILMS, *BY_HAND]
# Kinds of damage that leave no trace in the structure, at some place at least: inside of samples decoders must find it.
_INSIDE = {"zeroed", "overwritten"}
NO_TRACE = dict.fromkeys(("sound.wv", "sound.tta", "sound.m4a", "sound.mov", "film.mp4", "film_fragments.mp4"), _INSIDE)
DAMAGE: dict[str, Callable[[bytes, int, int], bytes]] = {
    "cut": lambda data, at, _: data[: at | 7],  # not between two packets: see below
    "zeroed": lambda data, at, size: data[:at] + bytes(size) + data[at + size :],
    "overwritten": lambda data, at, size: data[:at] + np.random.default_rng(at).bytes(size) + data[at + size :],
    "left out": lambda data, at, size: data[:at] + data[at + size :],
}


@cache
def written(name: str) -> bytes:
    if name in BY_HAND:
        return _by_hand(name)
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
        sound.codec_context.format, sound.codec_context.bit_rate = sound_format, 128_000
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
        container, span = identify_span(file)
        contents = file.part(span.start, span.stop)
        return None if container is None else audit(contents, container, 3 * RATE_HZ)


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


@pytest.mark.parametrize("name", DECODABLE)
def test_a_recording_that_is_cut_is_partial(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(written(name)[: len(written(name)) * 7 // 10])
    samples, problems, _ = decoded(path)
    assert len(samples) > 0
    assert any("cut off" in problem for problem in problems)


def test_what_decoders_find_inside_of_mp4_samples_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(DAMAGE["zeroed"](written("film.mp4"), len(written("film.mp4")) // 2, 30_000))
    assert decoded(path)[1]


def test_a_lost_fragment_is_a_problem(tmp_path: Path) -> None:
    data = written("film_fragments.mp4")
    starts = [at - 4 for at in range(len(data)) if data.startswith(b"moof", at)]
    findings = inspected(tmp_path / "film.mp4", data[: starts[4]] + data[starts[5] :])
    assert findings is not None
    assert "fragments are missing in 1 places" in findings.problems[0]


def test_fragments_from_the_middle_of_a_stream_are_complete(tmp_path: Path) -> None:
    data = written("film_fragments.mp4")
    starts = [at - 4 for at in range(len(data)) if data.startswith(b"moof", at)]
    assert inspected(tmp_path / "film.mp4", data[: starts[0]] + data[starts[3] :]) == Findings()


@pytest.mark.parametrize("entry", [b"enca", b"drms", b"aavd"])
def test_an_encrypted_mp4_is_refused(tmp_path: Path, entry: bytes) -> None:
    path = tmp_path / "bought.m4a"
    path.write_bytes(written("sound.m4a").replace(b"mp4a", entry, 1))
    with pytest.raises(AudioError, match="encrypted"):
        decoded(path)


def test_a_webm_with_encrypted_sound_is_refused(tmp_path: Path) -> None:
    def element(kind: int, body: bytes) -> bytes:
        return kind.to_bytes(-(-kind.bit_length() // 8), "big") + (1 << 28 | len(body)).to_bytes(4, "big") + body

    encryption = element(0x6D80, element(0x6240, element(0x5035, element(0x47E1, b"\5"))))
    for track_type, said in (b"\2", True), (b"\1", False):
        track = element(0xAE, element(0xD7, b"\1") + element(0x83, track_type) + encryption)
        body = element(0x1A45DFA3, b"") + element(0x18538067, element(0x1654AE6B, track))
        path = tmp_path / "film.webm"
        path.write_bytes(body)
        with path.open("rb") as stream:
            assert is_encrypted_matroska(FileBytes(stream.fileno())) is said


def test_a_wma_with_a_licence_is_refused(tmp_path: Path) -> None:
    licence = UUID("2211b3fb-bd23-11d2-b4b7-00a0c955fc6e").bytes_le + (24).to_bytes(8, "little")
    data = written("sound.wma")
    size = (int.from_bytes(data[16:24], "little") + len(licence)).to_bytes(8, "little")
    path = tmp_path / "bought.wma"
    path.write_bytes(data[:16] + size + data[24:30] + licence + data[30:])
    with pytest.raises(AudioError, match="encrypted"):
        decoded(path)


def test_a_wma_whose_header_has_grown_is_complete(tmp_path: Path) -> None:
    cover = bytes(16) + (5_024).to_bytes(8, "little") + bytes(5_000)
    data = written("sound.wma")
    size = (int.from_bytes(data[16:24], "little") + len(cover)).to_bytes(8, "little")
    assert inspected(tmp_path / "a.wma", data[:16] + size + data[24:30] + cover + data[30:]) == Findings()


def test_an_avi_of_two_riffs_is_walked_to_its_end(tmp_path: Path) -> None:
    data = written("film.avi")
    second = b"AVIXLIST" + (4 + 1_008).to_bytes(4, "little") + b"movi" + b"01wb" + (1_000).to_bytes(4, "little")
    second += bytes(1_000)
    longer = data + b"RIFF" + len(second).to_bytes(4, "little") + second
    assert inspected(tmp_path / "a.avi", longer) == Findings()
    findings = inspected(tmp_path / "a.avi", longer[:-500])
    assert findings is not None
    assert findings.problems == (f"is cut off: {len(longer) - 500} of {len(longer)} bytes are there",)


@pytest.mark.parametrize("name", ["sound.mka", "sound.m4a", "film.avi"])
def test_what_follows_a_file_that_states_its_end_is_a_warning(tmp_path: Path, name: str) -> None:
    findings = inspected(tmp_path / name, written(name) + 5_000 * b"~junk")
    assert findings is not None
    assert findings.problems == ()
    assert "its last 25000 bytes are no" in findings.warnings[0]


def ts_packets(data: bytes, kind: int) -> list[bytes]:
    """Return the packets of a stream; 0x100 is the picture and 0x101 the sound where FFmpeg is the writer."""
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    return [packet for packet in packets if int.from_bytes(packet[1:3], "big") & 0x1FFF == kind]


def test_a_lost_ts_packet_of_sound_is_a_problem_and_one_of_the_picture_is_none(tmp_path: Path) -> None:
    data = written("film.ts")
    for stream, problems in (0x101, ("packets of sound are missing in 1 places, first after",)), (0x100, ()):
        lost = ts_packets(data, stream)[40]
        findings = inspected(tmp_path / "film.ts", data.replace(lost, b"", 1))
        assert findings is not None
        assert len(findings.problems) == len(problems)
        assert all(said.startswith(start) for said, start in zip(findings.problems, problems, strict=True))


def test_joined_transport_streams_are_complete(tmp_path: Path) -> None:
    assert inspected(tmp_path / "film.ts", 2 * written("film.ts")) == Findings()


def test_a_ts_packet_that_came_twice_is_no_loss(tmp_path: Path) -> None:
    data = written("film.ts")
    packet = ts_packets(data, 0x101)[40]
    assert inspected(tmp_path / "film.ts", data.replace(packet, packet * 2, 1)) == Findings()


def test_received_errors_are_a_problem(tmp_path: Path) -> None:
    data = written("film.ts")
    packet = ts_packets(data, 0x101)[40]
    findings = inspected(tmp_path / "film.ts", data.replace(packet, b"G" + bytes([packet[1] | 0x80]) + packet[2:], 1))
    assert findings == Findings(("packets of sound that were received with errors: 1",))


def test_a_scrambled_transport_stream_is_refused(tmp_path: Path) -> None:
    data = bytearray(written("film.ts"))
    for at in range(0, len(data), 188):
        if data[at + 1] & 0x1F == 1 and data[at + 2] == 1:
            data[at + 3] |= 0x80
    path = tmp_path / "film.ts"
    path.write_bytes(data)
    with pytest.raises(AudioError, match="encrypted"):
        decoded(path)


@pytest.mark.parametrize("name", ["sound.ac3", "sound.aac", "hand.dts"])
def test_a_stream_from_its_middle_is_complete_and_its_first_bytes_are_named(tmp_path: Path, name: str) -> None:
    data = written(name)
    (tmp_path / name).write_bytes(data)
    with (tmp_path / name).open("rb") as stream:
        container = identify(FileBytes(stream.fileno()))
    assert container is not None
    (tmp_path / name).write_bytes(data[50:])
    with (tmp_path / name).open("rb") as stream:
        findings = audit(FileBytes(stream.fileno()), container, RATE_HZ)
    assert findings.problems == ()
    assert len(findings.warnings) == 1
    assert "its first" in findings.warnings[0]


def test_a_lost_wavpack_block_is_a_problem(tmp_path: Path) -> None:
    blocks = written("sound.wv").split(b"wvpk")
    findings = inspected(tmp_path / "a.wv", b"wvpk".join(blocks[:3] + blocks[4:]))
    assert findings is not None
    assert "samples that are missing between its blocks" in findings.problems[0]


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), num_bytes=st.integers(1, 200), cut=st.floats(0, 1))
def test_no_damage_confuses_the_walk(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int, num_bytes: int, cut: float
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(written(name))
    container = identify(HeadBytes(bytes(data[:8192])))
    assert container is not None
    for at in np.concatenate([rng.integers(0, len(data), num_bytes), rng.integers(0, 2_000, 20)]):
        data[at] = rng.integers(256)
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data[: int(cut * len(data))])
    with path.open("rb") as stream:
        audit(FileBytes(stream.fileno()), container, RATE_HZ)
        is_encrypted(FileBytes(stream.fileno()), container)
