"""Ogg: every page is checked, the rest keeps its time where pages are missing, and chains are read to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders
from cedtag.audio.containers.ogg_pages import page_bytes
from tests.ogg_files import changed_page, joined_pages, pages_of, read_page
from tests.sounds import bursts, decoded, decoded_by, write, write_av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cedtag.audio.mono import Samples

RATE_HZ = 16_000
SECONDS = 12
NEEDS_PYAV = {"opus": "libopus", "spx": "libspeex", "oga": "flac"}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ogg")


@pytest.fixture(scope="module")
def vorbis(folder: Path) -> Path:
    return write(folder / "a.ogg", noise(SECONDS), RATE_HZ, format="OGG", subtype="VORBIS")


def noise(seconds: float, channels: int = 1) -> Samples:
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (int(seconds * RATE_HZ), channels)).astype(np.float32)


def other_codec(folder: Path, suffix: str) -> Path:
    av = pytest.importorskip("av")
    try:
        rate_hz = 48_000 if suffix == "opus" else RATE_HZ
        path = folder / f"a.{suffix}"
        write_av(path, bursts(SECONDS, rate_hz), rate_hz, NEEDS_PYAV[suffix], format="ogg")
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg has no such encoder: {error}")
    return path


def with_pages(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    other = path.with_name(f"changed{path.suffix}")
    other.write_bytes(b"".join(change(pages_of(path))))
    return other


def flipped(page: bytes) -> bytes:
    return page[:-9] + bytes([page[-9] ^ 1]) + page[-8:]


def is_where_it_was(samples: Samples, original: Samples, seconds: slice) -> bool:
    part = slice(seconds.start * 16_000, seconds.stop and seconds.stop * 16_000)
    return len(samples) == len(original) and bool(np.abs(samples[part] - original[part]).max() < 1e-3)


def test_a_sound_file_has_no_problem(vorbis: Path) -> None:
    samples, problems, warnings = decoded(vorbis)
    assert (len(samples), problems, warnings) == (SECONDS * 16_000, [], [])


def test_a_flipped_bit_is_found_and_leaves_the_rest_where_it_was(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)
    damaged = with_pages(vorbis, lambda pages: [*pages[:8], flipped(pages[8]), *pages[9:]])
    samples, problems, _ = decoded(damaged)
    assert len(problems) == 1
    assert problems[0].startswith("pages that are missing or damaged: 1; silence in their place: ")
    assert is_where_it_was(samples, original, slice(8, None))


@pytest.mark.parametrize("suffix", NEEDS_PYAV)
def test_so_it_is_with_other_codecs(folder: Path, decoders: Decoders, suffix: str) -> None:
    path = other_codec(folder, suffix)
    original, problems, _ = decoded_by(decoders, path)
    assert problems == []
    middle = len(pages_of(path)) // 2
    damaged = with_pages(path, lambda pages: [*pages[:middle], flipped(pages[middle]), *pages[middle + 1 :]])
    samples, problems, _ = decoded_by(decoders, damaged)
    assert "pages that are missing or damaged: 1; silence" in problems[0]
    assert is_where_it_was(samples, original, slice(9, None))


def test_a_page_that_was_left_out_leaves_the_rest_where_it_was(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)
    samples, problems, _ = decoded(with_pages(vorbis, lambda pages: pages[:8] + pages[9:]))
    assert "missing or damaged: 1; silence" in problems[0]
    assert is_where_it_was(samples, original, slice(8, None))


def test_a_page_that_is_there_twice_is_read_once(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)
    samples, problems, _ = decoded(with_pages(vorbis, lambda pages: pages[:8] + pages[7:]))
    assert "missing or damaged" in problems[0]
    assert is_where_it_was(samples, original, slice(8, None))


def test_a_flip_in_the_last_page_is_a_problem(vorbis: Path) -> None:
    damaged = with_pages(vorbis, lambda pages: [*pages[:-1], flipped(pages[-1])])
    assert decoded(damaged)[1] == ["its last page is damaged"]


@pytest.mark.parametrize("share", [0.25, 0.9])
def test_truncation_is_a_problem(vorbis: Path, share: float) -> None:
    data = vorbis.read_bytes()
    cut = vorbis.with_name("cut.ogg")
    cut.write_bytes(data[: int(share * len(data))])
    assert "its last page is cut off" in decoded(cut)[1][-1]


def test_what_follows_the_end_is_no_problem(vorbis: Path) -> None:
    longer = vorbis.with_name("longer.ogg")
    longer.write_bytes(vorbis.read_bytes() + b"\x01junk" * 9)
    assert decoded(longer)[1:] == ([], ["45 bytes after the audio are something else"])
    longer.write_bytes(vorbis.read_bytes() + bytes(5_000))
    assert decoded(longer)[1:] == ([], [])


def test_a_stream_that_was_recorded_from_its_middle_is_whole(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)
    samples, problems, warnings = decoded(with_pages(vorbis, lambda pages: pages[:2] + pages[6:]))
    assert (problems, warnings) == ([], [])
    np.testing.assert_allclose(samples[-64_000:], original[-64_000:], atol=1e-3)
    assert len(samples) < len(original)


def test_a_stream_whose_first_page_of_sound_is_damaged_begins_with_silence(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)
    samples, problems, _ = decoded(with_pages(vorbis, lambda pages: [*pages[:2], flipped(pages[2]), *pages[3:]]))
    assert "s at 0.00 s" in problems[0]
    assert is_where_it_was(samples, original, slice(3, None))


def test_sound_on_the_page_that_ends_the_headers_is_read(vorbis: Path) -> None:
    original, _, _ = decoded(vorbis)

    def shared(pages: list[bytes]) -> list[bytes]:
        rest = [changed_page(page, number=number) for number, page in enumerate(pages[3:], 2)]
        return [pages[0], joined_pages(pages[1], pages[2]), *rest]

    samples, problems, _ = decoded(with_pages(vorbis, shared))
    assert problems == []
    np.testing.assert_array_equal(samples, original)


@pytest.mark.parametrize(("rate_hz", "channels"), [(RATE_HZ, 1), (22_050, 2)])
def test_a_chain_is_read_to_its_end(vorbis: Path, rate_hz: int, channels: int) -> None:
    second = write(vorbis.with_name("b.ogg"), bursts(3, rate_hz, channels), rate_hz, format="OGG", subtype="VORBIS")
    chain = vorbis.with_name("chain.ogg")
    chain.write_bytes(vorbis.read_bytes() + second.read_bytes())
    samples, problems, _ = decoded(chain)
    expected = np.concatenate([decoded(vorbis)[0], decoded(second)[0]])
    assert problems == []
    assert len(samples) == pytest.approx(len(expected), abs=2)
    np.testing.assert_allclose(samples[-8_000:], expected[len(expected) - 8_000 :], atol=2e-2)


def test_a_chain_of_two_codecs_is_read_to_its_end(vorbis: Path, folder: Path, decoders: Decoders) -> None:
    opus = other_codec(folder, "opus")
    chain = vorbis.with_name("codecs.ogg")
    third = b"".join(changed_page(page, serial=1) for page in pages_of(vorbis))
    chain.write_bytes(vorbis.read_bytes() + opus.read_bytes() + third)
    samples, problems, _ = decoded_by(decoders, chain)
    assert problems == []
    expected = 2 * SECONDS * 16_000 + len(decoded_by(decoders, opus)[0])
    assert len(samples) == pytest.approx(expected, abs=2)


def test_an_empty_last_packet_is_no_damage(folder: Path, decoders: Decoders) -> None:
    opus = other_codec(folder, "opus")
    original, _, _ = decoded_by(decoders, opus)

    def with_empty_end(pages: list[bytes]) -> list[bytes]:
        last = read_page(pages[-1])
        end = page_bytes(4, last.granule, last.serial, last.number + 1, b"\0", b"")
        return [*pages[:-1], changed_page(pages[-1], ends=False), end]

    samples, problems, warnings = decoded_by(decoders, with_pages(opus, with_empty_end))
    assert (problems, warnings) == ([], [])
    np.testing.assert_array_equal(samples, original)


def test_pages_of_a_recording_that_has_lost_its_first_are_a_problem(vorbis: Path) -> None:
    pages = pages_of(vorbis)
    others = [changed_page(page, serial=1) for page in pages[1:]]
    damaged = vorbis.with_name("headless.ogg")
    damaged.write_bytes(b"".join(pages + others))
    assert f"{len(others)} pages belong to a recording" in decoded(damaged)[1][0]
