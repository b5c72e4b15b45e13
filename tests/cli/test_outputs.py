"""No command writes over an input, another of its files, a device, or, without `--overwrite`, a file that exists."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from cedtag.system.destinations import NameFolding, folding_of
from tests.archive import StubScorer, stub_tagger, write_recording
from tests.hisses import write_hisses
from tests.micro import CHECKPOINT

TINY = ["-w", "0.2", "--no-progress", "-q", "-m", "fake"]
RECORDINGS = ("rec/a.wav", "rec/b.wav", "other/b.wav")
EVALUATE_RESULTS = ["evaluate", "data.csv", "--fold", "1", "--scores", "parts/1.csv", "--bootstrap", "0"]
# name -> the command, and its options for one output each.
COMMANDS = {
    "tag": (["rec/a.wav", *TINY, "-f", "csv"], ["-o", "--errors", "--summary", "--plot"]),
    "tag to standard output": (["rec/a.wav", *TINY, "-f", "csv"], ["--errors", "--summary", "--plot"]),
    "tag to a folder": (["rec", *TINY, "-f", "csv", "-o", "out/"], ["--errors", "--summary"]),
    "tag a folder": (["rec", *TINY, "-f", "csv"], ["-o", "--errors", "--summary"]),
    "events": (["events", "rec/a.wav", *TINY, "-f", "csv"], ["-o", "--errors", "--summary", "--plot"]),
    "events of results": (["events", "r.jsonl", "-f", "csv"], ["-o"]),
    "convert": (["convert", "r.jsonl", "-f", "csv"], ["-o"]),
    "merge": (["merge", "parts/1.csv", "parts/2.csv", "-f", "csv"], ["-o", "--errors"]),
    "report": (["report", "r.jsonl"], ["-o"]),
    "evaluate": (["evaluate", "data.csv", "-m", "model", "--bootstrap", "0", "-q"], ["-o", "--thresholds", "--plot"]),
    "evaluate results": (EVALUATE_RESULTS, ["-o", "--thresholds", "--plot"]),
}
INPUTS = {
    "tag": ("rec/a.wav", "./rec/../rec/a.wav", "a link.png", "hard.png"),
    "tag to standard output": ("rec/a.wav", "a link.png"),
    "tag to a folder": ("rec/a.wav", "rec/b.wav", "a link.png"),
    "tag a folder": ("rec/a.wav", "other/../rec/b.wav", "a link.png", "hard.png"),
    "events": ("rec/a.wav", "a link.png"),
    "events of results": ("r.jsonl", "rec/a.wav", "a link.png"),
    "convert": ("r.jsonl", "./r.jsonl", "rec/a.wav", "a link.png", "hard.png"),
    "merge": ("parts/1.csv", "parts/2.csv.journal"),
    "report": ("r.jsonl", "rec/a.wav", "a link.png"),
    "evaluate": ("data.csv", "rec/a.wav", "other/../rec/b.wav", "a link.png", "hard.png", "model/config.json"),
    "evaluate results": ("data.csv", "parts/1.csv", "parts/1.csv.journal", "rec/b.wav", "other/b.wav", "hard.png"),
}
EACH = [(name, option) for name, (_, options) in COMMANDS.items() for option in options]
PAIRS = [(name, pair) for name, (_, options) in COMMANDS.items() for pair in combinations(options, 2)]


@pytest.fixture
def scorer() -> StubScorer:
    return StubScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with recordings and results, made once."""
    folder = tmp_path_factory.mktemp("prepared")
    for number, name in enumerate(RECORDINGS):
        (folder / name).parent.mkdir(exist_ok=True)
        write_recording(folder / name, np.random.default_rng(number))
    program = "from tests.archive import *; main(stub_tagger(StubScorer()))"
    for more in (
        ["rec", "-o", "r.jsonl"],
        ["rec", "-o", "parts/1.csv"],
        ["other", "-o", "parts/2.csv"],
    ):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
        subprocess.run([sys.executable, "-c", program, *more, *TINY], cwd=folder, env=environment, check=True)
    (folder / "a link.png").symlink_to("rec/a.wav")
    rows = "rec/a.wav,Speech,1\nrec/b.wav,Conversation,1\nother/b.wav,Speech,2\n"
    (folder / "data.csv").write_text(f"file,labels,fold\n{rows}")
    shutil.copytree(CHECKPOINT, folder / "model")
    return folder


