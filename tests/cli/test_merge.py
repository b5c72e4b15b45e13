from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cedtag.run.outputs import files
from cedtag.system.processor import Processor, processor
from tests.archive import StubScorer, make_archive, stub_tagger, write_recording

TINY = ["-w", "0.2", "--no-progress", "-q"]
PARTS = ["parts/1.csv", "parts/2.json.journal", "parts/3.csv"]


@pytest.fixture
def scorer() -> StubScorer:
    return StubScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


@pytest.fixture
def archive(tmp_path, monkeypatch, scorer, cedtag) -> Path:
    """A folder to stand in, with 30 recordings in `tree/` and `more/`, and the parts of three shards in `parts/`."""
    monkeypatch.chdir(tmp_path)
    make_archive(tmp_path / "tree", 30)
    make_archive(tmp_path / "more", 12, seed=1)
    for shard, output in (("1/3", "1.csv"), ("2/3", "2.json"), ("3/3", "3.csv")):
        cedtag("tree", "more", *TINY, "-o", f"parts/{output}", "--shard", shard)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    "output",
    [["-o", "{}.csv"], ["-o", "{}.json"], ["-o", "{}.csv", "-o", "{}.jsonl"], ["-o", "{}.tsv", "--layout", "wide"]],
)
def test_joined_shards_are_what_one_run_writes_which_goes_on_from_them(cedtag, archive, scorer, output):
    def made(name: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted(Path().glob(f"{name}.*")) if path.suffix != ".journal"]

    one, joined = ([part.format(name) for part in (*output, "--errors", "{}.err")] for name in ("one", "joined"))
    assert cedtag("tree", "more", *TINY, *one).code == 3
    assert cedtag("merge", *PARTS, *joined).code == 0
    assert made("joined") == made("one")

    before, journal = made("joined"), Path(f"{joined[1]}.journal").read_bytes()
    scorer.names.clear()
    assert cedtag("tree", "more", *TINY, *joined).code == 3
    assert (made("joined"), scorer.names, Path(f"{joined[1]}.journal").read_bytes()) == (before, [], journal)

    write_recording(archive / "disk 1" / "new.wav", np.random.default_rng(9))
    assert cedtag("tree", "more", *TINY, *joined).code == cedtag("tree", "more", *TINY, *one).code
    assert made("joined") == made("one") != before


def test_parts_that_were_run_in_any_order_and_again_join_in_the_order_of_paths(cedtag, archive):
    write_recording(archive / "disk 0" / "aaa.wav", np.random.default_rng(9))
    write_recording(archive / "disk 0" / "rec 0000.wav", np.random.default_rng(8))
    for shard, output in (("3/3", "3.csv"), ("1/3", "1.csv"), ("2/3", "2.json")):
        cedtag("tree", "more", *TINY, "-o", f"parts/{output}", "--shard", shard)
    cedtag("tree", "more", *TINY, "-o", "one.csv")
    assert cedtag("merge", *reversed(PARTS), "-o", "joined.csv").code == 0
    assert Path("joined.csv").read_bytes() == Path("one.csv").read_bytes()


def test_shards_join_into_a_folder(cedtag, archive):
    cedtag("tree", *TINY, "-o", "one/", "-f", "csv")
    for number in (1, 2):
        cedtag("tree", *TINY, "-o", f"half{number}.csv", "--shard", f"{number}/2")
    assert cedtag("merge", "half1.csv", "half2.csv", "-o", "joined/", "-f", "csv").code == 0

    def files(folder: str) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*.csv")}

    assert files("joined") == files("one") != {}


def test_parts_of_undivided_runs_join_too(cedtag, archive):
    for folder in ("tree", "more"):
        cedtag(folder, *TINY, "-o", f"{folder}.csv")
    cedtag("more", "tree", *TINY, "-o", "one.csv")
    assert cedtag("merge", "more.csv", "tree.csv", "-o", "joined.csv").code == 0
    assert Path("joined.csv").read_bytes() == Path("one.csv").read_bytes()


