"""A run that was killed at any moment goes on to the bytes of one that was not."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from itertools import chain
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.errors import AudioError
from cedtag.run import journal as journal_module
from cedtag.run.journal.open import open_journal
from cedtag.writers.run_info import RunInfo
from tests.archive import StubScorer, make_archive, stub_tagger, write_recording

OUTPUTS = {
    "csv": ["-o", "out/all.csv"],
    "json": ["-o", "out/all.json"],
    "jsonl": ["-o", "out/all.jsonl"],
    "tsv": ["-o", "out/all.tsv"],
    "several": ["-o", "out/all.csv", "-o", "out/all.jsonl", "--errors", "out/errors.jsonl"],
    "folder": ["-o", "out/", "-f", "jsonl", "-f", "csv", "--errors", "out/errors.jsonl"],
}
TINY = ["-w", "0.2", "--no-progress", "-q"]
pytestmark = pytest.mark.slow


@pytest.fixture
def scorer() -> StubScorer:
    return StubScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


@pytest.fixture
def archive(tmp_path, monkeypatch, scorer) -> Path:
    """A folder to stand in, with 24 recordings in `tree/`."""
    monkeypatch.chdir(tmp_path)
    return make_archive(tmp_path / "tree", 24)


def made(folder: Path = Path("out")) -> dict[str, bytes]:
    """What was made, without journals."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".journal"))
    return {str(path): path.read_bytes() for path in files}


def journal_of(folder: Path = Path("out")) -> Path:
    (path,) = folder.glob("*.journal")
    return path


def ends(journal: bytes) -> list[dict]:
    return [json.loads(line)["end"] for line in journal.splitlines() if line.startswith(b'{"end":')]


def cuts(journal: bytes) -> list[int]:
    """Where a kill may leave a journal: after any line, and anywhere in one."""
    lines = journal.splitlines(keepends=True)
    after_lines = np.cumsum([len(line) for line in lines]).tolist()
    rng = random.Random(1)
    return sorted({0, 1, *rng.sample(after_lines, 8), *(rng.randrange(len(journal)) for _ in range(6))})


@pytest.mark.parametrize("kind", OUTPUTS)
def test_cut_at_any_byte_of_its_journal_a_run_goes_on_to_the_same_bytes(cedtag, archive, scorer, kind):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    code = cedtag(*command).code
    wanted, whole = made(), journal_of().read_bytes()
    journal, names = journal_of().relative_to("out"), [end["file"] for end in ends(whole)]
    for cut in cuts(whole):
        shutil.rmtree("out")
        Path("out").mkdir()
        Path("out", journal).write_bytes(whole[:cut])
        num_done = len(ends(whole[:cut].rpartition(b"\n")[0]))
        if kind == "folder" and cut > whole.index(b"\n"):
            leave_files(wanted, [name.removeprefix("tree/") for name in names[: num_done + cut % 2]])
        scorer.names.clear()

        done = cedtag(*command)

        assert (done.code, made()) == (code, wanted), (cut, done.stderr)
        assert set(scorer.names).isdisjoint(names[:num_done])


def leave_files(files: dict[str, bytes], recordings: list[str]) -> None:
    """Put the files of these recordings in a folder, and what a killed run may leave of others."""
    for path, data in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if path.removeprefix("out/").removesuffix(".jsonl").removesuffix(".csv") in recordings:
            Path(path).write_bytes(data)
        elif path != "out/errors.jsonl":
            Path(path).with_name(f".{Path(path).name}.part").write_bytes(b"torn")


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_finished_run_is_not_made_again(cedtag, archive, scorer, kind):
    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code
    before, journal = {path: Path(path).stat() for path in made()}, journal_of().read_bytes()
    scorer.names.clear()
    done = cedtag("tree", *TINY, *OUTPUTS[kind])
    assert (done.code, scorer.names) == (code, [])
    same = ("st_ino", "st_size", "st_mtime_ns")
    assert all(getattr(Path(path).stat(), name) == getattr(before[path], name) for path in made() for name in same)
    assert journal_of().read_bytes() == journal


