from __future__ import annotations

import inspect
import io
import os
import random
import socket
import sys
import tempfile
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, booleans, integers, lists, sampled_from, text

from cedtag.errors import InputError
from cedtag.inputs.path_list import read_path_list
from cedtag.inputs.repeats import SeenPlaces
from cedtag.inputs.search import Search, parse_shard
from cedtag.inputs.sources import find_sources, shard_of
from cedtag.records import FileFailed, Repeated, Skipped, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD_NAMES = [
    "a\nb",
    "tab\t",
    "'quote\"",
    "🎵",
    "\x1b[31m",
    "-f",
    "=cmd",
    "\udcff\udcfe",
    "é" * 125 + "x",
    " ",
    "[bold]",
    "a,b",
]


def touch(folder: Path, *relatives: str) -> None:
    for relative in relatives:
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def found(*inputs: str | Path, **options: object) -> list[Source | Skipped | FileFailed]:
    return list(find_sources(map(str, inputs), Search(**options)))  # type: ignore[arg-type]


def relatives(*inputs: str | Path, **options: object) -> list[str]:
    return [source.relative for source in found(*inputs, **options) if isinstance(source, Source)]


# What is found in a folder


def test_recordings_of_a_folder_come_in_the_byte_order_of_their_relative_paths(tmp_path):
    touch(tmp_path, "b.wav", "a/z.wav", "a.wav", "a-1/x.wav", "a/b/c.ogg", "B.wav", "é.wav", "z/1.wav")
    assert relatives(tmp_path) == [
        "B.wav",
        "a-1/x.wav",
        "a.wav",
        "a/b/c.ogg",
        "a/z.wav",
        "b.wav",
        "z/1.wav",
        "é.wav",
    ]


def test_only_known_suffixes_are_taken_in_any_case(tmp_path):
    touch(tmp_path, "a.wav", "b.WAV", "c.Ogg", "d.txt", "wav", "e.wav.json", "f")
    assert relatives(tmp_path) == ["a.wav", "b.WAV", "c.Ogg"]


def test_hidden_names_are_passed_over_unless_they_were_typed(tmp_path):
    touch(tmp_path, ".hidden.wav", ".git/a.wav", "a/.b/c.wav")
    assert found(tmp_path) == []
    assert relatives(tmp_path / ".git", tmp_path / ".hidden.wav") == [
        "a.wav",
        f"{tmp_path}/.hidden.wav".lstrip("/"),
    ]


def test_a_folder_called_like_a_recording_is_walked_into(tmp_path):
    touch(tmp_path, "x.wav/y.wav")
    assert relatives(tmp_path) == ["x.wav/y.wav"]
    assert found(tmp_path, recursive=False) == []


def test_size_and_time_are_those_of_the_file(tmp_path):
    touch(tmp_path, "a.wav")
    os.utime(tmp_path / "a.wav", ns=(0, 1_700_000_000_123_456_789))
    for typed in (tmp_path, tmp_path / "a.wav"):
        (source,) = found(typed)
        assert (source.size, source.mtime_ns) == (5, 1_700_000_000_123_456_789)


def test_links_inside_folders_are_not_followed_but_told(tmp_path):
    touch(tmp_path, "real/a.wav", "notes.txt")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.wav").symlink_to(tmp_path / "real/a.wav")
    (root / "again").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    (root / "nowhere.wav").symlink_to(tmp_path / "missing")
    (root / "notes").symlink_to(tmp_path / "notes.txt")
    assert [(item.source.relative, item.reason) for item in found(root)] == [
        ("a.wav", "a symbolic link, not a recording"),
        ("again", "a symbolic link, not a recording"),
        ("nowhere.wav", "a symbolic link, not a recording"),
    ]


def test_a_link_that_was_typed_is_followed(tmp_path):
    touch(tmp_path, "real/a.wav")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "link.dat").symlink_to(tmp_path / "real/a.wav")
    assert found(tmp_path / "link", tmp_path / "link.dat")[0].name == f"{tmp_path}/link/a.wav"
    assert relatives(tmp_path / "link", tmp_path / "link.dat") == [
        "a.wav",
        f"{tmp_path}/link.dat".lstrip("/"),
    ]