@pytest.fixture
def here(prepared, tmp_path, monkeypatch) -> Path:
    """A copy of that folder, to stand in."""
    here = tmp_path / "here"
    shutil.copytree(prepared, here, symlinks=True)
    (here / "hard.png").hardlink_to(here / "rec/a.wav")
    monkeypatch.chdir(here)
    return here


def command_with(name: str, option: str, place: object) -> list[str]:
    """The command line with a value for an option; results go to a file of their own where they have to."""
    command, _ = COMMANDS[name]
    needs_output = name in ("tag", "tag a folder", "events", "merge") and option != "-o"
    return [*command, *(["-o", "rows.csv"] if needs_output else []), option, str(place)]


def contents() -> dict[str, bytes | str]:
    """Everything below this folder: the bytes of files, and where links lead."""
    return {
        str(path): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(Path().rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def is_one_sentence(text: str) -> bool:
    return len(text.splitlines()) == 1 and text.startswith("cedtag: ") and "Traceback" not in text


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(("name", "option", "place"), [(n, o, p) for n, o in EACH for p in INPUTS[n]])
def test_an_input_is_never_written_over(cedtag, here, scorer, name, option, place, overwrite):
    if option == "--plot" and not place.endswith(".png"):
        Path("picture.png").symlink_to(Path(place).resolve())
        place = "picture.png"
    before = contents()
    done = cedtag(*command_with(name, option, place), *overwrite)
    new = {path for path in contents().keys() - before.keys() if path.endswith(".journal")}
    assert {path: data for path, data in contents().items() if path not in new} == before
    assert is_one_sentence(done.stderr), done.stderr
    # What only turns out to be an input while the work goes on exists, and that is noticed first.
    named_by_results = "r.jsonl" in COMMANDS[name][0] and not place.endswith("r.jsonl")
    is_noticed_late = named_by_results or (name, place) == ("tag a folder", "hard.png")
    assert done.code == 2 or (done.code == 1 and is_noticed_late and not overwrite), done.stderr
    assert is_noticed_late or (new, scorer.names) == (set(), [])


@pytest.mark.parametrize("spelling", ["one.png", "./one.png", "rec/../one.png", "a second link.png"])
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_two_outputs_are_two_files(cedtag, here, scorer, name, pair, overwrite, spelling):
    Path("a second link.png").symlink_to("one.png")
    first, second = pair
    before = contents()
    done = cedtag(*command_with(name, first, "one.png"), second, spelling, *overwrite)
    assert (done.code, contents(), scorer.names) == (2, before, [])
    assert is_one_sentence(done.stderr), done.stderr


def test_an_output_is_no_folder_of_another(cedtag, here, scorer):
    before = contents()
    for output in (["-o", "one.csv"], ["-f", "csv"]):
        done = cedtag("rec", *TINY, *output, "--errors", "one.csv/e.jsonl", "--summary", "./one.csv")
        assert (done.code, contents(), scorer.names) == (2, before, [])


@pytest.mark.parametrize(("case", "form", "code"), [(True, False, 0), (True, True, 2), (False, False, 0)])
def test_two_outputs_are_one_where_the_file_system_folds_their_names(cedtag, here, monkeypatch, case, form, code):
    monkeypatch.setattr("cedtag.system.destinations.folding_of", lambda folder: NameFolding(case, form))
    assert cedtag("rec", *TINY, "-f", "csv", "--errors", "CAF\u00c9", "--summary", "cafe\u0301").code == code


@pytest.mark.parametrize(("name", "option"), EACH)
def test_a_file_that_exists_is_replaced_when_told_and_a_link_to_it_stays(cedtag, here, scorer, name, option):
    Path("mine.png").write_bytes(b"mine")
    Path("to mine.png").symlink_to("mine.png")
    Path("to new.png").symlink_to("made/new.png")
    before = contents()
    for place in ("mine.png", "to mine.png"):
        done = cedtag(*command_with(name, option, place))
        assert (done.code, contents(), scorer.names) == (1, before, [])
        assert "this file exists; use --overwrite" in done.stderr
        assert is_one_sentence(done.stderr)
    done = cedtag(*command_with(name, option, "to new.png"))
    assert done.code == 0, done.stderr
    assert (str(Path("to new.png").readlink()), Path("made/new.png").is_file()) == ("made/new.png", True)
    done = cedtag(*command_with(name, option, "to mine.png"), "--overwrite")
    assert done.code == 0, done.stderr
    assert str(Path("to mine.png").readlink()) == "mine.png"
    assert Path("mine.png").read_bytes() != b"mine"


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
@pytest.mark.parametrize(("name", "option"), EACH)
def test_a_device_is_written_as_it_stands(cedtag, here, name, option, device):
    place = device
    if option == "--plot":
        Path("device.png").symlink_to(device)
        place = "device.png"
    done = cedtag(*command_with(name, option, place))
    empty = option == "--errors"  # nothing failed, so nothing is written
    assert done.code == (1 if device == "/dev/full" and not empty else 0), done.stderr
    assert Path(device).is_char_device()
    assert done.code == 0 or is_one_sentence(done.stderr), done.stderr


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_two_outputs_may_go_to_one_device(cedtag, here, name, pair):
    Path("null.png").symlink_to("/dev/null")
    first, second = pair
    assert cedtag(*command_with(name, first, "null.png"), second, "null.png").code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(("name", "option"), EACH)
@pytest.mark.parametrize("place", ["r.jsonl/x.png", "rec.png", "/proc/x.png", "x" * 260 + ".png"])
def test_what_cannot_be_written_is_noticed_at_the_start(cedtag, here, scorer, name, option, place):
    Path("rec.png").mkdir()
    before = contents()
    if option == "-o" and place == "rec.png" and name not in ("report", "evaluate", "evaluate results"):
        pytest.skip("a folder for results")
    done = cedtag(*command_with(name, option, place))
    assert (done.code in (1, 2), contents(), scorer.names) == (True, before, [])
    assert is_one_sentence(done.stderr), done.stderr


def test_evaluating_leaves_its_scores_as_they_are(cedtag, here):
    Path("r.csv").write_bytes(Path("parts/1.csv").read_bytes())
    before = contents()
    for overwrite in ([], ["--overwrite"]):
        done = cedtag("evaluate", "data.csv", "--scores", "r.csv", "-o", "r.csv", *overwrite)
        assert (done.code, contents()) == (2, before)
        assert "r.csv: this is an input, which is never written over; name another --output" in done.stderr


@pytest.mark.parametrize("option", ["-o", "--thresholds", "--plot"])
def test_the_files_of_an_evaluation_are_checked_before_a_model_is_loaded(cedtag, here, monkeypatch, option):
    def load(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("cedtag.tagger.Tagger.load", load)
    Path("mine.png").write_bytes(b"mine")
    for place in ("mine.png", "hard.png", "data.csv/x.png"):
        done = cedtag("evaluate", "data.csv", "-m", "model", option, place)
        assert (done.code in (1, 2), is_one_sentence(done.stderr)) == (True, True)


@pytest.mark.parametrize("option", ["-o", "--thresholds", "--plot"])
def test_a_file_of_an_evaluation_goes_into_a_pipe(cedtag, here, option):
    for suffix in ("png", "svg", "pdf") if option == "--plot" else ("csv",):
        os.mkfifo(f"pipe.{suffix}")
        with subprocess.Popen(["cat", f"pipe.{suffix}"], stdout=subprocess.PIPE) as reader:
            done = cedtag(*command_with("evaluate results", option, f"pipe.{suffix}"))
            read, _ = reader.communicate(timeout=60)
        assert (done.code, len(read) > 20, Path(f"pipe.{suffix}").is_fifo()) == (0, True, True), done.stderr


def test_standard_output_in_a_file_is_no_file_of_an_evaluation(here):
    with Path("report.csv").open("wb") as report:
        command = [sys.executable, "-m", "cedtag", *EVALUATE_RESULTS, "--thresholds", "report.csv", "--overwrite"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
        done = subprocess.run(command, stdout=report, stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, Path("report.csv").read_bytes()) == (2, b"")
    assert b"standard output goes to this file" in done.stderr


def test_a_training_leaves_its_inputs_as_they_are(cedtag, here):
    write_hisses(Path())
    shutil.copytree("model", "again")
    Path("again/README.md").write_bytes(Path("data.csv").read_bytes())
    Path("by link").symlink_to("model")
    before = contents()
    for folder, more in (
        ("model", ["-m", "model"]),
        ("by link", ["-m", "model/model.safetensors"]),
        ("model", ["--from-config", "model/config.json"]),
    ):
        done = cedtag("finetune", "data.csv", "-o", folder, *more, "--epochs", 1, "--overwrite", "-q")
        assert (done.code, contents()) == (2, before), done.stderr
        assert "this is an input, which is never written over; name another --output" in done.stderr
    done = cedtag("finetune", "again/README.md", "--audio", ".", "-m", "model", "-o", "again", "--overwrite", "-q")
    assert (done.code, contents()) == (2, before), done.stderr


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "metrics.jsonl", "training_state.pt"])
def test_a_training_replaces_no_device_and_notices_it_at_the_start(cedtag, here, monkeypatch, name):
    write_hisses(Path())
    monkeypatch.setattr("cedtag.training.finetune.starting_model", None)
    Path("mine").mkdir()
    Path("mine", name).symlink_to("/dev/null")
    done = cedtag("finetune", "data.csv", "-m", "model", "-o", "mine", "--overwrite", "-q")
    assert (done.code, Path("mine", name).is_char_device()) == (1, True)
    assert f"mine/{name}: is a device, not a file; name another --output" in done.stderr


def test_a_training_keeps_links_in_its_folder(cedtag, here):
    write_hisses(Path())
    names = ("model.safetensors", "config.json", "preprocessor_config.json", "README.md")
    Path("mine").mkdir()
    for name in names:
        Path("mine", name).symlink_to(f"../kept/{name}")
    training = ["--crop", "0.3", "0.6", "--epochs", 1, "--threads", 1, "-q"]
    done = cedtag("finetune", "data.csv", "-m", "model", "-o", "mine", *training, "--overwrite")
    assert done.code == 0, done.stderr
    assert [Path("mine", name).is_symlink() and Path("kept", name).is_file() for name in names] == [True] * 4


def test_a_name_may_be_as_long_as_the_file_system_allows(cedtag, here):
    name = "ü" * 125 + "x.csv"
    assert cedtag("convert", "r.jsonl", "-o", name).code == 0
    assert cedtag("rec", *TINY, "-o", "rows.csv", "--summary", name, "--overwrite").code == 0
    done = cedtag("rec", *TINY, "-o", name, "--overwrite")  # the name of its journal is longer
    assert (done.code, is_one_sentence(done.stderr)) == (1, True)


@pytest.mark.parametrize("option", ["--errors", "--summary"])
@pytest.mark.parametrize("output", [["-o", "rows.csv"], ["-o", "out/", "-f", "csv"]])
def test_the_journal_is_a_file_of_the_run(cedtag, here, option, output):
    journal = "rows.csv.journal" if "rows.csv" in output else "out/.cedtag.journal"
    for _ in range(2):
        for overwrite in ([], ["--overwrite"]):
            before = contents()
            done = cedtag("rec", *TINY, *output, option, journal, *overwrite)
            assert (done.code, contents()) == (2, before)
            assert is_one_sentence(done.stderr)
        assert cedtag("rec", *TINY, *output).code == 0


def test_a_file_of_the_results_of_a_recording_is_a_file_of_the_run(cedtag, here):
    done = cedtag("rec", *TINY, "-o", "out/", "-f", "csv", "--summary", "out/a.wav.csv")
    assert done.code == 3
    assert "out/a.wav.csv is an input or another output of this run" in done.stderr
    assert json.loads(Path("out/a.wav.csv").read_bytes())["failed"] == 1


def test_an_input_of_a_list_is_not_written_over(cedtag, here, scorer):
    Path("list.txt").write_text("rec/b.wav\nrec/a.wav\n")
    before = contents()
    for option in ("--errors", "--summary"):
        for place in ("list.txt", "rec/a.wav"):
            for output in ([], ["-o", "rows.csv"]):
                done = cedtag("--files-from", "list.txt", *TINY, *output, option, place, "--overwrite")
                assert done.code == 2
                assert is_one_sentence(done.stderr)
                Path("rows.csv.journal").unlink(missing_ok=True)
                assert contents() == before


def test_thresholds_and_checkpoints_are_inputs(cedtag, here, scorer):
    Path("t.csv").write_text("label,threshold\nSpeech,0.5\n")
    before = contents()
    command = ["rec/a.wav", "-w", "0.2", "-q", "-f", "csv", "--overwrite"]
    assert cedtag(*command, "-m", "fake", "-t", "@t.csv", "-o", "t.csv").code == 2
    assert cedtag(*command, "-m", "model", "-o", "model/model.safetensors").code == 2
    assert (contents(), scorer.names) == (before, [])


@pytest.mark.parametrize("option", ["--errors", "--summary"])
def test_a_run_goes_on_with_its_own_files_beside(cedtag, here, option):
    for output in (["-o", "rows.csv"], ["-o", "out/", "-f", "csv"]):
        beside = f"beside {len(output)}.json"
        command = ["rec", *TINY, *output, option, beside]
        assert [cedtag(*command).code for _ in range(2)] == [0, 0]
        made = Path(beside).read_bytes()
        Path(beside).write_bytes(b"mine\n")
        assert cedtag(*command).code == 1
        assert Path(beside).read_bytes() == b"mine\n" != made


def test_standard_output_in_a_file_is_a_file_of_the_run(here):
    program = "from tests.archive import *; main(stub_tagger(StubScorer()))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}

    def run(*more: str) -> int:
        with Path("rows.csv").open("wb") as rows:
            command = [sys.executable, "-c", program, "rec", *TINY, "-f", "csv", *more]
            return subprocess.run(command, stdout=rows, env=environment, check=False).returncode

    assert run("--summary", "rows.csv", "--overwrite") == 2
    assert run("-o", "/dev/stdout", "--summary", "/dev/stdout") == 0
    header, *_, end = Path("rows.csv").read_bytes().splitlines()
    assert (header[:5], end) == (b"file,", b"}")


@pytest.mark.parametrize("kind", ["csv", "json", "folder"])
def test_an_output_that_was_edited_is_not_made_again(cedtag, here, scorer, kind):
    output = ["-o", "out/", "-f", "csv"] if kind == "folder" else ["-o", f"out/r.{kind}"]
    edited = Path("out/a.wav.csv" if kind == "folder" else f"out/r.{kind}")
    assert cedtag("rec", *TINY, *output).code == 0
    edited.write_bytes(edited.read_bytes() + b"a note\n")
    before = contents()
    scorer.names.clear()
    done = cedtag("rec", *TINY, *output)
    if kind == "folder":
        assert (done.code, contents(), scorer.names) == (0, before, [])
        os.utime("rec/a.wav", (1, 1))
        done = cedtag("rec", *TINY, *output)
        assert (done.code, Path(edited).read_bytes()) == (3, before[str(edited)])
    else:
        assert (done.code, contents(), scorer.names) == (1, before, [])
        assert is_one_sentence(done.stderr)
    assert "was changed after it was made; move it away" in done.stderr
    edited.rename("kept.csv")
    assert cedtag("rec", *TINY, *output).code == 0
    assert cedtag("rec", *TINY, *output).code == 0
    assert Path("kept.csv").read_bytes() == before[str(edited)]


def test_an_edited_file_of_a_folder_survives_its_recording(cedtag, here):
    command = ["rec", *TINY, "-o", "out/", "-f", "csv", "-f", "jsonl"]
    assert cedtag(*command).code == 0
    Path("out/a.wav.csv").write_bytes(b"mine\n")
    Path("out/a.wav.jsonl").unlink()
    assert cedtag(*command).code == 3
    Path("rec/a.wav").write_bytes(b"no audio any more\n")
    assert cedtag(*command).code == 3
    assert Path("out/a.wav.csv").read_bytes() == b"mine\n"


def test_another_format_does_not_take_the_place_of_what_was_made(cedtag, here):
    assert cedtag("rec", *TINY, "-o", "e.csv").code == 0
    before = contents()
    done = cedtag("rec", *TINY, "-o", "e.csv", "-f", "json")
    assert (done.code, contents()) == (1, before)
    assert "exists in another format" in done.stderr


@pytest.mark.parametrize("output", ["r.csv", "out/"])
def test_results_stay_as_stale_while_a_changed_file_cannot_be_read(cedtag, here, scorer, output, monkeypatch):
    command = ["rec", *TINY, "-o", output, "--errors", "e.jsonl"]
    assert cedtag(*command).code == 0
    results = {path: data for path, data in contents().items() if path.startswith(("r.csv", "out/a"))}
    results.pop("r.csv.journal", None)
    os.utime("rec/a.wav", (1, 1))
    unreadable(monkeypatch, "rec/a.wav")
    for _ in range(2):
        done = cedtag(*command)
        assert done.code == 3
        assert "its earlier results are kept, and are stale" in done.stderr
        assert {path: Path(path).read_bytes() for path in results} == results
        (line,) = map(json.loads, Path("e.jsonl").read_text().splitlines())
        assert (line["path"], line["stage"]) == ("rec/a.wav", "stale")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    scorer.names.clear()
    done = cedtag(*command)
    assert (done.code, set(scorer.names), Path("e.jsonl").read_bytes()) == (0, {"rec/a.wav"}, b"")
    assert {path: Path(path).read_bytes() for path in results} == results


def unreadable(monkeypatch, name: str) -> None:
    """Let the system refuse to open a file, as it does for everybody but root when its mode is 0."""
    really_open = os.open

    def refusing(path, *args, **kwargs):
        if os.fspath(path) == name:
            raise PermissionError(13, "Permission denied", name)
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize("good", [False, True])
@pytest.mark.parametrize("output", ["out/", "r.csv"])
def test_a_failure_stays_in_the_errors_file_when_another_folder_is_tagged(cedtag, here, output, good):
    for name in ("A", "B"):
        Path(name).mkdir()
        write_recording(Path(name, "y.wav"), np.random.default_rng(3))
    Path("A/x.wav").write_bytes(b"no audio\n")
    write_recording(Path("B/x.wav"), np.random.default_rng(4)) if good else Path("B/x.wav").write_bytes(b"none")
    common = [*TINY, "-o", output, "--errors", "e.jsonl"]
    cedtag("A", *common)
    cedtag("B", *common)
    failed = [json.loads(line)["path"] for line in Path("e.jsonl").read_text().splitlines()]
    assert failed.count("A/x.wav") == 1
    Path("A/x.wav").unlink()
    cedtag("B", *common)
    assert "A/x.wav" not in Path("e.jsonl").read_text()


def test_the_line_of_a_partial_recording_stays_when_another_of_its_name_is_refused(cedtag, here):
    for name in ("A", "B"):
        Path(name).mkdir()
        write_recording(Path(name, "x.wav"), np.random.default_rng(len(name)))
    os.truncate("A/x.wav", Path("A/x.wav").stat().st_size - 400)
    common = [*TINY, "-o", "out/", "--errors", "e.jsonl"]
    cedtag("A", *common)
    cedtag("B", *common)
    stages = [(line["path"], line["stage"]) for line in map(json.loads, Path("e.jsonl").read_text().splitlines())]
    assert stages == [("A/x.wav", "partial"), ("B/x.wav", "output")]


@pytest.mark.parametrize("command", [["rec", *TINY, "-o", "r.csv"], ["rec", *TINY, "-o", "out/"]])
def test_a_pipe_in_the_place_of_the_journal_is_refused_at_once(cedtag, here, command):
    Path("out").mkdir()
    for name in ("r.csv.journal", "out/.cedtag.journal"):
        os.mkfifo(name)
    for overwrite in ([], ["--overwrite"]):
        done = cedtag(*command, *overwrite)
        assert done.code == 1
        assert "is a named pipe (FIFO)" in done.stderr


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(cedtag, here):
    Path("precious").write_bytes(b"precious")
    for name in (".r.csv.part", ".s.json.part"):
        Path(name).symlink_to("precious")
    assert cedtag("rec", *TINY, "-o", "r.csv", "--summary", "s.json").code == 0
    assert Path("precious").read_bytes() == b"precious"
    assert not Path("r.csv").is_symlink()
    assert not Path("s.json").is_symlink()


def test_a_name_that_the_file_system_refuses_costs_its_recording(cedtag, here, monkeypatch):
    really_open = os.open

    def refusing(path, *args, **kwargs):
        if "a.wav" in os.fspath(path) and "out" in os.fspath(path):
            raise OSError(22, "Invalid argument", path)
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    command = ["rec", *TINY, "-o", "out/", "-f", "csv", "--errors", "e.jsonl", "--summary", "s.json"]
    for done in (cedtag(*command), cedtag(*command)):
        assert done.code == 3
        assert "failed: rec/a.wav: out/a.wav.csv cannot be written (Invalid argument)" in done.stderr
        assert sorted(path.name for path in Path("out").iterdir()) == [".cedtag.journal", "b.wav.csv"]
        assert json.loads(Path("e.jsonl").read_text())["stage"] == "output"
        assert json.loads(Path("s.json").read_text())["failed"] == 1


def test_a_file_in_the_place_of_a_folder_costs_its_recordings(cedtag, here):
    Path("rec/sub").mkdir()
    write_recording(Path("rec/sub/c.wav"), np.random.default_rng(9))
    Path("out").mkdir()
    Path("out/sub").write_bytes(b"mine")
    done = cedtag("rec", *TINY, "-o", "out/", "-f", "csv")
    assert (done.code, Path("out/sub").read_bytes()) == (3, b"mine")
    assert sorted(path.name for path in Path("out").glob("*.csv")) == ["a.wav.csv", "b.wav.csv"]
    assert "failed: rec/sub/c.wav" in done.stderr


def fold_names(monkeypatch) -> None:
    """Let folders of results take names for one that differ in case or form, as on exFAT or macOS."""
    folding, really_exists = NameFolding(case=True, form=True), Path.exists

    def exists(path: Path) -> bool:
        if really_exists(path) or path.suffix != ".csv" or not really_exists(path.parent):
            return really_exists(path)
        return folding.key(path.name) in {folding.key(found.name) for found in path.parent.iterdir()}

    monkeypatch.setattr("cedtag.run.outputs.folder.folding_of", lambda folder: folding)
    monkeypatch.setattr(Path, "exists", exists)


@pytest.mark.parametrize("before", [["b.wav"], ["B.wav"], []])
def test_recordings_that_are_one_name_on_the_file_system_are_told_apart(cedtag, here, before, monkeypatch):
    fold_names(monkeypatch)
    Path("names").mkdir()
    names = ["B.wav", "b.wav", "caf\u00e9.wav", "cafe\u0301.wav", "other.wav"]
    for number, name in enumerate(names):
        write_recording(Path("names", name), np.random.default_rng(number))
    command = [*TINY, "-o", "out/", "-f", "csv", "--errors", "e.jsonl"]
    for name in before:
        Path("first").mkdir()
        shutil.copy2(Path("names", name), "first")
        assert cedtag("first", *command).code == 0
        Path("first").rename("gone")
    for _ in range(2):
        done = cedtag("names", *command)
        assert done.code == 3
        assert done.stderr.count("is for another recording") == 2
        made = {path.name for path in Path("out").glob("*.csv")}
        assert made == {"cafe\u0301.wav.csv", "other.wav.csv", f"{(before or ['B.wav'])[0]}.csv"}


def test_convert_tells_recordings_of_one_name_apart(cedtag, here):
    Path("r2.jsonl").write_bytes(Path("r.jsonl").read_bytes().replace(b"rec/", b"../rec/"))
    done = cedtag("convert", "r.jsonl", "r2.jsonl", "-o", "out/", "-f", "csv", "--overwrite")
    assert done.code == 1
    assert "out/rec/a.wav.csv is for rec/a.wav; convert" in done.stderr


def test_a_run_that_is_killed_between_its_files_and_their_note_goes_on(cedtag, here, monkeypatch):
    command = ["rec", *TINY, "-o", "r.csv", "-o", "r.json", "--errors", "e.jsonl"]

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cedtag.system.atomic.sync_folder", killed)
    assert cedtag(*command).code == 130
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert any(Path(name).exists() for name in ("r.csv", "r.json", "e.jsonl"))
    assert [cedtag(*command).code for _ in range(2)] == [0, 0]


def test_a_linked_clip_is_written_to_its_target(cedtag, here):
    assert cedtag("extract", "r.jsonl", "-o", "clips", "--name", "{label}_{number}").code == 0
    clip = next(Path("clips").glob("*.wav"))
    clip.rename("target.wav")
    made = Path("target.wav").read_bytes()
    Path("target.wav").write_bytes(b"old")
    clip.symlink_to("../target.wav")
    assert cedtag("extract", "r.jsonl", "-o", "clips", "--name", "{label}_{number}").code == 1
    assert cedtag("extract", "r.jsonl", "-o", "clips", "--name", "{label}_{number}", "--overwrite").code == 0
    assert (clip.is_symlink(), Path("target.wav").read_bytes()) == (True, made)


def test_a_folder_is_asked_which_names_are_one_and_nothing_is_left_there(tmp_path):
    assert isinstance(folding_of(tmp_path / "new" / "deep"), NameFolding)
    assert list(tmp_path.iterdir()) == []
    upper, lower = tmp_path / "A", tmp_path / "a"
    upper.touch()
    assert folding_of(tmp_path).case == lower.exists()