@pytest.mark.parametrize("kind", OUTPUTS)
def test_after_changes_the_outputs_are_those_of_a_run_that_never_saw_the_old_ones(cedtag, archive, scorer, kind):
    cedtag("tree", *TINY, *OUTPUTS[kind])
    changed, broken = archive / "disk 0" / "rec 0000.wav", archive / "disk 0" / "rec 0009.wav"
    write_recording(changed, np.random.default_rng(99))
    broken.write_text("no audio any more\n")
    write_recording(archive / "disk 0" / "aaa new.wav", np.random.default_rng(98))
    scorer.names.clear()

    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code

    assert set(scorer.names) == {"tree/disk 0/rec 0000.wav", "tree/disk 0/aaa new.wav"}
    resumed = made()
    shutil.rmtree("out")
    assert (cedtag("tree", *TINY, *OUTPUTS[kind]).code, made()) == (code, resumed)


def spellings(folder: str) -> list[str]:
    here = Path.cwd()
    return [
        f"./{folder}",
        f"{folder}/",
        f"{folder}//.",
        f"{here}/{folder}",
        f"../{here.name}/{folder}",
        f"link/../{folder}",
    ]


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_folder_that_is_spelled_in_another_way_is_not_done_again(cedtag, archive, scorer, kind):
    Path("link").symlink_to("tree")
    Path("tree/tree").symlink_to("../tree")
    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code
    before = made()
    scorer.names.clear()
    for spelling in [*spellings("tree"), "link"]:
        done = cedtag(spelling, *TINY, *OUTPUTS[kind])
        assert (done.code, made(), scorer.names) == (code, before, []), (spelling, done.stderr)
    output = [arg.replace("out/", f"{Path.cwd()}/out/") for arg in OUTPUTS[kind]]
    os.chdir("tree")
    assert cedtag(".", *TINY, *output).code == code
    os.chdir("..")
    assert (made(), scorer.names) == (before, [])


@pytest.mark.parametrize("kind", OUTPUTS)
def test_single_files_are_the_recordings_of_their_folder(cedtag, archive, scorer, kind):
    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code
    before, here = made(), Path.cwd()
    scorer.names.clear()
    Path("list.txt").write_bytes(b"".join(os.fsencode(path) + b"\0" for path in here.glob("tree/*/*.wav")))
    assert cedtag("tree", "-0", "--files-from", "list.txt", *TINY, *OUTPUTS[kind]).code == code
    assert (made(), scorer.names) == (before, [])


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_changed_recording_keeps_its_first_name(cedtag, archive, scorer, kind):
    cedtag("tree", *TINY, *OUTPUTS[kind])
    write_recording(archive / "disk 0" / "rec 0000.wav", np.random.default_rng(99))
    code = cedtag(f"{Path.cwd()}/tree", *TINY, *OUTPUTS[kind]).code
    resumed = made()
    shutil.rmtree("out")
    assert (cedtag("tree", *TINY, *OUTPUTS[kind]).code, made()) == (code, resumed)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_is_named_several_times_is_written_once(cedtag, archive, kind):
    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code
    before = made()
    shutil.rmtree("out")
    command = ["tree", *spellings("tree")[:3], "tree/disk 0", "tree/disk 0/rec 0000.wav", *TINY, *OUTPUTS[kind]]
    assert cedtag(*command, "--summary", "summary.json").code == code
    assert made() == before
    summary = json.loads(Path("summary.json").read_text())
    assert (
        summary["found"] == summary["done"] + summary["partial"] + summary["failed"] + summary["skipped"] == 4 * 24 + 9
    )


def test_what_is_named_several_times_is_said_once(cedtag, archive):
    done = cedtag("tree", "./tree", "-w", "0.2", "--no-progress", "-o", "out/all.csv")
    assert done.stderr.count("was named before") == 1
    assert cedtag("tree", "./tree", *TINY, "-o", "other.csv").stderr.count("was named before") == 0


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_moved_archive_is_not_done_again(cedtag, archive, scorer, kind):
    code = cedtag("tree", *TINY, *OUTPUTS[kind]).code
    before = made()
    Path("elsewhere").mkdir()
    for name in ("tree", "out"):
        Path(name).rename(f"elsewhere/{name}")
    os.chdir("elsewhere")
    for _ in range(2):
        scorer.names.clear()
        assert (cedtag("tree", *TINY, *OUTPUTS[kind]).code, made(), scorer.names) == (code, before, [])
    write_recording(Path("tree/disk 0/rec 0000.wav"), np.random.default_rng(99))
    cedtag("tree", *TINY, *OUTPUTS[kind], "--retry-failed")
    lines = [end for end in ends(journal_of().read_bytes()) if end.get("was")]
    assert all(end["at"].startswith(str(Path.cwd())) for end in lines)