def test_special_files_with_an_audio_suffix_are_skipped_with_a_word(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.wav")
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.wav")
        assert [(item.source.name, item.reason) for item in found(".")] == [
            ("./fifo.wav", "a named pipe (FIFO), not a recording"),
            ("./socket.wav", "a socket, not a recording"),
        ]


# What was typed


def test_a_file_that_was_typed_is_taken_whatever_its_suffix(tmp_path):
    touch(tmp_path, "notes.txt")
    path = str(tmp_path / "notes.txt")
    (source,) = found(path)
    assert (source.path, source.name, source.relative, source.root) == (path, path, path[1:], "/")


def test_files_of_one_name_that_were_typed_have_different_relative_paths(tmp_path, monkeypatch):
    touch(tmp_path, "a/x.wav", "b/x.wav")
    monkeypatch.chdir(tmp_path)
    assert relatives("a/x.wav", "./b/x.wav") == ["a/x.wav", "b/x.wav"]
    assert relatives(f"../{tmp_path.name}/a/x.wav") == [f"{tmp_path.name}/a/x.wav"]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("dir", ["dir/sub/a.wav"]),
        ("dir/", ["dir/sub/a.wav"]),
        ("dir//", ["dir/sub/a.wav"]),
        ("./dir", ["./dir/sub/a.wav"]),
        (".", ["./dir/sub/a.wav"]),
        ("dir/sub/a.wav", ["dir/sub/a.wav"]),
        ("../{cwd}/dir", ["../{cwd}/dir/sub/a.wav"]),
    ],
)
def test_names_are_what_was_typed_joined_with_what_was_found(tmp_path, monkeypatch, typed, names):
    touch(tmp_path, "dir/sub/a.wav")
    monkeypatch.chdir(tmp_path)
    sources = found(typed.format(cwd=tmp_path.name))
    assert [source.name for source in sources] == [name.format(cwd=tmp_path.name) for name in names]
    assert all(Path(source.path).is_file() for source in sources)


@pytest.mark.parametrize(("typed", "root"), [("a.wav", ""), ("./a.wav", "./"), (".", "."), ("../{cwd}/", "../{cwd}/")])
def test_the_root_is_the_folder_as_it_was_typed(tmp_path, monkeypatch, typed, root):
    touch(tmp_path, "a.wav")
    monkeypatch.chdir(tmp_path)
    (source,) = found(typed.format(cwd=tmp_path.name))
    assert (source.relative, source.root) == ("a.wav", root.format(cwd=tmp_path.name))


def test_inputs_keep_the_order_in_which_they_were_typed(tmp_path):
    touch(tmp_path, "b/1.wav", "a/2.wav")
    assert relatives(tmp_path / "b", tmp_path / "a") == ["1.wav", "2.wav"]


def test_a_dash_is_standard_input():
    (stdin,) = found("-")
    assert stdin == Source("-", "-", "-", mtime_ns=stdin.mtime_ns)
    assert found("-") != [stdin]  # what comes next is another recording


def test_an_input_that_cannot_be_opened_fails_alone(tmp_path):
    touch(tmp_path, "a.wav")
    os.mkfifo(tmp_path / "fifo")
    missing, good, fifo = tmp_path / "missing.wav", tmp_path / "a.wav", tmp_path / "fifo"
    first, second, third = found(missing, good, fifo)
    assert isinstance(second, Source)
    assert first == FileFailed(
        Source(str(missing), str(missing), str(missing)[1:], "/"),
        "open",
        f"{missing}: cannot be opened (No such file or directory)",
    )
    assert third.error == f"{fifo}: a named pipe (FIFO), not a recording; `cedtag -` reads standard input"


def test_no_input_at_all_is_an_error():
    with pytest.raises(InputError, match="name a file, a folder, or - for standard input"):
        found()


def test_the_first_recording_comes_before_later_inputs_and_folders_are_looked_at(tmp_path):
    touch(tmp_path, "a/1.wav", "b/2.wav", "c.wav")

    def inputs():
        yield str(tmp_path)
        raise AssertionError("asked for too early")

    sources = find_sources(inputs(), Search())
    assert next(sources).relative == "a/1.wav"
    touch(tmp_path, "b/1.wav")
    assert [next(sources).relative for _ in range(3)] == ["b/1.wav", "b/2.wav", "c.wav"]


# One recording by several names

