"""Bad and odd recordings, made in code, each with the outcome that is promised for it.

An outcome is "ok", "partial" or "failed", and part of the reason that is given: "partial: is cut off". Damage that
leaves no trace in its container is "ok: no trace".
"""

from __future__ import annotations

import io
import struct
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cedtag.audio.containers.mpeg import frame_header
from tests.sounds import bursts, write_av

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.mono import Samples

RATE_HZ = 22_050


@cache
def encoded(kind: str, seconds: float = 2, channels: int = 1, rate_hz: int = RATE_HZ, **options: object) -> bytes:
    """Return an undamaged recording as libsndfile writes it."""
    return encode(bursts(seconds, rate_hz, channels), kind, rate_hz, **options)


def encode(samples: Samples, kind: str, rate_hz: int = RATE_HZ, **options: object) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=kind.upper(), **options)
    return out.getvalue()


@cache
def encoded_av(kind: str, codec: str, seconds: float = 2, **options: str) -> bytes:
    """Return an undamaged recording as PyAV writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        write_av(path, bursts(seconds, 48_000), 48_000, codec, format=kind, options=options)
        return path.read_bytes()


def cut(data: bytes, share: float) -> bytes:
    return data[: int(share * len(data))]


def without(data: bytes, start: float, stop: float) -> bytes:
    return data[: int(start * len(data))] + data[int(stop * len(data)) :]


def overwritten(data: bytes, start: float, stop: float, byte: bytes = b"\0") -> bytes:
    begin, end = int(start * len(data)), int(stop * len(data))
    return data[:begin] + (byte * (end - begin))[: end - begin] + data[end:]


def inserted(data: bytes, new: bytes) -> bytes:
    return data[: len(data) // 2] + new + data[len(data) // 2 :]


def flipped(data: bytes, start: float, stop: float, num_bits: int = 20) -> bytes:
    rng = np.random.default_rng(0)
    changed = bytearray(data)
    for at in rng.integers(int(start * len(data)), int(stop * len(data)), num_bits):
        changed[at] ^= 1 << rng.integers(8)
    return bytes(changed)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def noise(num_bytes: int) -> bytes:
    return np.random.default_rng(1).bytes(num_bytes)


def sized(data: bytes, size: int) -> bytes:
    """Return a WAV whose header promises `size` bytes of audio."""
    return patched(data, data.index(b"data") + 4, struct.pack("<I", size))


def format_field(data: bytes, offset: int, new: bytes) -> bytes:
    """Return a WAV with a changed format chunk: tag at 0, channels 2, rate 4, bits 14."""
    return patched(data, data.index(b"fmt ") + 8 + offset, new)


def flac_total(data: bytes, total: int) -> bytes:
    """Return a FLAC whose header promises `total` samples."""
    field = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    return patched(data, 18, field.to_bytes(8, "big"))


def mp3_frames(data: bytes) -> list[bytes]:
    """Return the frames of an MP3, the one with the tag first."""
    frames = []
    while (header := frame_header(int.from_bytes(data[:4], "big"))) is not None:
        frames.append(data[: header.num_bytes])
        data = data[header.num_bytes :]
    return frames


def ogg_pages(data: bytes) -> list[bytes]:
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


def id3(contents: int) -> bytes:
    return b"ID3\x04\0\0" + bytes(contents >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(contents)


def long_ogg() -> bytes:
    return encoded("ogg", seconds=8, channels=2, rate_hz=44_100)


def special(*values: float, kind: str = "FLOAT") -> bytes:
    samples = bursts(1, RATE_HZ).astype(np.float64)
    samples[1_000 : 1_000 + len(values), 0] = values
    return encode(samples, "wav", subtype=kind)  # type: ignore[arg-type]


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def wav_of(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm() -> bytes:
    return (bursts(1, RATE_HZ)[:, 0] * 32_767).astype("<i2").tobytes()


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16))
KINDS = ("wav", "rf64", "w64", "aiff", "caf", "au", "flac", "ogg", "mp3")
STRANGERS: dict[str, tuple[bytes, str]] = {
    "empty.wav": (b"", "an empty file"),
    "one_byte.mp3": (b"x", "text"),
    "text.wav": (b"this is not sound\n" * 99, "text"),
    "json.flac": (b'{"sound": false}', "text"),
    "table.wav": (b"file,label\na.wav,rain\n", "text"),
    "page.mp3": (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
    "page_with_blanks.ogg": (b"\n\n  <HTML><body>moved</body></HTML>", "an HTML page"),
    "feed.wav": (b'<?xml version="1.0"?><rss/>', "an XML document"),
    "image.wav": (b"\x89PNG\r\n\x1a\n" + noise(999), "a PNG image"),
    "photo.mp3": (b"\xff\xd8\xff\xe0\0\x10JFIF" + noise(999), "a JPEG image"),
    "animation.ogg": (b"GIF89a" + noise(99), "a GIF image"),
    "document.wav": (b"%PDF-1.7" + noise(99), "a PDF document"),
    "archive.wav": (b"PK\x03\x04" + noise(999), "a ZIP archive"),
    "archive_gz.flac": (b"\x1f\x8b\x08\0" + noise(999), "gzip-compressed data"),
    "archive_7z.wav": (b"7z\xbc\xaf\x27\x1c" + noise(99), "a 7z archive"),
    "archive_rar.wav": (b"Rar!\x1a\x07\x01\0" + noise(99), "a RAR archive"),
    "pointer.flac": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "notes.wav": (b"MThd\0\0\0\x06\0\x01\0\x01\0\x60", "MIDI notes"),
    "playlist.mp3": (b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n", "a playlist"),
    "concat.wav": (b"ffconcat version 1.0\nfile /etc/hostname\n", "a playlist"),
    "session.wav": (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n", "text"),
    "playlist_pls.mp3": (b"[playlist]\nFile1=http://127.0.0.1:9/a\n", "text"),
    "program.mp3": (b"\x7fELF\x02\x01\x01" + noise(9_999), "a program"),
    "database.wav": (b"SQLite format 3\0" + noise(999), "an SQLite database"),
    "zeros.wav": (bytes(1 << 20), "nothing but zero bytes"),
    "erased.wav": (b"\xff" * (1 << 20), "unknown data"),
    "noise.mp3": (noise(1 << 18), "unknown data"),
    "form.aiff": (b"FORM\0\0\0\x10ILBM" + bytes(99), "unknown data"),
    "riff.wav": (b"RIFF\0\0\0\x10WEBP" + bytes(99), "unknown data"),
}

# What comes of each damage: WAV and its kin (which have a size to compare and no checksum), FLAC, Ogg, MP3.
DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str, str, str, str]] = {
    "good": (lambda data: data, "ok", "ok", "ok", "ok"),
    "header_only": (lambda data: data[:23], "failed", "failed", "failed", "failed"),
    "cut_1_byte": (
        lambda data: data[:-1],
        "partial: is cut off",
        "partial: lost sync",
        "partial: its last page",
        "partial: 25 of 26 bytes",
    ),
    "cut_90": (
        lambda data: cut(data, 0.9),
        "partial: is cut off",
        "partial: of 44100 frames",
        "failed: its last page",
        "partial: of 44100 frames",
    ),
    "cut_50": (
        lambda data: cut(data, 0.47),
        "partial: is cut off",
        "partial: of 44100 frames",
        "failed: its last page",
        "partial: of 44100 frames",
    ),
    "cut_10": (
        lambda data: cut(data, 0.1),
        "partial: is cut off",
        "failed: lost sync",
        "failed: malformed",
        "partial: of 44100 frames",
    ),
    "twice": (
        lambda data: data * 2,
        "partial: were not read",
        "ok",
        "ok",
        "ok",
    ),
    "junk_after": (
        lambda data: data + b"\x01junk" * 20,
        "ok: 100 bytes after",
        "ok",
        "ok: 100 bytes after",
        "ok: 100 bytes after",
    ),
    "zeros_after": (lambda data: data + bytes(5_000), "ok", "ok", "ok", "ok"),
    "hole": (
        lambda data: without(data, 0.4, 0.6),
        "partial: is cut off",
        "partial: silence in their place",
        "failed: malformed",
        "partial: 57 of 79",
    ),
    "zeroed": (
        lambda data: overwritten(data, 0.4, 0.6),
        "ok: no trace",
        "partial: silence in their place",
        "failed: malformed",
        "partial: 58 of 79",
    ),
    "text_inside": (
        lambda data: overwritten(data, 0.4, 0.6, b"not audio "),
        "ok: no trace",
        "partial: silence in their place",
        "failed: malformed",
        "partial: 58 of 79",
    ),
    "bits_flipped": (
        lambda data: flipped(data, 0.4, 0.6),
        "ok: no trace",
        "partial: silence in their place",
        "failed: malformed",
        "ok: no trace",
    ),
    "no_beginning": (
        lambda data: data[int(0.47 * len(data)) :],
        "failed: unknown data",
        "failed: unknown data",
        "failed: unknown data",
        "ok: its first 227 bytes",
    ),
}

SPECIAL: dict[str, tuple[Callable[[], bytes], str]] = {
    "never_closed.wav": (
        lambda: sized(encoded("wav"), 0),
        "partial: promises 0 bytes of audio",
    ),
    "never_closed_24_bit.wav": (
        lambda: sized(encoded("wav", subtype="PCM_24"), 0),
        "partial: promises 0 bytes of audio",
    ),
    "never_closed_float.wav": (
        lambda: sized(encoded("wav", subtype="FLOAT"), 0),
        "partial: promises 0 bytes of audio",
    ),
    "never_closed_alaw.wav": (
        lambda: sized(encoded("wav", subtype="ALAW"), 0),
        "partial: promises 0 bytes of audio",
    ),
    "never_closed_ima.wav": (
        lambda: sized(encoded("wav", subtype="IMA_ADPCM"), 0),
        "partial: promises 0 bytes of audio",
    ),
    "streamed.wav": (lambda: sized(encoded("wav"), 0xFFFF_FFFF), "ok"),
    "streamed_7f.wav": (lambda: sized(encoded("wav"), 0x7FFF_FFFF), "ok"),
    "streamed_80.wav": (lambda: sized(encoded("wav"), 0x8000_0000), "ok"),
    "promises_half.wav": (
        lambda: sized(encoded("wav"), RATE_HZ * 2),
        "partial: 44100 bytes after the audio",
    ),
    "promises_double.wav": (
        lambda: sized(encoded("wav"), RATE_HZ * 8),
        "partial: 88200 of 176400 bytes",
    ),
    "riff_size_0.wav": (lambda: patched(encoded("wav"), 4, bytes(4)), "ok"),
    "two_data_chunks.wav": (
        lambda: wav_of(FMT, chunk(b"data", pcm()), chunk(b"data", pcm())),
        "partial: has 2 audio chunks, and only the first was read",
    ),
    "metadata_after.wav": (lambda: wav_of(FMT, chunk(b"data", pcm()), chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0")), "ok"),
    "metadata_before.wav": (
        lambda: wav_of(chunk(b"bext", bytes(602)), chunk(b"JUNK", bytes(99)), FMT, chunk(b"data", pcm())),
        "ok",
    ),
    "no_data_chunk.wav": (lambda: wav_of(FMT), "failed: cannot be decoded"),
    "no_format_chunk.wav": (
        lambda: wav_of(chunk(b"data", pcm())),
        "failed: cannot be decoded",
    ),
    "no_samples.wav": (lambda: wav_of(FMT, chunk(b"data", b"")), "failed: holds no audio"),
    "no_samples_but_metadata.wav": (
        lambda: wav_of(FMT, chunk(b"data", b""), chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0")),
        "failed: holds no audio",
    ),
    "one_sample.wav": (lambda: encode(np.ones((1, 1), np.float32), "wav"), "ok"),
    "ten_ms.wav": (lambda: encoded("wav", seconds=0.01), "ok"),
    "big_endian.wav": (lambda: encoded("wav", endian="BIG"), "ok"),
    "extensible.wav": (lambda: encode(bursts(1, RATE_HZ, 3), "wavex"), "ok"),
    "no_channels.wav": (
        lambda: format_field(encoded("wav"), 2, bytes(2)),
        "failed: Channel count is zero",
    ),
    "65_channels.wav": (
        lambda: encoded("wav", seconds=0.1, channels=65),
        "failed: has 65 channels",
    ),
    "2000_channels.wav": (
        lambda: format_field(encoded("wav"), 2, struct.pack("<H", 2_000)),
        "failed: Too many channels",
    ),
    "rate_0.wav": (
        lambda: format_field(encoded("wav"), 4, bytes(4)),
        "failed: its header makes no sense",
    ),
    "rate_1.wav": (
        lambda: format_field(encoded("wav"), 4, struct.pack("<I", 1)),
        "failed: a rate of 1 Hz is outside",
    ),
    "rate_huge.wav": (
        lambda: format_field(encoded("wav"), 4, struct.pack("<I", 2_147_483_647)),
        "failed: a rate of 2147483647 Hz",
    ),
    "rate_beyond.wav": (
        lambda: format_field(encoded("wav"), 4, struct.pack("<I", 0xFFFF_FFFF)),
        "failed: its header makes no sense",
    ),
    "no_bits.wav": (
        lambda: format_field(encoded("wav"), 14, bytes(2)),
        "failed: cannot be decoded",
    ),
    "unknown_codec.wav": (
        lambda: format_field(encoded("wav"), 0, b"\x34\x12"),
        "failed: its audio codec is not known",
    ),
    "nan.wav": (lambda: special(np.nan, np.nan), "partial: not finite or out of any range, read as 0: 2"),
    "infinite.wav": (lambda: special(np.inf, -np.inf), "partial: not finite or out of any range, read as 0: 2"),
    "beyond_float.wav": (
        lambda: special(1e300, kind="DOUBLE"),
        "partial: not finite or out of any range, read as 0: 1",
    ),
    "huge.wav": (lambda: special(1e19, -3e38), "partial: not finite or out of any range, read as 0: 2"),
    "integer_scale.wav": (lambda: special(7000.0), "ok: samples reach 7000, far beyond full scale 1"),
    "anti_phase.wav": (
        lambda: encode(np.hstack([bursts(1, RATE_HZ), -bursts(1, RATE_HZ)]), "wav"),
        "ok: its channels cancel out",
    ),
    "silence.wav": (lambda: encode(np.zeros((RATE_HZ, 2), np.float32), "wav"), "ok"),
    "total_half.flac": (
        lambda: flac_total(encoded("flac"), RATE_HZ),
        "ok: its last frame ends at 44100",
    ),
    "total_double.flac": (lambda: flac_total(encoded("flac"), RATE_HZ * 4), "partial: decoded 44100 of 88200 frames"),
    "total_unknown.flac": (lambda: flac_total(encoded("flac"), 0), "ok"),
    "total_huge.flac": (
        lambda: flac_total(encoded("flac"), (1 << 36) - 1),
        "partial: decoded 44100 of 68719476735 frames",
    ),
    "bad_md5.flac": (lambda: patched(encoded("flac"), 26, bytes(range(16))), "ok: no trace"),
    "tagged.flac": (lambda: id3(999) + encoded("flac"), "ok"),
    "headers_only.flac": (lambda: encoded("flac")[:42], "failed: holds no audio"),
    "last_page_unmarked.ogg": (
        lambda: b"".join(ogg_pages(long_ogg())[:-1]),
        "partial: no end-of-stream mark",
    ),
    "page_missing.ogg": (
        lambda: b"".join(page for i, page in enumerate(ogg_pages(long_ogg())) if i != 3),
        "partial: silence in their place",
    ),
    "page_damaged.ogg": (
        lambda: b"".join(flipped(page, 0.5, 1) if i == 3 else page for i, page in enumerate(ogg_pages(long_ogg()))),
        "partial: silence in their place",
    ),
    "headers_only.ogg": (
        lambda: b"".join(ogg_pages(long_ogg())[:2]),
        "failed: holds no audio",
    ),
    "chained.ogg": (
        lambda: encoded("ogg") + encoded("ogg", seconds=1, rate_hz=16_000),
        "ok",
    ),
    "untagged.mp3": (lambda: b"".join(mp3_frames(encoded("mp3"))[1:]), "ok"),
    "untagged_vbr.mp3": (
        lambda: b"".join(mp3_frames(encoded("mp3", bitrate_mode="VARIABLE", compression_level=0.5))[1:]),
        "ok",
    ),
    "untagged_cut.mp3": (
        lambda: cut(b"".join(mp3_frames(encoded("mp3"))[1:]), 0.47),
        "partial: last MPEG frame is cut off",
    ),
    "one_frame.mp3": (lambda: mp3_frames(encoded("mp3"))[4], "ok"),
    "tag_frame_only.mp3": (
        lambda: mp3_frames(encoded("mp3"))[0],
        "failed: none of it can be decoded",
    ),
    "id3_only.mp3": (lambda: id3(5_000), "failed: tags without audio"),
    "id3_before.mp3": (lambda: id3(100_000) + encoded("mp3"), "ok"),
    "id3_lies.mp3": (
        lambda: patched(id3(100), 6, b"\x7f\x7f\x7f\x7f") + encoded("mp3"),
        "ok: its first 110 bytes",
    ),
    "junk_before.mp3": (lambda: noise(5_000) + encoded("mp3"), "ok: its first 5000 bytes"),
    "junk_inside.mp3": (lambda: inserted(encoded("mp3"), noise(5_000)), "partial: 5000 bytes in 1 places"),
    "zeros_inside.mp3": (
        lambda: inserted(encoded("mp3"), bytes(5_000)),
        "partial: 5000 bytes in 1 places",
    ),
    "frames_missing.mp3": (
        lambda: b"".join(frame for i, frame in enumerate(mp3_frames(encoded("mp3"))) if not 20 < i < 30),
        "partial: 70 of 79 MPEG frames",
    ),
    "other_rate_after.mp3": (lambda: encoded("mp3") + encoded("mp3", rate_hz=44_100), "ok"),
    "good.m4a": (lambda: encoded_av("mp4", "aac"), "ok"),
    "cut_50.m4a": (
        lambda: cut(encoded_av("mp4", "aac"), 0.5),
        "failed: cannot be decoded",
    ),
    "cut_50_index_first.m4a": (
        lambda: cut(encoded_av("mp4", "aac", movflags="faststart"), 0.5),
        "partial: read 31 of the 94 packets",
    ),
    "header_only.m4a": (
        lambda: encoded_av("mp4", "aac")[:40],
        "failed: cannot be decoded",
    ),
    "zeroed.m4a": (lambda: overwritten(encoded_av("mp4", "aac"), 0.3, 0.5), "partial: read as silence: 15"),
    "bits_flipped.m4a": (lambda: flipped(encoded_av("mp4", "aac"), 0.3, 0.5), "partial: read as silence: 8"),
    "good.aac": (lambda: encoded_av("adts", "aac"), "ok"),
    "cut_50.aac": (
        lambda: cut(encoded_av("adts", "aac"), 0.5),
        "partial: packets that could not be decoded",
    ),
    "zeroed.aac": (
        lambda: overwritten(encoded_av("adts", "aac"), 0.3, 0.5),
        "partial: packets that could not be decoded",
    ),
    "good.opus": (lambda: encoded_av("ogg", "libopus"), "ok"),
    "cut_50.opus": (
        lambda: cut(encoded_av("ogg", "libopus"), 0.5),
        "partial: last page is cut off",
    ),
    "twice.opus": (lambda: encoded_av("ogg", "libopus") * 2, "ok"),
    "good.webm": (lambda: encoded_av("webm", "libopus"), "ok"),
    "cut_50.webm": (lambda: cut(encoded_av("webm", "libopus"), 0.5), "partial: is cut off"),
    "zeroed.webm": (lambda: overwritten(encoded_av("webm", "libopus"), 0.3, 0.5), "partial: is damaged"),
    "good.mka": (lambda: encoded_av("matroska", "flac"), "ok"),
    "cut_50.mka": (lambda: cut(encoded_av("matroska", "flac"), 0.5), "partial: is cut off"),
    "good.tta": (lambda: encoded_av("tta", "tta"), "ok"),
    "cut_50.tta": (lambda: cut(encoded_av("tta", "tta"), 0.5), "failed: none of its 1 packets could be"),
    "bits_flipped.tta": (lambda: flipped(encoded_av("tta", "tta"), 0.3, 0.5), "partial: read as silence: 1"),
    "cut_50.wv": (lambda: cut(encoded_av("wv", "wavpack"), 0.5), "failed: holds no audio"),
    "good.ts": (lambda: encoded_av("mpegts", "mp2"), "ok"),
    "tuned_in.ts": (lambda: encoded_av("mpegts", "mp2")[188 * 20 + 100 :], "ok"),
    "cut_50.ts": (lambda: cut(encoded_av("mpegts", "mp2"), 0.5), "partial: is cut off"),
    "good.ac3": (lambda: encoded_av("ac3", "ac3"), "ok"),
    "cut_50.ac3": (lambda: cut(encoded_av("ac3", "ac3"), 0.5), "ok: no trace"),
    "cut_50.wma": (lambda: cut(encoded_av("asf", "wmav2"), 0.5), "partial: is cut off"),
    "flac_inside.ogg": (lambda: encoded_av("ogg", "flac"), "ok"),
}


def recordings() -> dict[str, tuple[Callable[[], bytes], str]]:
    """Return every recording by its file name: how to make it, and what must come of it."""
    column = {"flac": 2, "ogg": 3, "mp3": 4}
    return {
        **{name: (partial(bytes, data), f"failed: {what}") for name, (data, what) in STRANGERS.items()},
        **{
            f"{name}.{kind}": (partial(_damaged, kind, name), DAMAGE[name][column.get(kind, 1)])  # type: ignore[misc]
            for kind in KINDS
            for name in DAMAGE
        },
        **SPECIAL,
    }


def _damaged(kind: str, name: str) -> bytes:
    return DAMAGE[name][0](encoded(kind))