@pytest.mark.parametrize("is_the_same_size", [True, False])
def test_two_files_of_one_name_in_different_folders_never_become_one(cedtag, archive, is_the_same_size):
    for folder, seed in (("a", 1), ("b", 1 if is_the_same_size else 2)):
        Path(folder).mkdir()
        write_recording(Path(folder, "x.wav"), np.random.default_rng(seed))
        os.utime(Path(folder, "x.wav"), (5, 5))
    output = [*TINY, "-o", f"{Path.cwd()}/out/all.csv"]
    os.chdir("a")
    assert cedtag("x.wav", *output).code == 0
    rows = Path("../out/all.csv").read_bytes()
    os.chdir("../b")
    for _ in range(2):
        done = cedtag("x.wav", *output)
        assert (done.code, Path("../out/all.csv").read_bytes()) == (3, rows)
        assert "x.wav: the results hold another recording of this name" in done.stderr
    assert cedtag(str(Path("x.wav").absolute()), *output).code == 0
    assert Path("../out/all.csv").read_bytes().startswith(rows)
    os.chdir("../a")
    Path("x.wav").unlink()
    os.chdir("../b")
    if not is_the_same_size:
        assert cedtag("x.wav", *output).code == 0


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_journal_without_places_goes_on_by_names(cedtag, archive, scorer, kind):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    code = cedtag(*command).code
    wanted = made()
    journal_of().write_bytes(without_places(journal_of().read_bytes()))
    scorer.names.clear()
    assert (cedtag(*command).code, made(), scorer.names) == (code, wanted, [])
    write_recording(archive / "disk 0" / "rec 0000.wav", np.random.default_rng(99))
    cedtag(*command)
    assert set(scorer.names) == {"tree/disk 0/rec 0000.wav"}
    if kind == "csv":
        rows, scored = sorted(Path("out/all.csv").read_text().splitlines()), list(scorer.names)
        assert cedtag("./tree/disk 0/rec 0000.wav", *command[1:]).code == 0
        assert (sorted(Path("out/all.csv").read_text().splitlines()), scorer.names) == (rows, scored)


