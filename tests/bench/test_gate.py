from __future__ import annotations

import json

import click.testing
import pytest

from benchmarks import gate
from benchmarks.__main__ import main

NAMES = ("torch fp32, wav", "onnx int8, mp3")


def shares(*values: float) -> dict[str, float]:
    return dict(zip(NAMES, values, strict=False))


@pytest.fixture
def found(monkeypatch, tmp_path) -> list[dict[str, float]]:
    """What measurements find, one after the other; the stored run has 80 and 60 percent."""
    found = [shares(80, 60)]
    monkeypatch.setattr(gate, "RUNS", tmp_path / "runs.json")
    monkeypatch.setattr(gate, "measured", lambda: found.pop(0))
    gate.store()
    return found


def checked(*options: str) -> tuple[int, str]:
    done = click.testing.CliRunner().invoke(main, ["--check", *options])
    return done.exit_code, done.output


def test_shares_that_fall_by_no_more_than_five_points_pass(found):
    found.append(shares(75, 90))
    assert checked() == (0, "2 shares of the limit are within 5 points of the stored run, or better\n")


def test_a_share_that_falls_twice_by_more_fails_with_one_sentence(found):
    found += [shares(74, 60), shares(74.5, 50)]
    expected = "slower than the stored run, in percent of the limit: torch fp32, wav 74 (was 80)\n"
    assert checked() == (1, expected)


def test_a_share_that_falls_once_was_bad_luck(found):
    found += [shares(70, 60), shares(81, 50)]
    assert checked()[0] == 0
    assert found == []


def test_what_is_not_measured_now_is_not_compared(found):
    found.append(shares(80))
    assert checked()[1].startswith("1 shares of the limit")


def test_on_another_processor_there_is_nothing_to_compare_with(found, monkeypatch):
    monkeypatch.setattr(gate, "setting", lambda: "another processor")
    code, said = checked()
    assert (code, said.startswith("there is no stored run of another processor, so nothing to compare with")) == (
        0,
        True,
    )


def test_a_run_is_stored_beside_those_of_other_processors(found, monkeypatch):
    for processor, share in (("one", 70.0), ("two", 80.0), ("one", 90.0)):
        monkeypatch.setattr(gate, "setting", lambda name=processor: name)
        found.append(shares(share))
        gate.store()
    stored = json.loads(gate.RUNS.read_text())
    assert (stored["one"], stored["two"], len(stored)) == ({NAMES[0]: 90.0}, {NAMES[0]: 80.0}, 3)


def test_the_runs_in_the_repository_are_shares():
    for run in json.loads(gate.RUNS.read_text()).values() if gate.RUNS.exists() else ():
        assert all(0 < share < 200 for share in run.values())
