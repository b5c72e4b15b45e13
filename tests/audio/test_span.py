"""Tags before and behind a recording are no part of it, whatever container they were put around."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import soundfile

from cedtag.audio import Decoders
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.span import Span, identify_span
from tests.sounds import bursts, decoded, decoded_by, write_av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Finished


def id3v2(num_bytes: int, stated: int | None = None, *, footer: bool = False) -> bytes:
    """An ID3v2 tag with so many bytes of contents, of which none is zero."""
    stated = num_bytes if stated is None else stated
    size = bytes(stated >> shift & 0x7F for shift in (21, 14, 7, 0))
    rest = b"\4\0" + bytes([0x10 * footer]) + size
    return b"ID3" + rest + b"x" * num_bytes + (b"3DI" + rest) * footer


def ape(*, version: int = 2000) -> bytes:
    """An APE tag: with a header in version 2, without one in version 1."""
    item = b"\3\0\0\0\0\0\0\0Key\0abc"
    fields = version.to_bytes(4, "little") + (len(item) + 32).to_bytes(4, "little") + b"\1\0\0\0"
    ends = [b"APETAGEX" + fields + bytes([0, 0, 0, 0x80 | is_header << 5]) + bytes(8) for is_header in (1, 0)]
    if version == 1000:
        return item + b"APETAGEX" + fields + bytes(12)
    return ends[0] + item + ends[1]


ID3V1 = b"TAGTitle".ljust(128, b"\0")
LYRICS = b"LYRICSBEGININD0000211" + b"000021" + b"LYRICS200"
BEFORE = {
    "id3v2": id3v2(1_000),
    "three in a row": id3v2(100) + id3v2(70_000) + id3v2(5),
    "with a footer": id3v2(1_000, footer=True),
    "with padding behind it": id3v2(1_000) + bytes(3_000),
    "ape": ape(),
}
BEHIND = {
    "id3v1": ID3V1,
    "extended id3v1": b"TAG+".ljust(227, b"\0") + ID3V1,
    "ape v2": ape(),
    "ape v1": ape(version=1000),
    "id3v2.4": id3v2(333, footer=True),
    "lyrics, ape, id3v1": ape() + LYRICS + ID3V1,
    "old lyrics": b"LYRICSBEGINla la la" + b"LYRICSEND" + ID3V1,
}
# By the suffix of the file: libsndfile's format, or the codec for PyAV.
OF_LIBSNDFILE = {
    **{"wav": "WAV", "rf64": "RF64", "aiff": "AIFF", "au": "AU", "caf": "CAF", "w64": "W64", "flac": "FLAC"},
    **{"ogg": "OGG", "mp3": "MP3", "voc": "VOC", "sph": "NIST", "8svx": "SVX", "wve": "WVE", "sf": "IRCAM"},
}
OF_PYAV = {
    **{"m4a": "aac", "mka": "flac", "opus": "libopus", "wv": "wavpack", "tta": "tta", "aac": "aac", "ac3": "ac3"},
    **{"wma": "wmav2", "dts": "dca", "ts": "mp2", "avi": "libmp3lame", "flv": "aac"},
}

READ_TO_THE_END = (
    *("flac", "ogg", "mp3", "voc", "sph", "8svx", "wve", "sf"),
    *("opus", "wv", "tta", "aac", "ac3", "ts", "avi", "flv"),
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Makes a recording of a second in the format with this suffix."""
    folder, made = tmp_path_factory.mktemp("made"), {}

    def recording(suffix: str) -> bytes:
        if suffix not in made:
            path = folder / f"a.{suffix}"
            if suffix in OF_LIBSNDFILE:
                rate_hz = 8_000 if suffix == "wve" else 44_100
                subtype = {"wve": "ALAW", "8svx": "PCM_16", "sf": "PCM_16"}.get(suffix)
                soundfile.write(path, bursts(1, rate_hz), rate_hz, format=OF_LIBSNDFILE[suffix], subtype=subtype)
            else:
                pytest.importorskip("av")
                write_av(path, bursts(1, 48_000, 2), 48_000, OF_PYAV[suffix])
            made[suffix] = path.read_bytes()
        return made[suffix]

    return recording


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


def read(decoders: Decoders, path: Path, data: bytes) -> tuple[bytes, list[str]]:
    path.write_bytes(data)
    samples, problems, warnings = decoded_by(decoders, path)
    return samples.tobytes(), [*problems, *warnings]