def without_places(journal: bytes) -> bytes:
    """The journal as older versions wrote it."""
    made, rows = b"", b""
    for line in journal.splitlines(keepends=True):
        if line.startswith(b'{"row":'):
            rows += line
        elif line.startswith(b'{"end":'):
            end = json.loads(line)["end"] | {"rows_at": len(made)}
            del end["at"]
            body = json.dumps({"end": end}, separators=(",", ":")).encode()[:-1]
            made += rows + b'%b,"crc":%d}\n' % (body, crc32(body, crc32(rows)))
            rows = b""
        else:
            made += line
    return made


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_what_failed_stays_failed_until_it_is_to_be_tried_again(cedtag, archive, scorer, kind):
    bad = archive / "disk 1" / "rec 0004.wav"
    command = ["tree", *TINY, *OUTPUTS[kind], "--summary", "summary.json"]
    assert cedtag(*command).code == 3
    first = json.loads(Path("summary.json").read_text())
    status = bad.stat()
    write_recording(bad, np.random.default_rng(3))
    os.truncate(bad, status.st_size)  # the same size and time, as after a reading error of the disk
    os.utime(bad, ns=(status.st_mtime_ns, status.st_mtime_ns))
    scorer.names.clear()

    assert cedtag(*command).code == 3
    again = json.loads(Path("summary.json").read_text())
    assert (again["failed"], again["already_done"]) == (first["failed"], first["done"] + first["partial"])
    bad.write_bytes(b"")
    write_recording(bad, np.random.default_rng(3))
    os.utime(bad, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert scorer.names == []
    cedtag(*command, "--retry-failed")
    assert set(scorer.names) == {"tree/disk 1/rec 0004.wav"}
    assert json.loads(Path("summary.json").read_text())["failed"] == first["failed"] - 1


def break_disk(monkeypatch, way: str) -> None:
    """Let every recording be cut short after its first samples by a cause that can pass."""
    frames, pread = SoundFileDecoder.frames, os.pread

    def failing(decoder):
        yield next(frames(decoder))[:4000]
        if way == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if way == "crash":
            raise AudioError("its decoder crashed (SIGKILL)", stage="crash")
        monkeypatch.setattr(os, "pread", unreadable)  # "end": libsndfile takes the error for the end of the file

    def unreadable(*args):
        monkeypatch.setattr(os, "pread", pread)  # the next recording opens
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(SoundFileDecoder, "frames", failing)


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("way", ["error", "crash", "end"])
def test_what_was_cut_short_by_a_cause_that_can_pass_is_tried_again(cedtag, archive, scorer, monkeypatch, kind, way):
    for path in archive.rglob("*.wav"):
        if path.is_file() and path.name != "rec 0000.wav" and path.name != "rec 0006.wav":
            path.unlink()
    command = ["tree", *TINY, *OUTPUTS[kind]]
    assert cedtag(*command).code == 3  # one is damaged itself
    wanted = made()
    shutil.rmtree("out")
    with monkeypatch.context() as patch:
        break_disk(patch, way)
        assert cedtag(*command, "-j", "1").code == 3
    cut = made()
    assert {end["status"] for end in ends(journal_of().read_bytes())} == {"partial"}
    scorer.names.clear()
    assert (cedtag(*command).code, made(), scorer.names) == (3, cut, [])

    assert (cedtag(*command, "--retry-failed").code, made()) == (3, wanted)

    scorer.names.clear()
    assert (cedtag(*command, "--retry-failed").code, made(), scorer.names) == (3, wanted, [])


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_rows_stay_when_another_try_gives_none(cedtag, archive, monkeypatch, kind):
    command = ["tree/disk 0/rec 0000.wav", *TINY, *OUTPUTS[kind]]
    with monkeypatch.context() as patch:
        break_disk(patch, "error")
        assert cedtag(*command).code == 3
    before = made()

    def never(decoder):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(SoundFileDecoder, "frames", never)
        assert cedtag(*command, "--retry-failed").code == 3
    assert made() == before


@pytest.mark.parametrize("damage", ["first", "resumed"])
def test_the_summary_adds_up(cedtag, archive, damage):
    os.mkfifo(archive / "pipe.wav")
    command = ["tree", *TINY, "-o", "out/all.csv", "--summary", "summary.json"]
    cedtag(*command)
    if damage == "resumed":
        cedtag(*command)
    summary = json.loads(Path("summary.json").read_text())
    assert summary["found"] == summary["done"] + summary["partial"] + summary["failed"] + summary["skipped"] == 25
    assert summary["already_done"] == (summary["skipped"] - 1 if damage == "resumed" else 0)


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("csv", ["-k", "2"], "--top-k was 5 and is now 2"),
        ("csv", ["-t", "0.3"], "--threshold was 0.1 and is now 0.3"),
        ("json", ["--hop", "0.1"], "--hop was 0.2 and is now 0.1"),
        ("folder", ["--layout", "wide"], "--layout was long and is now wide"),
    ],
)
def test_other_settings_are_refused_by_the_name_of_the_option(cedtag, archive, kind, more, said):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    cedtag(*command)
    before, journal = made(), journal_of().read_bytes()
    done = cedtag(*command, *more)
    assert (done.code, made(), journal_of().read_bytes()) == (1, before, journal)
    assert said in done.stderr
    assert "--overwrite" in done.stderr
    assert cedtag(*command, *more, "--overwrite").code == 3
    assert made() != before


def test_another_layout_is_made_of_the_same_journal(cedtag, archive, scorer):
    command = ["tree", *TINY, "-o", "out/all.csv"]
    cedtag(*command)
    scorer.names.clear()
    cedtag(*command, "--layout", "wide")
    assert (Path("out/all.csv").read_text().splitlines()[0][:20], scorer.names) == ("file,start,end,Speec", [])


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_second_run_on_one_output_is_refused_while_the_first_goes_on(cedtag, archive, kind):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    cedtag(*command)
    header = json.loads(journal_of().read_bytes().splitlines()[0])
    run = RunInfo(header["settings"], StubScorer.labels)
    first = open_journal(journal_of(), run)
    before = journal_of().read_bytes()
    done = cedtag(*command)
    first.close()
    assert (done.code, journal_of().read_bytes()) == (1, before)
    assert "another run is writing this output" in done.stderr


