"""A tar on standard input has the rows of the folder that was packed, in one pass, and is never cut off in silence."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cedtag.audio import piped_tar

MODES = ("w", "w:gz", "w:bz2", "w:xz")


class Pipe(io.BytesIO):
    """Bytes that come in pieces, and only forward."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("a pipe does not seek")

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 3000) if size is not None and size > 0 else size)


@pytest.fixture
def piped(monkeypatch, cedtag):
    """Runs a command line with these bytes on standard input."""

    def run(content: bytes, *args: object):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(content)))
        return cedtag(*args)

    yield run
    assert piped_tar._waiting == {}


def packed(folder: Path, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder), recursive=False)
    return out.getvalue()


def rows_of(lines: list[str], root: str) -> list[str]:
    return sorted(line.removeprefix(root) for line in lines)


@pytest.mark.parametrize("mode", MODES)
def test_a_piped_tar_has_the_rows_of_its_folder(cedtag, piped, sounds, mode):
    (sounds / "notes.txt").write_text("no audio")
    done = piped(packed(sounds, mode), "-", "-f", "csv")
    assert done.code == 0, done.stderr
    assert rows_of(done.lines, "-!/") == rows_of(cedtag("sounds", "-f", "csv").lines, "sounds/")


def test_the_same_tar_again_goes_on_where_it_was(cedtag, piped, sounds):
    content = packed(sounds)
    assert piped(content, "-", "-o", "tags.csv").code == 0
    assert "4 recordings done earlier" in piped(content, "-", "-o", "tags.csv").stderr
    soundfile.write(sounds / "z.wav", np.random.default_rng(1).standard_normal(16_000) / 10, 16_000)
    assert "1 recording done, 4 done earlier" in piped(packed(sounds), "-", "-o", "tags.csv").stderr


@pytest.mark.parametrize("mode", MODES)
def test_a_tar_that_is_cut_off_is_partial_and_whole_in_the_next_run(cedtag, piped, sounds, mode):
    content = packed(sounds, mode)
    cut = piped(content[: len(content) // 2], "-", "-o", "tags.csv", "--errors", "errors.jsonl")
    assert cut.code == 3
    said = {one["path"]: one for one in map(json.loads, Path("errors.jsonl").read_text().splitlines())}
    assert said["-"]["error"].startswith("-: cannot be read as an archive (")
    assert all(" bytes are missing" in one["error"] for name, one in said.items() if name != "-")
    assert mode != "w" or said["-!/b/stereo.flac"]["stage"] == "partial"
    assert piped(content, "-", "-o", "tags.csv").code == 0
    assert piped(content, "-", "-o", "other.csv").code == 0
    rows, others = (rows_of(Path(name).read_text().splitlines(), "") for name in ("tags.csv", "other.csv"))
    assert rows == others


def test_a_tar_without_a_mark_of_its_end_is_no_whole_one(piped, sounds):
    content = packed(sounds).rstrip(b"\0")
    done = piped(content + bytes(-len(content) % 512), "-", "-f", "csv")
    assert done.code == 3
    assert "no mark of its end" in done.stderr


def test_of_tars_that_were_joined_the_second_is_read_too(piped, sounds):
    done = piped(2 * packed(sounds), "-", "-f", "csv")
    assert "4 recordings done, 4 skipped" in done.stderr  # names that came already


@pytest.mark.parametrize("content", [b"\x1f\x8bgarbage" * 100, b"BZhgarbage" * 100])
def test_what_is_compressed_and_no_tar_fails(piped, sounds, content):
    done = piped(content, "-")
    assert done.code == 3
    assert "failed: -: cannot be read as an archive (" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["a.wav", "b/stereo.flac", "c.ogg"])
def test_a_recording_on_standard_input_is_still_one(cedtag, piped, sounds, name):
    done = piped((sounds / name).read_bytes(), "-", "-f", "csv")
    assert rows_of(done.lines, "-") == rows_of(cedtag(f"sounds/{name}", "-f", "csv").lines, f"sounds/{name}")


def test_headerless_samples_are_not_looked_at(piped, sounds):
    done = piped(packed(sounds), "-", "--raw", "s16le,16000,1", "-f", "csv")
    assert {line.split(",")[0] for line in done.lines[1:]} == {"-"}


def test_globs_and_shards_mean_what_they_mean_in_folders(piped, sounds):
    content = packed(sounds)
    assert {line.split(",")[0] for line in piped(content, "-", "-f", "csv", "--include-glob", "*.wav").lines[1:]} == {
        "-!/a.wav",
        "-!/b/short.wav",
    }
    parts = [piped(content, "-", "-f", "csv", "--shard", f"{part}/2").lines[1:] for part in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(piped(content, "-", "-f", "csv").lines[1:])


def test_files_of_results_are_named_by_the_paths_in_the_tar(piped, sounds):
    assert piped(packed(sounds), "-", "-o", "labels/", "-f", "json").code == 0
    assert (sounds.parent / "labels/b/short.wav.json").is_file()


def test_what_leads_out_of_the_tar_is_skipped(piped, sounds):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(sounds / "a.wav", "up/../../a.wav")
        tar.add(sounds / "c.ogg", "c.ogg")
        tar.add(sounds / "c.ogg", "c.ogg")
    done = piped(out.getvalue(), "-", "-f", "csv")
    assert "-!/up/../../a.wav: has a path that leads out of its archive" in done.stderr
    assert {line.split(",")[0] for line in done.lines[1:]} == {"-!/c.ogg"}


def test_one_recording_at_most_waits_where_recordings_are_large(piped, sounds, monkeypatch):
    """What waits is bounded, and the run ends all the same."""
    monkeypatch.setattr(piped_tar, "MOST_WAITING_BYTES", 1000)
    kept, most = piped_tar.PipedTar.keep, []

    def keep(self, source):
        found = kept(self, source)
        most.append(len(piped_tar._waiting))
        return found

    monkeypatch.setattr(piped_tar.PipedTar, "keep", keep)
    for number in range(8):
        (sounds / f"{number}.wav").write_bytes((sounds / "b/short.wav").read_bytes())
    assert piped(packed(sounds), "-", "-o", "tags.csv").code == 0
    assert len(most) == 12
    assert max(most) <= 1


def test_a_full_temporary_folder_costs_a_recording_and_is_said(piped, sounds, monkeypatch):
    def full(self, size, file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(piped_tar.PipedTar, "_copy", full)
    done = piped(packed(sounds), "-", "-f", "csv")
    assert done.code == 3
    assert "-!/a.wav: cannot be kept in " in done.stderr
    assert "4 recordings failed" in done.stderr


def test_the_clock_of_the_recorder_is_read_from_members_too(piped, sounds):
    guano = b"GUANO|Version: 1.0\nTimestamp: 2026-03-23T05:30:00Z\n"
    content = (sounds / "c.ogg").with_name("g.wav")
    soundfile.write(content, np.random.default_rng(1).standard_normal(16_000) / 10, 16_000)
    data = content.read_bytes() + b"guan" + len(guano).to_bytes(4, "little") + guano + bytes(len(guano) % 2)
    content.write_bytes(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:])
    done = piped(packed(sounds), "-", "-f", "csv", "--start-time", "metadata", "--include-glob", "g.wav")
    assert "2026-03-23T05:30:00" in done.stdout.decode()
