"""Which decoder reads a container follows from the codec inside it: none gives noise, or is blamed on the file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.audio import Decoders
from cedtag.audio.audio_file import open_audio
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.mp4 import inspect_mp4
from tests.sounds import bursts, decoded, decoded_by, source_of, write, write_av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cedtag.audio.mono import Samples
    from tests.conftest import Finished

pytest.importorskip("av")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


def wavy(rate_hz: int, seconds: float = 1.0) -> Samples:
    """A sound with a beginning and an end that every codec keeps, `(n, 1)`."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    swell = np.sin(np.pi * t / seconds) ** 2
    return (0.5 * swell * np.sin(2 * np.pi * (300 + 400 * t) * t)).astype(np.float32)[:, None]


def likeness(one: Samples, other: Samples) -> float:
    """The highest correlation of two signals, whatever the delay of a codec."""
    num_values = 1 << (len(one) + len(other)).bit_length()
    spectrum = np.fft.rfft(one, num_values) * np.conj(np.fft.rfft(other, num_values))
    return float(np.fft.irfft(spectrum, num_values).max() / np.sqrt((one @ one) * (other @ other)))


# Name of the file, codec, sampling rate.
WRITTEN_BY_FFMPEG = [
    ("ac3.wav", "ac3", 48_000),
    ("g722.wav", "g722", 16_000),
    ("yamaha.wav", "adpcm_yamaha", 44_100),
    ("wma.wav", "wmav2", 44_100),
    ("flac.wav", "flac", 44_100),
    ("g726.wav", "g726", 8_000),
    ("ac3.w64", "ac3", 48_000),
    ("alac.caf", "alac", 44_100),
    ("opus.caf", "libopus", 48_000),
    ("ima.caf", "adpcm_ima_qt", 44_100),
    ("ima.aiff", "adpcm_ima_qt", 44_100),
    ("g722.au", "g722", 16_000),
    ("s8.sf", "pcm_s8", 16_000),
    ("s24.sf", "pcm_s24le", 16_000),
    ("blocks.voc", "pcm_s16le", 44_100),
    ("loas.latm", "aac", 44_100),
    ("sound.nut", "libmp3lame", 44_100),
    ("ac3.rm", "ac3", 44_100),
    ("adx.adx", "adpcm_adx", 44_100),
]


@pytest.mark.parametrize(("name", "codec", "rate_hz"), WRITTEN_BY_FFMPEG)
def test_what_libsndfile_does_not_decode_goes_to_ffmpeg(
    tmp_path: Path, decoders: Decoders, name: str, codec: str, rate_hz: int
) -> None:
    import av

    try:
        write_av(tmp_path / name, wavy(rate_hz), rate_hz, codec, format={"sf": "ircam"}.get(name.split(".")[1]))
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this PyAV does not write it: {error}")
    file = open_audio(source_of(tmp_path / name))
    file.close()
    assert file.needs_pyav
    samples, problems, _ = decoded_by(decoders, tmp_path / name)
    assert problems == []
    assert likeness(samples, wavy(16_000)[:, 0]) > 0.95
    assert abs(len(samples) - 16_000) < 3_200


@pytest.mark.parametrize(
    "name", ["WAV", "W64", "RF64", "AIFF", "AU", "CAF", "SVX", "VOC", "NIST", "IRCAM", "WVE", "AVR", "PVF"]
)
def test_what_libsndfile_writes_it_reads_itself(tmp_path: Path, name: str) -> None:
    from_other_codecs = {("AIFF", "IMA_ADPCM"), ("CAF", "ALAC_20"), ("CAF", "ALAC_32")}
    for subtype in soundfile.available_subtypes(name):
        try:
            path = write(tmp_path / "a", wavy(8_000), 8_000, format=name, subtype=subtype)
        except soundfile.LibsndfileError:  # DWVW cannot be written in pieces
            continue
        file = open_audio(source_of(path))
        file.close()
        assert file.needs_pyav == ((name, subtype) in from_other_codecs), subtype


