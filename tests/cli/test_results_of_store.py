"""Every command that takes results takes a store, and gives what it gives of the results of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from cedtag.records import FileEnd
from cedtag.results.read import read_results
from tests.archive import StubScorer, make_archive, stub_tagger

TINY = ["-w", "0.2", "--hop", "0.1", "--no-progress", "-q"]


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


@pytest.fixture(autouse=True)
def archive(tmp_path, monkeypatch, cedtag) -> None:
    """A folder to stand in, with twelve recordings, a store of their scores, and results of a run."""
    monkeypatch.chdir(tmp_path)
    make_archive(tmp_path / "tree", 12)
    cedtag("tree", *TINY, "--store", "store")
    cedtag("tree", *TINY, "-o", "tags.json")
    cedtag("tree", *TINY, "-k", "0", "-t", "0", "-o", "every.json")


def both(cedtag, command: str, *options: str, results: str = "tags.json") -> tuple:
    """What a command writes to standard output, of a store and of results."""
    return tuple(cedtag(command, name, *options).stdout for name in ("store", results))


@pytest.mark.parametrize(
    "options", [["-f", "csv"], ["-f", "json"], ["-f", "csv", "--layout", "file"], ["-f", "rttm"], ["-f", "dcase"]]
)
def test_convert_gives_the_rows_of_tag_with_its_defaults(cedtag, options):
    of_store, of_results = both(cedtag, "convert", *options)
    assert of_store == of_results != b""


@pytest.mark.parametrize(
    "options",
    [["-t", "0.02"], ["-k", "0"], ["--labels", "1", "--labels", "3", "-t", "0.7"], ["--where", "0 > 0.5", "-k", "2"]],
)
def test_what_convert_asks_is_asked_of_all_scores(cedtag, options):
    asked = cedtag("convert", "store", "-f", "json", *options).stdout
    assert asked == cedtag("tree", *TINY, "-f", "json", *options).stdout


def test_events_of_a_store_are_those_of_the_recordings(cedtag):
    options = ["--onset", "0.6", "--offset", "0.3", "-f", "csv"]
    assert cedtag("events", "store", *options).stdout == cedtag("events", "tree", *TINY, *options).stdout != b""


def test_an_evaluation_has_all_scores(cedtag):
    pytest.importorskip("sklearn")
    names = [one.source.name for one in read_results(Path("tags.json"))[1] if isinstance(one, FileEnd)]
    lines = [f"{name},{'Speech' if number % 2 else 'Child speech, kid speaking'}" for number, name in enumerate(names)]
    rows = [line if line.count(",") == 1 else f'{line.split(",", 1)[0]},"{line.split(",", 1)[1]}"' for line in lines]
    Path("data.csv").write_text("\n".join(["file,labels", *rows]) + "\n")
    of_store = cedtag("evaluate", "data.csv", "--scores", "store", "-f", "csv")
    of_results = cedtag("evaluate", "data.csv", "--scores", "every.json", "-f", "csv")
    assert of_store.code == of_results.code == 0, of_store.stderr
    assert of_store.stdout == of_results.stdout


def test_a_report_and_clips_are_made_of_a_store(cedtag):
    assert cedtag("report", "store", "-o", "page.html", "--title", "A").code == 0
    cedtag("report", "tags.json", "-o", "other.html", "--title", "A")
    assert Path("page.html").read_bytes() == Path("other.html").read_bytes()
    assert cedtag("report", "store", "-o", "low.html", "-t", "0.01").code == 0
    assert Path("low.html").stat().st_size >= Path("page.html").stat().st_size
    for name in ("store", "tags.json.journal"):  # which has the same exact times
        assert cedtag("extract", name, "-o", f"clips-{name}", "--max-per-class", "1").code == 0
    assert Path("clips-store/clips.csv").read_bytes() == Path("clips-tags.json.journal/clips.csv").read_bytes()


def test_captions_are_made_of_a_store_of_one_recording(cedtag):
    cedtag("tree/disk 0/rec 0000.wav", *TINY, "--store", "one")
    cedtag("tree/disk 0/rec 0000.wav", *TINY, "-t", "0", "-k", "0", "-o", "one.json")
    assert both(cedtag, "captions", "--labels", "1")[0] == b""
    assert cedtag("captions", "one", "--labels", "1").stdout == cedtag("captions", "one.json", "--labels", "1").stdout


def test_merge_joins_stores_into_a_new_one(cedtag):
    for shard in ("1", "2"):
        cedtag("tree", *TINY, "--store", f"part{shard}", "--shard", f"{shard}/2")
    joined = cedtag("merge", "part1", "part2", "-o", "joined")
    assert "joined: 12 recordings of 2 parts" in joined.stderr
    assert cedtag("convert", "joined", "-f", "json").stdout == cedtag("convert", "store", "-f", "json").stdout
    assert "holds a store already" in cedtag("merge", "part1", "part2", "-o", "joined").stderr
    assert "name each store once" in cedtag("merge", "part1", "part1", "-o", "again").stderr
    assert "stores are joined into a store" in cedtag("merge", "part1", "part2", "-o", "rows.csv").stderr
    cedtag("tree", "-w", "0.3", *TINY[2:], "--store", "longer")
    assert "`window` was 0.2 and is now 0.3" in cedtag("merge", "part1", "longer", "-o", "mixed").stderr
    assert not Path("mixed").exists()


def test_the_library_reads_a_store_as_results(cedtag):
    run, results = read_results(Path("store"))
    expected_run, expected = read_results(Path("tags.json"))
    assert run.settings == expected_run.settings
    # Files of results cut times to milliseconds.
    assert [len(getattr(one, "tags", ())) for one in results] == [len(getattr(one, "tags", ())) for one in expected]
