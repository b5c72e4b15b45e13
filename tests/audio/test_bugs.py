"""A mistake of cedtag in reading one recording costs that recording, and helps those who mend it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, NoReturn

import pytest

from cedtag.audio import in_process, open_recording, repaired, subprocess_worker
from cedtag.audio.audio_file import AudioFile
from cedtag.audio.containers.identify import Container
from cedtag.audio.parts import SteadyDecoder
from cedtag.errors import AudioError
from tests.archive import StubScorer, stub_tagger
from tests.sounds import bursts, source_of, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.cli.tag.run import LoadTagger
    from tests.conftest import Finished

BUG = "KeyError: b'odd'"


@pytest.fixture
def load_tagger() -> LoadTagger:
    return stub_tagger(StubScorer())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings, a.aiff and b.flac."""
    (tmp_path / "in").mkdir()
    for name in ("a.aiff", "b.flac"):
        write(tmp_path / "in" / name, bursts(2, 16_000), 16_000)
    return tmp_path / "in"


def broken(*_: object) -> NoReturn:
    raise KeyError(b"odd")


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_parser_that_fails_costs_its_recording_and_leaves_a_traceback(
    folder: Path, cedtag: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors, output = folder.parent / "errors.jsonl", folder.parent / "tags.csv"
    with monkeypatch.context() as patch:
        patch.setattr(repaired, "find_audio", broken)
        run = cedtag(folder, "-o", output, "--errors", errors)
        assert cedtag(folder, "-o", output, "--errors", errors).code == 3
    assert run.code == 3
    assert f"a.aiff: reading it met a bug in cedtag ({BUG}); please report it" in run.stderr
    assert "-v shows it, and --errors FILE keeps it" in run.stderr
    assert "Traceback" not in run.stderr
    assert "b.flac" in output.read_text()
    (failed,) = lines_of(errors)
    assert (failed["path"], failed["stage"]) == (f"{folder}/a.aiff", "bug")
    assert failed["traceback"].startswith("Traceback")
    assert failed["traceback"].endswith(f"{BUG}\n")
    assert cedtag(folder, "-o", output, "--retry-failed").code == 0
    assert "a.aiff" in output.read_text()


def test_the_traceback_is_shown_to_those_who_asked_for_more(
    folder: Path, cedtag: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repaired, "find_audio", broken)
    run = cedtag(folder / "a.aiff", "-v")
    assert run.code == 3
    assert "cedtag: Traceback (most recent call last):\ncedtag:   File" in run.stderr
    assert f"cedtag: {BUG}" in run.stderr


def test_rows_stay_where_only_the_check_of_damage_fails(
    folder: Path, cedtag: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "audit", broken)
    errors, output = folder.parent / "errors.jsonl", folder.parent / "tags.csv"
    assert cedtag(folder, "-o", output, "--errors", errors).code == 3
    assert {"a.aiff", "b.flac"} == {line.split(",")[0].split("/")[-1] for line in output.read_text().splitlines()[1:]}
    for line in lines_of(errors):
        assert line["stage"] == "partial"
        assert "whether it is complete could not be checked" in line["error"]
        assert line["traceback"].endswith(f"{BUG}\n")


def test_a_decoder_that_fails_in_the_middle_keeps_what_was_decoded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = in_process.SoundFileDecoder.frames

    def frames(decoder):  # type: ignore[no-untyped-def]
        yield next(decode(decoder))
        broken()

    monkeypatch.setattr(in_process.SoundFileDecoder, "frames", frames)
    with open_recording(source_of(folder / "a.aiff")) as recording:
        assert sum(map(len, recording.blocks())) == 16_384
    assert recording.problems[0].startswith("decoded 16384 of 32000 frames: reading it met a bug")
    assert recording.cause == "bug"
    assert recording.traceback.endswith(f"{BUG}\n")


def test_other_commands_show_the_traceback_before_the_sentence(
    folder: Path, cedtag: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = folder.parent / "rows.csv"
    assert cedtag(folder, "-o", rows).code == 0
    monkeypatch.setattr(SteadyDecoder, "_converted", broken)
    run = cedtag("extract", rows, "-o", folder.parent / "clips")
    assert run.code == 3
    assert run.stderr.count(f"{BUG}\ncedtag: {folder}") == 2


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_no_bug_of_the_decoder_is_not_taken_for_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fails(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(repaired, "find_audio", fails)
    with pytest.raises(error):
        open_recording(source_of(folder / "a.aiff"))


def test_a_child_sends_the_traceback(folder: Path) -> None:
    answers = io.BytesIO()
    file = AudioFile("a", -1, Container("tta", "tta"), (0, 0))
    subprocess_worker._decode(file, answers, broken)
    said = json.loads(answers.getvalue()[5:])
    error = AudioError(**said)
    assert error.stage == "bug"
    assert error.traceback.endswith(f"{BUG}\n")