SPELLINGS = ["tree", "./tree", "tree/", "tree//.", "tree/../tree", "{cwd}/tree", "../{name}/tree", "link", "link/."]


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with two recordings in `tree/` and a `link` to that."""
    touch(tmp_path, "tree/a.wav", "tree/sub/b.wav")
    (tmp_path / "link").symlink_to("tree")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_folder_leads_to_the_same_places(tree, spelling):
    spelling = spelling.format(cwd=tree, name=tree.name)
    wanted = [str(tree / "tree/a.wav"), str(tree / "tree/sub/b.wav")]
    assert [source.at for source in found(spelling)] == wanted
    assert [source.at for source in found(f"{spelling}/a.wav", f"{spelling}/sub/b.wav")] == wanted


@pytest.mark.parametrize("as_list", [True, False])
def test_a_recording_that_is_named_again_is_taken_once_under_its_first_name(tree, as_list):
    spellings = [spelling.format(cwd=tree, name=tree.name) for spelling in SPELLINGS]
    inputs = [f"{spellings[1]}/a.wav", *spellings, "tree/sub/../a.wav"]
    items = list(find_sources(inputs if as_list else iter(inputs), Search()))
    assert [item.name for item in items if isinstance(item, Source)] == ["./tree/a.wav", "tree/sub/b.wav"]
    assert {type(item) for item in items} == {Source, Repeated}
    assert len(items) == 1 + 2 * len(spellings) + 1


def test_a_missing_file_that_is_named_twice_fails_once(tree):
    assert [type(item) for item in found("none.wav", "./none.wav")] == [FileFailed, Repeated]


def test_links_to_files_and_files_with_equal_contents_are_recordings_of_their_own(tree):
    (tree / "other.wav").symlink_to("tree/a.wav")
    os.link("tree/a.wav", "hard.wav")
    assert [type(item) for item in found("tree/a.wav", "other.wav", "hard.wav")] == [Source] * 3


def test_a_link_that_a_folder_only_skips_can_be_named_beside_it(tree):
    (tree / "tree/link.wav").symlink_to("a.wav")
    items = found("tree", "tree/link.wav")
    assert [item.name for item in items if isinstance(item, Source)] == [
        "tree/a.wav",
        "tree/sub/b.wav",
        "tree/link.wav",
    ]


def test_standard_input_is_one_recording_and_no_file_is_the_same(tree):
    Path("-").write_bytes(b"12345")
    assert [type(item) for item in found("-", "./-", "-")] == [Source, Source, Repeated]
    assert found("-")[0].at == ""


def test_a_second_spelling_is_no_second_recording_where_there_can_be_one(tree):
    sources = find_sources(["tree/a.wav", "./tree/a.wav"], Search(), one_recording="this holds")
    assert [type(item) for item in sources] == [Source, Repeated]


def test_a_recording_is_in_one_shard_however_it_is_named_again(tree):
    names = [f"tree/{number}.wav" for number in range(40)]
    touch(tree, *names)
    again = [f"{tree}/{name}" for name in names]
    parts = [found(*names, *again, "tree", shard=(part, 3)) for part in (1, 2, 3)]
    taken = sorted(item.at for part in parts for item in part if isinstance(item, Source))
    assert taken == sorted([*again, f"{tree}/tree/a.wav", f"{tree}/tree/sub/b.wav"])


def test_where_the_working_folder_is_gone_recordings_are_found_without_their_places(tree):
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    assert [(source.name, source.at) for source in found("../tree/a.wav")] in ([], [("../tree/a.wav", "")])


def test_a_zero_byte_in_a_name_costs_that_name(tree):
    failed, good = found("a\0b.wav", "tree/a.wav")
    assert (type(failed), type(good)) == (FileFailed, Source)
    assert "zero byte" in failed.error


@given(lists(text("ab", max_size=6), max_size=3_000))
def test_places_are_new_once(places):
    seen, known = SeenPlaces(), set()
    for place in places:
        assert seen.add(place) == (place not in known)
        known.add(place)
    assert len(seen) == len(known)


def test_a_million_places_fit_in_some_megabytes():
    seen = SeenPlaces()
    tracemalloc.start()
    for number in range(50_000):
        assert seen.add(f"/archive/{number}.wav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / 50_000 < 40


# What cannot be listed


def test_a_folder_that_cannot_be_listed_is_reported_in_its_place(tmp_path, monkeypatch):
    touch(tmp_path, "a.wav", "closed/lost.wav", "z.wav")
    scandir = os.scandir

    def deny(path):  # permissions do not bind root, who may run the tests
        if path.endswith(b"/closed/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    first, failed, last = found(tmp_path)
    assert (first.relative, last.relative) == ("a.wav", "z.wav")
    assert failed == FileFailed(
        Source(f"{tmp_path}/closed/", f"{tmp_path}/closed/", "closed/", str(tmp_path)),
        "open",
        f"{tmp_path}/closed/: cannot be opened (Permission denied)",
    )


def test_a_file_that_vanishes_after_the_listing_is_reported(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    sources = find_sources([str(tmp_path)], Search())
    next(sources)
    (tmp_path / "b.wav").unlink()
    (failed,) = sources
    assert failed.error == f"{tmp_path}/b.wav: cannot be opened (No such file or directory)"


@contextmanager
def inside(folder: Path, name: str, depth: int) -> Iterator[None]:
    """The working directory is `depth` new folders deep; they are removed at the end, for pytest cannot reach them."""
    os.chdir(folder)
    for _ in range(depth):
        Path(name).mkdir()
        os.chdir(name)
    Path("deep.wav").touch()
    try:
        yield
    finally:
        Path("deep.wav").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path(name).rmdir()


def test_paths_too_long_to_open_are_reported_not_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with inside(tmp_path, "d" * 250, depth=18):
        (failed,) = found(tmp_path)
    assert failed.error.endswith("cannot be opened (File name too long)")


def test_a_tree_deeper_than_the_recursion_limit_is_walked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limit = sys.getrecursionlimit()
    with inside(tmp_path, "d", depth=150):
        sys.setrecursionlimit(len(inspect.stack(0)) + 100)
        try:
            assert relatives(tmp_path) == ["d/" * 150 + "deep.wav"]
        finally:
            sys.setrecursionlimit(limit)


# Globs


@pytest.mark.parametrize(
    ("glob", "taken"),
    [
        ("*.wav", ["a.wav", "s1/a.wav", "s1/deep/b.wav", "s2/c[1].wav"]),
        ("*.WAV", []),
        ("a.*", ["a.wav", "s1/a.wav", "s1/a.ogg"]),
        ("s1/*", ["s1/a.ogg", "s1/a.wav"]),
        ("s1/**", ["s1/a.ogg", "s1/a.wav", "s1/deep/b.wav"]),
        ("**/b.wav", ["s1/deep/b.wav"]),
        ("s1/**/?.wav", ["s1/a.wav", "s1/deep/b.wav"]),
        ("s[!1]/*", ["s2/c[1].wav"]),
        ("s[0-1]/*", ["s1/a.ogg", "s1/a.wav"]),
        ("c[[]1[]].wav", ["s2/c[1].wav"]),
        ("s1?a.wav", []),
        ("s1[!x]a.wav", []),
    ],
)
def test_globs_match_the_relative_path_or_the_name(tmp_path, glob, taken):
    touch(tmp_path, "a.wav", "s1/a.ogg", "s1/a.wav", "s1/deep/b.wav", "s2/c[1].wav")
    assert sorted(relatives(tmp_path, include_globs=(glob,))) == sorted(taken)


def test_excluding_wins_and_keeps_out_of_folders(tmp_path):
    touch(tmp_path, "a.wav", "tmp/b.wav", "x/tmp/c.wav", "x/d.wav", "x/e.ogg")
    assert relatives(tmp_path, include_globs=("*.wav",), exclude_globs=("tmp", "d.*")) == ["a.wav"]


def test_globs_hold_for_files_that_were_typed_too(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    assert [source.name for source in found(tmp_path / "a.wav", tmp_path / "b.wav", exclude_globs=("b*",))] == [
        f"{tmp_path}/a.wav"
    ]


def test_a_glob_that_means_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"\[z-a\]"):
        found(tmp_path, include_globs=("[z-a]",))


@given(text("ab*?[]!-^\\&|~\n", max_size=8))
def test_any_glob_is_read_or_refused(glob):
    try:
        assert [source.name for source in found("-", include_globs=(glob,))] == ["-"]
    except InputError:
        assert "[" in glob


# Shards


@given(integers(1, 20))
def test_shards_are_disjoint_and_complete(count):
    paths = [f"site{i % 7}/{i}.wav" for i in range(200)]
    assert all(1 <= shard_of(path, count) <= count for path in paths)


def test_a_shard_does_not_change_with_the_version_or_the_machine():
    assert [shard_of(path, 8) for path in ("a.wav", "sub/ü.wav", "\udcff.wav")] == [7, 6, 7]


def _without_time(item: Source | Skipped | FileFailed) -> Source | Skipped | FileFailed:
    """Standard input has another time whenever it is found."""
    return replace(item, mtime_ns=0) if isinstance(item, Source) and item.path == "-" else item


def test_the_shards_of_a_run_join_to_the_whole(tmp_path):
    touch(tmp_path, *(f"{i % 5}/{i}.wav" for i in range(60)), "typed.dat")
    os.mkfifo(tmp_path / "fifo.wav")
    inputs = (tmp_path, tmp_path / "typed.dat", tmp_path / "missing", "-")
    parts = [found(*inputs, shard=(part, 3)) for part in (1, 2, 3)]
    assert all(len(part) > 10 for part in parts)
    everything = found(*inputs)
    parts, everything = [list(map(_without_time, part)) for part in parts], list(map(_without_time, everything))
    assert sorted((item for part in parts for item in part), key=repr) == sorted(everything, key=repr)
    assert all([item for item in everything if item in part] == part for part in parts)


def test_a_shard_is_written_as_part_of_count():
    assert parse_shard("2/8") == (2, 8)
    assert parse_shard("1/1") == (1, 1)


@pytest.mark.parametrize("wrong", ["0/8", "9/8", "2", "2/", "/8", "-1/8", "a/b", "1/0", "1/2/3", " 1/2", "1/2\n", ""])
def test_what_is_no_shard_is_refused(wrong):
    with pytest.raises(InputError, match="write I/N"):
        parse_shard(wrong)


# Lists of paths


@given(lists(sampled_from(["a.wav", "dir/b.wav", " c.wav ", *[n for n in ODD_NAMES if "\n" not in n]])), booleans())
def test_a_list_gives_its_lines_with_either_line_end(paths, crlf):
    end = b"\r\n" if crlf else b"\n"
    assert list(read_path_list(io.BytesIO(end.join(map(os.fsencode, paths))), False)) == paths


@given(lists(sampled_from(["a.wav", "cr\r", *ODD_NAMES])))
def test_a_list_separated_by_nul_keeps_every_byte_of_its_paths(paths):
    assert list(read_path_list(io.BytesIO(b"".join(os.fsencode(path) + b"\0" for path in paths)), True)) == paths


@given(binary(max_size=60), integers(1, 7))
def test_a_list_does_not_depend_on_how_it_arrives(data, size):
    class Trickle(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(size)

    assert list(read_path_list(Trickle(data), True)) == list(read_path_list(io.BytesIO(data), True))


def test_empty_lines_and_a_byte_order_mark_are_left_out():
    assert list(read_path_list(io.BytesIO(b"\xef\xbb\xbfa.wav\n\n\r\nb.wav"), False)) == ["a.wav", "b.wav"]


def test_a_path_is_given_as_soon_as_its_line_is_read():
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        paths = read_path_list(stream, False)
        writer.write(b"a.wav\nb")
        assert next(paths) == "a.wav"
        writer.write(b".wav\n")
        assert next(paths) == "b.wav"


@pytest.mark.parametrize(("data", "sentence"), [(b"a\0b\0", "say -0"), (b"x" * 3_000_000, "over 1 MiB")])
def test_what_is_no_list_of_lines_is_refused(data, sentence):
    with pytest.raises(InputError, match=sentence):
        list(read_path_list(io.BytesIO(data), False))


# Names of all kinds


def test_odd_names_survive_to_the_byte(tmp_path):
    names = [f"{name}.wav" for name in ODD_NAMES]
    touch(tmp_path, *names)
    sources = found(tmp_path)
    assert [source.relative for source in sources] == sorted(names, key=os.fsencode)
    assert all(Path(source.path).read_bytes() == b"12345" for source in sources)
    assert [source.name for source in found(*(tmp_path / name for name in names))] == [
        f"{tmp_path}/{name}" for name in names
    ]


@settings(max_examples=25)
@given(
    lists(lists(sampled_from(["a", "b", "a-b", "a.b", *ODD_NAMES[:8]]), min_size=1, max_size=4), max_size=12),
    integers(),
)
def test_the_order_does_not_depend_on_how_a_tree_came_to_be(paths, seed):
    wanted = sorted({"/".join(parts) + ".wav" for parts in paths}, key=os.fsencode)
    shuffled = random.Random(seed).sample(wanted, len(wanted))
    with tempfile.TemporaryDirectory() as folder:
        touch(Path(folder), *shuffled)
        assert relatives(folder) == wanted


@pytest.mark.parametrize("output", [("-o", "tags.csv"), ("--store", "store")])
@pytest.mark.parametrize("seconds", [-(10**9), 10**10])
def test_a_clock_that_is_far_off_costs_no_run(cedtag, sounds, seconds, output):
    try:
        os.utime(sounds / "a.wav", (seconds, seconds))
    except OverflowError:
        pytest.skip("the file system holds no such time")
    if (sounds / "a.wav").stat().st_mtime != seconds:
        pytest.skip("the file system holds no such time")
    assert cedtag("sounds", *output).code == 0
    assert "4 recordings done earlier" in cedtag("sounds", *output).stderr