@pytest.mark.parametrize(
    ("parts", "code", "said"),
    [
        (PARTS[:2], 2, "of 3 shards these are missing: 3/3"),
        (PARTS[2:], 2, "of 3 shards these are missing: 1/3, 2/3"),
        ([*PARTS, "parts/3.csv"], 2, "is in both parts/3.csv.journal and parts/3.csv.journal"),
        ([*PARTS, "other.csv"], 2, "`top-k` was 5 and is now 2"),
        ([*PARTS, "whole.csv"], 2, "other.csv, which is no shard"),
        ([*PARTS[:2], "quarter.csv"], 2, "there are shards of 3 and shards of 4"),
        ([*PARTS[:2], "cut.csv"], 2, "has not come to its end"),
        ([*PARTS, "folder"], 2, "the files of a folder need no merging"),
        ([*PARTS, "nowhere.csv"], 2, "nowhere.csv.journal: the journal of this part cannot be read"),
        ([], 2, "Missing argument"),
    ],
)
def test_parts_that_are_no_whole_are_refused(cedtag, archive, parts, code, said):
    cedtag("tree", *TINY, "-o", "other.csv", "-k", "2")
    cedtag("more/disk 0", *TINY, "-o", "whole.csv")
    cedtag("tree", *TINY, "-o", "quarter.csv", "--shard", "3/4")
    journal = Path("parts/3.csv.journal").read_bytes()
    Path("cut.csv.journal").write_bytes(journal[: journal.rindex(b'{"made"')])
    Path("folder").mkdir()
    done = cedtag("merge", *parts, "-o", "joined.csv")
    assert (done.code, Path("joined.csv").exists(), Path("joined.csv.journal").exists()) == (code, False, False)
    assert said.replace("other.csv, which", "whole.csv.journal, which") in done.stderr


def test_a_part_and_what_exists_are_not_written_over(cedtag, archive):
    before = {path: path.read_bytes() for path in Path("parts").iterdir()}
    assert cedtag("merge", *PARTS, "-o", "parts/1.csv", "--overwrite").code == 2
    assert cedtag("merge", *PARTS, "-o", "parts/3.json", "--errors", "parts/1.csv", "--overwrite").code == 2
    Path("mine.csv").write_text("precious")
    assert cedtag("merge", *PARTS, "-o", "mine.csv").code == 1
    shutil.copy("parts/1.csv.journal", "begun.csv.journal")
    assert cedtag("merge", *PARTS, "-o", "begun.csv").code == 1
    assert {path: path.read_bytes() for path in Path("parts").iterdir()} == before
    assert Path("mine.csv").read_text() == "precious"
    assert cedtag("merge", *PARTS, "-o", "mine.csv", "--overwrite").code == 0
    assert json.loads(Path("mine.csv.journal").read_text().splitlines()[0])["settings"]["window"] == 0.2


def test_shards_of_another_spelling_join_in_order_and_never_twice(cedtag, archive):
    spellings = ("./tree", f"{Path.cwd()}/tree", "tree/../tree")
    for number, spelling in enumerate(spellings, 1):
        cedtag(spelling, *TINY, "-o", f"spelled{number}.csv", "--shard", f"{number}/3")
    cedtag("tree", *TINY, "-o", "one.csv")
    assert cedtag("merge", *(f"spelled{number}.csv" for number in (1, 2, 3)), "-o", "joined.csv").code == 0

    def scores(file: str) -> list[bytes]:
        return [line.split(b",", 1)[1] for line in Path(file).read_bytes().splitlines() if b"," in line]

    assert scores("joined.csv") == scores("one.csv")


def test_a_recording_that_two_parts_name_differently_is_in_both(cedtag, archive):
    name = "tree/disk 0/rec 0000.wav"
    assert cedtag(name, *TINY, "-o", "a.csv").code == 0
    assert cedtag(str(Path(name).absolute()), *TINY, "-o", "b.csv").code == 0
    done = cedtag("merge", "a.csv", "b.csv", "-o", "joined.csv")
    assert done.code == 2
    assert "is in both" in done.stderr


def test_parts_of_processors_of_two_makers_are_joined_with_a_word(cedtag, archive, monkeypatch):
    assert "round spectra" not in cedtag("merge", *PARTS, "-o", "one.csv").stderr
    monkeypatch.setattr(files, "processor", lambda: Processor("Another", ()))
    Path("parts/3.csv").unlink()
    Path("parts/3.csv.journal").unlink()
    cedtag("tree", "more", *TINY, "-o", "parts/3.csv", "--shard", "3/3")
    done = cedtag("merge", *PARTS, "-o", "two.csv")
    assert done.code == 0
    assert f"these parts were made on {' and '.join(sorted(['Another', processor().name]))}, which round" in done.stderr
    assert Path("two.csv").read_bytes() == Path("one.csv").read_bytes()