@pytest.mark.parametrize("kind", OUTPUTS)
def test_nothing_is_replaced_without_being_told(cedtag, archive, kind):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    cedtag(*command)
    before = made()
    for name in before:
        Path(name).write_bytes(b"edited by hand")
        os.utime(name, (1, 1))
    journal_of().unlink()
    edited = made()
    for more in ([], ["--no-resume"]):
        shutil.rmtree("again", ignore_errors=True)
        done = cedtag(*command, *more)
        assert (done.code, made()) == (1, edited)
        assert "exists; use --overwrite" in done.stderr
        for journal in Path("out").glob("*.journal"):
            journal.unlink()
    assert (cedtag(*command, "--overwrite").code, made()) == (3, before)


@pytest.mark.parametrize("kind", ["csv", "json", "several"])
def test_overwriting_keeps_the_old_output_until_the_new_one_is_whole(cedtag, archive, kind):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    cedtag(*command)
    before = made()
    assert cedtag(*command, "-k", "2", "--overwrite", "--fail-fast").code == 3
    assert made() == before
    assert cedtag(*command, "-k", "2").code == 3  # goes on with what --overwrite began
    assert made() != before


def test_without_resume_no_journal_is_left(cedtag, archive):
    cedtag("tree", *TINY, "-o", "with.csv")
    assert cedtag("tree", *TINY, "-o", "out/all.csv", "--no-resume").code == 3
    assert made() == {"out/all.csv": Path("with.csv").read_bytes()}
    assert [path.name for path in Path("out").iterdir()] == ["all.csv"]


def test_rows_stay_while_their_recording_is_out_of_reach(cedtag, archive):
    named = [str(path.relative_to(archive.parent)) for path in sorted((archive / "disk 2").glob("rec*"))]
    command = [*named, *TINY, "-o", "out/all.csv"]
    cedtag(*command)
    before = made()
    archive.rename("elsewhere")
    done = cedtag(*command)
    assert (done.code, made()) == (3, before)
    Path("elsewhere").rename(archive)
    assert cedtag("tree", *TINY, "-o", "out/all.csv").code == 3
    both = sorted(Path("out/all.csv").read_text().splitlines())
    Path("tree").rename("elsewhere")
    assert cedtag("tree", *TINY, "-o", "out/all.csv").code == 3
    assert sorted(Path("out/all.csv").read_text().splitlines()) == both


def test_shards_are_disjoint_and_complete_and_stay_when_files_are_added(cedtag, archive, scorer):
    def names(shard: int) -> set[str]:
        scorer.names.clear()
        cedtag("tree", *TINY, "-o", f"out/{shard}.csv", "--shard", f"{shard}/3")
        return {end["file"] for end in ends(Path(f"out/{shard}.csv.journal").read_bytes())}

    parts = [names(shard) for shard in (1, 2, 3)]
    cedtag("tree", *TINY, "-o", "out/all.csv")
    assert sorted(chain.from_iterable(parts)) == sorted(
        end["file"] for end in ends(Path("out/all.csv.journal").read_bytes())
    )
    write_recording(archive / "new.wav", np.random.default_rng(5))
    assert set().union(*map(names, (1, 2, 3))) - set().union(*parts) == {"tree/new.wav"}
    assert set(scorer.names) <= {"tree/new.wav"}


def test_a_folder_makes_again_what_was_deleted(cedtag, archive, scorer):
    command = ["tree", *TINY, *OUTPUTS["folder"]]
    cedtag(*command)
    before = made()
    Path("out/disk 0/rec 0000.wav.csv").unlink()
    scorer.names.clear()
    cedtag(*command)
    assert (made(), set(scorer.names)) == (before, {"tree/disk 0/rec 0000.wav"})


def test_two_recordings_for_one_name_in_a_folder_are_told_apart(cedtag, archive):
    for folder, seed in (("a", 1), ("b", 2)):
        Path(folder).mkdir()
        write_recording(Path(folder, "x.wav"), np.random.default_rng(seed))
    command = [*TINY, "-o", "out/", "-f", "csv", "--errors", "errors.jsonl"]
    for _ in range(2):
        done = cedtag("a", "b", *command)
        assert done.code == 3
        assert "b/x.wav: out/x.wav.csv is for another recording" in done.stderr
        assert Path("out/x.wav.csv").read_text().splitlines()[1].startswith("a/x.wav,")
        assert json.loads(Path("errors.jsonl").read_text())["stage"] == "output"
    assert cedtag("b", *command).code == 3
    assert cedtag("a", *command).code == 0