@pytest.mark.parametrize(("subtype", "step"), [("ALAC_16", 2**-15), ("ALAC_24", 2**-23), ("ALAC_32", 2**-31)])
def test_alac_in_caf_is_whole_and_never_noise(tmp_path: Path, decoders: Decoders, subtype: str, step: float) -> None:
    loud = np.clip(0.6 * np.random.default_rng(0).standard_normal(20_000), -1, 1)
    path = write(tmp_path / "a.caf", loud, 16_000, subtype=subtype)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples, loud, atol=step + 1e-7)


class Bits:
    """Bits in a row, the first the highest of a byte."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, number: int, length: int) -> None:
        self.text += format(number & (1 << length) - 1, f"0{length}b")

    def to_bytes(self) -> bytes:
        padded = self.text + "0" * (-len(self.text) % 8)
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def crc(data: bytes, polynomial: int, bits: int) -> int:
    value = 0
    for byte in data:
        value ^= byte << bits - 8
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> bits - 1 & 1 else 0)
        value &= (1 << bits) - 1
    return value


def flac_of(bits: int, integers: list[int], block: int = 400) -> bytes:
    """A mono FLAC file at 16 kHz whose frames hold the integers as they are."""
    info = Bits()
    for number, length in ((block, 16), (block, 16), (0, 48), (16_000, 20), (0, 3), (bits - 1, 5), (len(integers), 36)):
        info.add(number, length)
    frames = b""
    for number, start in enumerate(range(0, len(integers), block)):
        header = Bits()
        for value, length in ((0x3FFE, 14), (0, 2), (7, 4), (5, 4), (0, 4), (0, 4), (number, 8), (block - 1, 16)):
            header.add(value, length)
        head = header.to_bytes()
        body = Bits()
        body.add(2, 8)  # verbatim
        for value in integers[start : start + block]:
            body.add(value, bits)
        frame = head + bytes([crc(head, 7, 8)]) + body.to_bytes()
        frames += frame + crc(frame, 0x8005, 16).to_bytes(2, "big")
    return b"fLaC\x80\0\0\x22" + info.to_bytes() + bytes(16) + frames


@pytest.mark.parametrize("bits", [4, 8, 12, 15, 16, 20, 24, 32])
def test_flac_of_any_depth_is_read(tmp_path: Path, decoders: Decoders, bits: int) -> None:
    full_scale = 1 << bits - 1
    integers = np.random.default_rng(0).integers(-full_scale, full_scale, 2_000).tolist()
    (tmp_path / "a.flac").write_bytes(flac_of(bits, integers))
    samples, problems, warnings = decoded_by(decoders, tmp_path / "a.flac")
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples, np.array(integers) / full_scale, atol=1e-7)


def wav(fmt: bytes, data: bytes, order: str = "<") -> bytes:
    magic = b"RIFX" if order == ">" else b"RIFF"
    chunks = b"".join(
        kind + struct.pack(f"{order}I", len(body)) + body for kind, body in ((b"fmt ", fmt), (b"data", data))
    )
    return magic + struct.pack(f"{order}I", 4 + len(chunks)) + b"WAVE" + chunks


def extensible(order: str, code: int, bits: int, rate_hz: int = 16_000) -> bytes:
    num_bytes = bits // 8
    head = struct.pack(f"{order}HHIIHH", 0xFFFE, 1, rate_hz, rate_hz * num_bytes, num_bytes, bits)
    guid = bytes.fromhex("00001000800000aa00389b71") if order == ">" else bytes.fromhex("000000001000800000aa00389b71")
    code_bytes = code.to_bytes(4, "big") if order == ">" else code.to_bytes(2, "little")
    return head + struct.pack(f"{order}HHI", 22, bits, 4) + code_bytes + guid


@pytest.mark.parametrize(("code", "bits"), [(1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
def test_big_endian_wav_with_an_extensible_format_is_read(tmp_path: Path, code: int, bits: int) -> None:
    integers = np.rint(wavy(16_000)[:, 0].astype(np.float64) * (2 ** (bits - 1) - 1))
    if code == 3:
        data = wavy(16_000)[:, 0].astype(f">f{bits // 8}").tobytes()
    else:
        data = b"".join(int(value).to_bytes(bits // 8, "big", signed=True) for value in integers)
    proper = extensible(">", code, bits)
    of_sox = proper.replace(code.to_bytes(4, "big") + b"\0\0\x10\0", code.to_bytes(2, "big") + bytes(4) + b"\x10\0")
    for fmt in (of_sox, proper):
        (tmp_path / "a.wav").write_bytes(wav(fmt, data, ">"))
        samples, problems, warnings = decoded(tmp_path / "a.wav")
        assert (problems, warnings) == ([], [])
        np.testing.assert_allclose(samples, wavy(16_000)[:, 0], atol=2**-14)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-1_000])
    assert "is cut off" in decoded(tmp_path / "cut.wav")[1][0]


def test_float_in_w64_with_an_extensible_format_is_no_noise(tmp_path: Path, decoders: Decoders) -> None:
    rest = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    chunks = b"".join(
        kind + rest + (24 + len(body)).to_bytes(8, "little") + body
        for kind, body in ((b"fmt ", extensible("<", 3, 32)), (b"data", wavy(16_000).astype("<f4").tobytes()))
    )
    magic = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    (tmp_path / "a.w64").write_bytes(magic + (40 + len(chunks)).to_bytes(8, "little") + b"wave" + rest + chunks)
    samples, problems, _ = decoded_by(decoders, tmp_path / "a.w64")
    assert problems == []
    np.testing.assert_array_equal(samples, wavy(16_000)[:, 0])


def test_a_coded_signal_that_is_declared_to_be_pcm_is_decoded(tmp_path: Path, decoders: Decoders) -> None:
    write_av(tmp_path / "a.spdif", np.tile(wavy(48_000), 2), 48_000, "ac3", format="spdif")
    fmt = struct.pack("<HHIIHH", 1, 2, 48_000, 48_000 * 4, 4, 16)
    (tmp_path / "a.wav").write_bytes(wav(fmt, (tmp_path / "a.spdif").read_bytes()))
    samples, problems, _ = decoded_by(decoders, tmp_path / "a.wav")
    assert problems == []
    assert likeness(samples, wavy(16_000)[:, 0]) > 0.95


def dsd(bits_first: str) -> bytes:
    """A second of one bit at 2.8 MHz, eight blocks of 4,096 bytes and more; `bits_first` is "big" or "little"."""
    rate_hz = 2_822_400
    sound = np.repeat(wavy(44_100)[:, 0], rate_hz // 44_100)
    # What is carried over a step decides its bit: the first differences of the rounded sum.
    sums = np.floor(np.cumsum((sound.astype(np.float64) + 1) / 2))
    bits = np.diff(sums, prepend=0).astype(np.uint8)
    packed = np.packbits(bits, bitorder="big" if bits_first == "big" else "little").tobytes()
    return packed[: len(packed) - len(packed) % 4096]


def dff() -> bytes:
    data = dsd("big")
    rate = b"FS  " + (4).to_bytes(8, "big") + (2_822_400).to_bytes(4, "big")
    channels = b"CHNL" + (6).to_bytes(8, "big") + b"\0\1C   "
    coding = b"CMPR" + (20).to_bytes(8, "big") + b"DSD \x0enot compressed\0"
    prop = b"SND " + rate + channels + coding
    body = b"DSD " + b"FVER" + (4).to_bytes(8, "big") + b"\1\5\0\0" + b"PROP" + len(prop).to_bytes(8, "big") + prop
    body += b"DSD " + len(data).to_bytes(8, "big") + data
    return b"FRM8" + len(body).to_bytes(8, "big") + body


def dsf() -> bytes:
    data = dsd("little")
    fmt = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, 2_822_400, 1, len(data) * 8, 4096, 0)
    body = fmt + struct.pack("<4sQ", b"data", 12 + len(data)) + data
    return struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(body), 0) + body


@pytest.mark.parametrize(("suffix", "make"), [("dff", dff), ("dsf", dsf)])
def test_dsd_is_read(tmp_path: Path, decoders: Decoders, suffix: str, make: Callable[[], bytes]) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(make())
    samples, problems, _ = decoded_by(decoders, tmp_path / f"a.{suffix}")
    assert problems == []
    assert likeness(samples, wavy(16_000)[:, 0]) > 0.95


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"OFR \0\0", "is OptimFROG audio, which cedtag cannot decode; convert it with: ofr --decode FILE"),
        (b"\xc0\xde\xc2\0\0", "is Codec 2 speech, which cedtag cannot decode"),
        (wav(struct.pack("<HHIIHH", 0x2048, 1, 8_000, 1, 1, 16), b"\1" * 99), "holds Sonic in WAV, which cedtag"),
        (wav(extensible("<", 0x566F, 16), b"\1" * 99), "holds Vorbis in WAV, which cedtag cannot decode"),
        (
            b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n".ljust(1024),
            "holds NIST SPHERE audio in shorten coding, which cedtag cannot decode; convert it with: sph2pipe",
        ),
    ],
)
def test_what_nothing_decodes_is_named_with_what_does(
    tmp_path: Path, cedtag: Callable[..., Finished], data: bytes, what: str
) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    finished = cedtag(tmp_path / "a.wav")
    assert finished.code == 3
    assert f"a.wav: {what}" in finished.stderr


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"\x64\xa3\x02\x00".ljust(12, b"\0") + (0x10001).to_bytes(4, "big"), Container("ircam")),
        (b"\x64\xa3\x01\x00".ljust(12, b"\0") + (0x2).to_bytes(4, "little"), Container("ircam")),
        (b"\x64\xa3\x03\x00".ljust(12, b"\0") + (0x8).to_bytes(4, "little"), Container("ircam", "ircam")),
        (b"\x00\x04\xa3\x64".ljust(12, b"\0") + (0x3).to_bytes(4, "little"), Container("ircam", "ircam")),
        (b"FORM\0\0\0\x40" + b"8SVXVHDR\0\0\0\x14".ljust(27, b"\0") + b"\1", Container("8svx", "iff")),
        (b"RIFF\0\0\0\0QLCM", Container("qcp", "qcp")),
        (b".ra\xfd\0\3", Container("realmedia", "rm")),
        (b"ajkg\2", Container("shorten", "shn")),
        (b"\xfe\x7f\x01\x80", Container("dts", "dts")),
        (b"\xff\x1f\x00\xe8", Container("dts", "dts")),
    ],
)
def test_the_decoder_follows_from_the_first_bytes(tmp_path: Path, data: bytes, container: Container) -> None:
    (tmp_path / "a").write_bytes(data.ljust(200, b"\0"))
    file = open_audio(source_of(tmp_path / "a"))
    file.close()
    assert file.format == container


@pytest.mark.parametrize("order", ["01", "10"])
@pytest.mark.parametrize("num_bytes", [3, 4])
def test_nist_sphere_of_24_and_32_bits_is_read_as_sox_writes_it(
    tmp_path: Path, decoders: Decoders, num_bytes: int, order: str
) -> None:
    sound = wavy(16_000)[:, 0]
    numbers = np.round(sound.astype(np.float64) * (1 << 8 * num_bytes - 1)).astype(np.int64)
    stored = numbers.astype(">i8").tobytes() if order == "10" else numbers.astype("<i8").tobytes()
    begin = 8 - num_bytes if order == "10" else 0
    data = b"".join(stored[at + begin : at + begin + num_bytes] for at in range(0, len(stored), 8))
    fields = f"sample_count -i {len(sound)}\nsample_n_bytes -i {num_bytes}\nchannel_count -i 1\n"
    fields += f"sample_byte_format -s2 {order}\nsample_rate -i 16000\nsample_coding -s3 pcm\nend_head\n"
    path = tmp_path / "a.sph"
    path.write_bytes(f"NIST_1A\n   1024\n{fields}".encode().ljust(1024, b"\0") + data)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples, sound, atol=1e-6)


def test_channels_that_8svx_stores_one_after_the_other_are_mixed(tmp_path: Path, decoders: Decoders) -> None:
    left = np.round(127 * wavy(16_000)[:, 0]).astype(np.int8)
    right = np.round(60 * wavy(16_000)[::-1, 0]).astype(np.int8)
    header = struct.pack(">III", len(left), 0, 0) + struct.pack(">HBBI", 16_000, 1, 0, 1 << 16)
    parts = ((b"VHDR", header), (b"CHAN", struct.pack(">I", 6)), (b"BODY", left.tobytes() + right.tobytes()))
    form = b"8SVX" + b"".join(kind + struct.pack(">I", len(body)) + body for kind, body in parts)
    path = tmp_path / "a.8svx"
    path.write_bytes(b"FORM" + struct.pack(">I", len(form)) + form)
    samples, problems, _ = decoded_by(decoders, path)
    assert problems == []
    np.testing.assert_allclose(samples, (left / 256 + right / 256), atol=1e-6)


@pytest.mark.parametrize("name", ["a.wma", "a.wav", "a.mka"])
@pytest.mark.parametrize("codec", ["wmav1", "wmav2"])
def test_the_first_sound_of_wma_is_read_and_at_its_time(
    tmp_path: Path, decoders: Decoders, name: str, codec: str
) -> None:
    sound = bursts(1, 16_000)
    sound[:400] = 0.5 * np.sin(np.arange(400))[:, None]
    write_av(tmp_path / name, sound, 16_000, codec)
    samples, problems, _ = decoded_by(decoders, tmp_path / name)
    assert problems == []
    assert np.corrcoef(samples[:400], sound[:400, 0])[0, 1] > 0.9


def box(kind: bytes, *contents: bytes) -> bytes:
    body = b"".join(contents)
    return struct.pack(">I", 8 + len(body)) + kind + body


def quicktime_adpcm(packets: int, of_the_file: int) -> bytes:
    """A MOV with so many packets of MS ADPCM, of which the last are missing; its tables count in samples, of size 1."""
    sound = struct.pack(">HHIHHHHI", 1, 0, 0, 1, 16, 0, 0, 8_000 << 16) + struct.pack(">IIII", 2036, 1024, 1024, 2)
    stsd = box(b"stsd", bytes(4), struct.pack(">I", 1), box(b"ms\0\2", bytes(6), b"\0\1", sound))
    num_samples = 2036 * packets
    stsz = box(b"stsz", struct.pack(">III", 0, 1, num_samples))
    stsc = box(b"stsc", struct.pack(">IIIII", 0, 1, 1, num_samples, 1))
    handler = box(b"hdlr", bytes(8), b"soun", bytes(12))

    def moov(place: int) -> bytes:
        stco = box(b"stco", struct.pack(">III", 0, 1, place))
        stbl = box(b"stbl", stsd, stsz, stsc, stco)
        return box(b"moov", box(b"trak", box(b"mdia", handler, box(b"minf", stbl))))

    head = box(b"ftyp", b"qt  ", bytes(4)) + moov(0)
    head = head[: -len(moov(0))] + moov(len(head) + 8)
    return head + struct.pack(">I", 8 + 1024 * packets) + b"mdat" + bytes(1024 * of_the_file)


@pytest.mark.parametrize(("there", "is_whole"), [(20, True), (19, False)])
def test_packets_of_quicktime_are_counted_in_bytes_where_its_tables_count_samples(
    tmp_path: Path, there: int, is_whole: bool
) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(quicktime_adpcm(20, there))
    with path.open("rb") as file:
        problems = inspect_mp4(FileBytes(file.fileno())).problems
    assert any("lie outside the file" in problem for problem in problems) != is_whole
