"""Recordings in tars and zips are those of the folder that was packed, and nothing leads out of an archive."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cedtag.audio import members
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.records import FileFailed, Skipped, Source

KINDS = ("a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "a.zip")


def pack(folder: Path, archive: str) -> str:
    """Pack a folder, its names relative to itself, in the order of the folder's walk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for path in files:
                out.write(path, path.relative_to(folder))
    else:
        mode = {"tar": "w", "gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}[archive.rpartition(".")[2]]
        with tarfile.open(archive, mode) as out:  # type: ignore[call-overload]
            for path in files:
                out.add(path, path.relative_to(folder))
    return archive


def add(tar: tarfile.TarFile, name: str, data: bytes = b"x", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))


def parts(source: Source) -> tuple[str, str]:
    found = members.split(source.path)
    assert found is not None
    return found


def found(path: str) -> list[Any]:
    return list(find_sources([path], Search()))


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_has_the_rows_of_its_folder(cedtag, sounds, kind):
    (sounds / "notes.txt").write_text("no audio")
    archive = pack(sounds, kind)
    rows = cedtag(archive, "-f", "csv")
    assert rows.code == 0
    assert sorted(rows.stdout.decode().replace(f"{kind}!/", "").splitlines()) == sorted(
        cedtag("sounds", "-f", "csv").stdout.decode().replace("sounds/", "").splitlines()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_members_may_be_asked_for_in_any_order(sounds, kind):
    archive = pack(sounds, kind)
    sources = [one for one in found(archive) if isinstance(one, Source)]
    assert len(sources) == 4
    for source in (*reversed(sources), *sources):
        fd = members.open_member(source, *parts(source))
        with os.fdopen(fd, "rb") as file:
            assert file.read() == (sounds / source.relative).read_bytes()


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.zip"])
def test_a_run_goes_on_and_what_is_appended_is_new(cedtag, sounds, kind):
    archive = pack(sounds, kind)
    assert cedtag(archive, "-o", "tags.csv").code == 0
    soundfile.write(sounds / "z.wav", np.random.default_rng(1).standard_normal(16_000) / 10, 16_000)
    pack(sounds, kind)
    assert "1 recording done, 4 done earlier" in cedtag(archive, "-o", "tags.csv").stderr


def test_what_leads_out_of_an_archive_is_skipped_with_a_word(tmp_path):
    archive = str(tmp_path / "a.tar")
    with tarfile.open(archive, "w") as tar:
        add(tar, "../up.wav")
        add(tar, "/etc/root.wav")
        add(tar, "link.wav", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(tar, "hard.wav", b"", type=tarfile.LNKTYPE, linkname="good.wav")
        add(tar, "pipe.wav", b"", type=tarfile.FIFOTYPE)
        add(tar, "inner.tar.gz")
        add(tar, ".hidden.wav")
        add(tar, "readme.txt")
        add(tar, "good.wav")
        add(tar, "good.wav", b"other")
    reasons = {one.source.relative: one.reason for one in found(archive) if isinstance(one, Skipped)}
    assert list(reasons) == [
        *("../up.wav", "/etc/root.wav", "link.wav", "hard.wav", "pipe.wav", "inner.tar.gz", "good.wav"),
    ]
    assert reasons["../up.wav"] == "has a path that leads out of its archive"
    assert reasons["inner.tar.gz"] == "is an archive in an archive, which is not opened"
    assert [one.relative for one in found(archive) if isinstance(one, Source)] == ["good.wav"]


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_an_archive_that_is_cut_off_gives_what_is_there_and_fails(cedtag, sounds, kind):
    archive = Path(pack(sounds, kind))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size * 3 // 4])
    done = cedtag(archive, "-f", "csv", "--errors", "errors.jsonl")
    assert done.code == 3
    assert f"failed: {kind}: cannot be read as an archive (" in done.stderr
    assert len({line.split(",")[0] for line in done.lines[1:]}) >= (1 if kind in ("a.tar", "a.tar.gz") else 0)


def test_a_tar_without_a_mark_of_its_end_is_no_whole_one(sounds):
    archive = Path(pack(sounds, "a.tar"))
    archive.write_bytes(archive.read_bytes().rstrip(b"\0") + bytes(-len(archive.read_bytes().rstrip(b"\0")) % 512))
    assert isinstance(found("a.tar")[-1], FileFailed)
    assert "no mark of its end" in found("a.tar")[-1].error


def test_a_damaged_header_in_the_middle_is_no_end(tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for number in range(3):
            add(tar, f"{number}.wav")
    content = bytearray(archive.read_bytes())
    content[1024 + 10] ^= 0xFF  # in the second header
    archive.write_bytes(content)
    first, failed = found(str(archive))
    assert first.relative == "0.wav"
    assert "it is damaged at byte 1024" in failed.error


def test_a_flipped_bit_in_a_zip_costs_its_member(cedtag, sounds):
    archive = Path(pack(sounds, "a.zip"))
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        content[opened.getinfo("a.wav").header_offset + 1000] ^= 1
    archive.write_bytes(content)
    done = cedtag(archive, "-f", "csv")
    assert done.code == 3
    assert "failed: a.zip!/a.wav: cannot be read from its archive (" in done.stderr
    assert any(line.startswith("a.zip!/c.ogg") for line in done.lines)


def test_a_compressed_bomb_is_not_unpacked(tmp_path):
    archive = str(tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("bomb.wav", bytes(1 << 20))
    content = Path(archive).read_bytes()
    size = (1 << 20).to_bytes(4, "little")
    Path(archive).write_bytes(content.replace(size, (100).to_bytes(4, "little")))  # claims less than it holds
    (source,) = found(archive)
    with pytest.raises(members.AudioError, match="cannot be read from its archive"):
        members.open_member(source, *parts(source))


@pytest.mark.parametrize("name", ["empty.tar", "text.zip", "text.tar.gz"])
def test_what_only_has_the_name_of_an_archive_fails(cedtag, tmp_path, name):
    (tmp_path / name).write_text("" if name.startswith("empty") else "no archive" * 100)
    done = cedtag(tmp_path / name)
    assert done.code in (3, 4)
    assert f"{name}: cannot be read as an archive (" in done.stderr


def test_odd_names_come_through(cedtag, sounds, tmp_path):
    names = ["tab\there.wav", "caf\udce9.wav", "with!/mark.wav", "emoji🐦.wav"]
    with tarfile.open("a.tar", "w") as tar:
        for name in names:
            add(tar, name, (sounds / "a.wav").read_bytes())
    assert [one.relative for one in found("a.tar")] == names
    assert cedtag("a.tar", "-o", "tags.jsonl").code == 0


def test_clips_are_cut_out_of_members(cedtag, sounds):
    archive = pack(sounds, "a.tar.gz")
    assert cedtag(archive, "-o", "tags.jsonl", "-t", "0", "-k", "1").code == 0
    assert cedtag("extract", "tags.jsonl", "-o", "clips", "--max-per-class", "1").code == 0
    assert list(Path("clips").rglob("*.wav"))


@pytest.mark.slow
def test_ten_thousand_members_are_listed_in_order(tmp_path):
    archive = str(tmp_path / "a.tar")
    with tarfile.open(archive, "w") as tar:
        for number in range(10_000):
            add(tar, f"{number:05}.wav")
            add(tar, f"{number:05}.json")
    sources = found(archive)
    assert [one.relative for one in sources] == [f"{number:05}.wav" for number in range(10_000)]
    fd = members.open_member(sources[-1], *parts(sources[-1]))
    assert os.read(fd, 9) == b"x"
    os.close(fd)


def test_a_store_of_an_archive_answers_in_the_order_of_the_archive(cedtag, sounds):
    pytest.importorskip("pyarrow")
    with tarfile.open("a.tar", "w") as tar:
        for name in ("c.ogg", "a.wav", "b/stereo.flac", "b/short.wav"):
            tar.add(sounds / name, name)
    assert cedtag("a.tar", "--store", "store").code == 0
    assert cedtag("query", "store", "-f", "csv").lines == cedtag("a.tar", "-f", "csv").lines


@pytest.mark.parametrize("search", [Search(), Search(recursive=False), Search(exclude_globs=("b", "x/**"))])
@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.zip"])
def test_an_archive_is_searched_as_its_folder_is(sounds, kind, search):
    for name in (".trash/gone.wav", "x/.hidden/gone.wav"):
        path = sounds / name
        path.parent.mkdir(parents=True)
        path.write_bytes((sounds / "a.wav").read_bytes())
    taken = [one.relative for one in find_sources([pack(sounds, kind)], search)]
    assert taken == [one.relative for one in find_sources(["sounds"], search)]
    assert "a.wav" in taken


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.zip"])
def test_a_path_in_an_archive_is_one_recording_however_it_is_spelled(cedtag, sounds, kind):
    names = ["./b/short.wav", "b/short.wav", "b//short.wav", "./b/./stereo.flac"]
    if kind == "a.zip":
        with zipfile.ZipFile(kind, "w") as zipped:
            for name in names:
                zipped.writestr(name, (sounds / name).read_bytes())
    else:
        with tarfile.open(kind, "w:gz" if kind.endswith("gz") else "w") as tar:  # type: ignore[call-overload]
            for name in names:
                add(tar, name, (sounds / name).read_bytes())
    assert "2 recordings done, 2 skipped" in cedtag(kind, "-o", "tags.csv", "-k", 1, "-t", 0).stderr
    assert cedtag("extract", "tags.csv", "-o", "clips").code == 0


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz"])
def test_tars_that_were_joined_are_read_to_their_end(sounds, kind):
    first = Path(pack(sounds / "b", kind)).read_bytes()
    (sounds / "b").rename("elsewhere")
    Path(kind).write_bytes(first + Path(pack(sounds, kind)).read_bytes())
    assert [one.relative for one in found(kind)] == ["short.wav", "stereo.flac", "a.wav", "c.ogg"]


@pytest.mark.parametrize("mtime", ["inf", "nan", "1e300", "-1e300"])
def test_a_time_that_no_clock_shows_costs_no_archive(cedtag, sounds, mtime):
    with tarfile.open("a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "a.wav", (sounds / "a.wav").read_bytes(), pax_headers={"mtime": mtime})
    assert cedtag("a.tar", "--store", "store").code == 0


@pytest.mark.parametrize("date", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_date_without_a_month_costs_no_zip(sounds, date):
    data = bytearray(Path(pack(sounds, "a.zip")).read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 12 : at + 16] = date
    Path("b.zip").write_bytes(data)
    assert [one.relative for one in found("b.zip")] == [one.relative for one in found("a.zip")]