def test_a_link_as_output_stays_a_link(cedtag, archive):
    Path("big disk").mkdir()
    Path("all.csv").symlink_to("big disk/all.csv")
    assert cedtag("tree", *TINY, "-o", "all.csv").code == 3
    assert Path("all.csv").is_symlink()
    assert Path("big disk/all.csv").read_text().startswith("file,")


def test_one_file_cannot_be_the_output_and_the_errors(cedtag, archive):
    done = cedtag("tree", *TINY, "-o", "all.csv", "--errors", "all.csv")
    assert (done.code, Path("all.csv").exists()) == (2, False)


@pytest.mark.parametrize("kind", ["csv", "folder"])
@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_whenever_a_write_of_the_journal_fails_what_is_committed_stays_good(
    cedtag, archive, monkeypatch, kind, trouble
):
    command = ["tree", *TINY, *OUTPUTS[kind]]
    code = cedtag(*command).code
    wanted = made()
    for failing in (0, 1, 2, 7, 20, 23):
        shutil.rmtree("out")
        with monkeypatch.context() as patch:
            patch.setattr(journal_module.os, "write", failing_write(failing, trouble))
            done = cedtag(*command)
        assert done.code == 1
        assert done.stderr.count("\n") == done.stderr.count("cedtag: ")
        assert f"cannot write results there ({os.strerror(trouble)})" in done.stderr
        assert len(ends(journal_of().read_bytes())) == max(failing - 1, 0)
        assert failing == 0 or journal_of().read_bytes().endswith(b"\n")
        assert (cedtag(*command).code, made()) == (code, wanted)


def failing_write(good_writes: int, trouble: int):
    """`os.write` that writes half of what it is given after some good ones, and then fails."""
    write, left = os.write, iter(range(good_writes))

    def limited(descriptor: int, data: bytes) -> int:
        if next(left, None) is not None:
            return write(descriptor, data)
        if len(data) > 1 and not failed:
            failed.append(True)
            return write(descriptor, data[: len(data) // 2])
        raise OSError(trouble, os.strerror(trouble))

    failed: list[bool] = []
    return limited


def test_damage_in_the_middle_is_told_with_what_to_keep(cedtag, archive, scorer):
    command = ["tree", *TINY, "-o", "out/all.csv"]
    cedtag(*command)
    wanted, lines = made(), journal_of().read_bytes().splitlines(keepends=True)
    damaged = list(lines)
    row = next(i for i, line in enumerate(lines) if i > 40 and line.startswith(b'{"row":'))
    damaged[row] = damaged[row].replace(b"0.", b"1.", 1)
    journal_of().write_bytes(b"".join(damaged))

    done = cedtag(*command)

    assert (done.code, made()) == (1, wanted)
    number = int(done.stderr.split("line ")[1].split()[0])
    assert f"head -n {number - 1}" in done.stderr
    journal_of().write_bytes(b"".join(damaged[: number - 1]))
    Path("out/all.csv").unlink()
    scorer.names.clear()
    assert (cedtag(*command).code, made()) == (3, wanted)
    assert set(scorer.names) < {end["file"] for end in ends(b"".join(lines))}


@pytest.mark.parametrize(
    "tail", [b"\0" * 5000, b'{"end":{"file":"x"', b'{"row":[0,0,160', b'{"end":{"status":"ok"}}\n']
)
def test_what_a_power_cut_leaves_at_the_end_is_cut_off(cedtag, archive, tail):
    command = ["tree", *TINY, "-o", "out/all.csv"]
    cedtag(*command)
    wanted = made()
    with journal_of().open("ab") as journal:
        journal.write(tail)
    assert (cedtag(*command).code, made()) == (3, wanted)
    assert not journal_of().read_bytes().endswith(tail)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"my own notes", "this is no journal of cedtag; move the file away"),
        (b'{"journal":"cedtag-journal/99"}\n', "another version of cedtag"),
        (b'{"journal":"cedtag-jour\xff\n{}\n', "line 1 is damaged"),
    ],
)
def test_what_is_no_journal_of_this_version_is_left_alone(cedtag, archive, text, said):
    Path("out").mkdir()
    Path("out/all.csv.journal").write_bytes(text)
    done = cedtag("tree", *TINY, "-o", "out/all.csv")
    assert (done.code, Path("out/all.csv.journal").read_bytes()) == (1, text)
    assert said in done.stderr