@pytest.mark.parametrize("suffix", [*OF_LIBSNDFILE, *sorted(set(OF_PYAV) - {"dts"})])
def test_tags_before_any_container_are_skipped(
    tmp_path: Path, decoders: Decoders, recordings: Callable[[str], bytes], suffix: str
) -> None:
    data = recordings(suffix)
    expected = read(decoders, tmp_path / f"plain.{suffix}", data)
    for tag, tags in BEFORE.items():
        if suffix == "ts" and "padding" in tag:  # zeros belong to no packet, and nothing tells where the first begins
            continue
        assert read(decoders, tmp_path / f"tagged.{suffix}", tags + data) == expected, tag


@pytest.mark.parametrize("suffix", READ_TO_THE_END)
def test_tags_behind_what_would_be_read_to_its_end_are_left_out(
    tmp_path: Path, decoders: Decoders, recordings: Callable[[str], bytes], suffix: str
) -> None:
    data = recordings(suffix)
    expected = read(decoders, tmp_path / f"plain.{suffix}", data)
    for tag, tags in BEHIND.items():
        assert read(decoders, tmp_path / f"tagged.{suffix}", data + tags) == expected, tag
        assert read(decoders, tmp_path / f"tagged.{suffix}", id3v2(1_000) + data + tags) == expected, tag


def test_chunks_behind_the_sound_of_8svx_are_no_sound(
    tmp_path: Path, decoders: Decoders, recordings: Callable[[str], bytes]
) -> None:
    data = recordings("8svx")
    expected = read(decoders, tmp_path / "plain.8svx", data)
    behind = b"ANNO" + (2_000).to_bytes(4, "big") + b"x" * 2_000
    data = data[:4] + (len(data) - 8 + len(behind)).to_bytes(4, "big") + data[8:] + behind
    assert read(decoders, tmp_path / "text.8svx", data) == expected


def test_what_looks_like_a_tag_at_the_end_of_samples_is_samples(tmp_path: Path) -> None:
    stream = BytesIO()
    soundfile.write(stream, bursts(1, 16_000), 16_000, format="WAV")
    path = tmp_path / "a.wav"
    path.write_bytes(stream.getvalue()[:-128] + ID3V1)
    with path.open("rb") as file:
        container, span = identify_span(FileBytes(file.fileno()))
    assert container is not None
    assert span == Span()
    assert len(decoded(path)[0]) == 16_000


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (id3v2(100), "tags without audio"),
        (id3v2(100) + b"%PDF-1.4" + bytes(99), "a PDF document"),
        (id3v2(100) + b"some text", "text"),
        (id3v2(100) + bytes(3_000), "nothing but zero bytes"),
    ],
)
def test_what_follows_tags_and_is_no_audio_is_named(
    tmp_path: Path, cedtag: Callable[..., Finished], data: bytes, what: str
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    finished = cedtag(path)
    assert finished.code == 3
    assert f"{path}: is no audio that cedtag knows, but {what}" in finished.stderr


def test_a_run_over_tagged_recordings_ends_and_can_be_resumed(
    tmp_path: Path, cedtag: Callable[..., Finished], recordings: Callable[[str], bytes]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for suffix in ("aiff", "au", "caf", "w64", "wav"):
        (folder / f"a.{suffix}").write_bytes(id3v2(2_000) + recordings(suffix))
    assert cedtag(folder, "-o", tmp_path / "tags.csv").code == 0
    first = (tmp_path / "tags.csv").read_bytes()
    assert len({line.split(b",")[0] for line in first.splitlines()[1:]}) == 5
    (folder / "b.wav").write_bytes(id3v2(9) + recordings("wav"))
    again = cedtag(folder, "-o", tmp_path / "tags.csv")
    assert again.code == 0
    assert "1 recording done" in again.stderr
    assert (tmp_path / "tags.csv").read_bytes().startswith(first)


def test_the_start_time_in_a_tagged_recording_is_found(
    tmp_path: Path, cedtag: Callable[..., Finished], recordings: Callable[[str], bytes]
) -> None:
    plain = recordings("wav")
    guano = b"GUANO|Version:1.0\nTimestamp: 2024-05-06T07:08:09+00:00"
    chunk = b"guan" + len(guano).to_bytes(4, "little") + guano + bytes(len(guano) % 2)
    path = tmp_path / "a.wav"
    path.write_bytes(id3v2(2_000) + plain + chunk)
    assert b"2024-05-06T07:08:09" in cedtag(path, "--start-time", "metadata", "-f", "jsonl").stdout
