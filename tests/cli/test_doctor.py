from __future__ import annotations

import json
import threading

import huggingface_hub
import numpy as np
import pytest

from cedtag.doctor import checks as diagnosis
from cedtag.doctor import selftest, speed
from cedtag.doctor.speed import speedups
from tests.processors import OLD, XEON


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """What is measured takes a second, in every test."""
    monkeypatch.setattr(diagnosis, "speedups", lambda: {"int8": 1.52})


def speed_line(cedtag) -> str:
    return next(line for line in cedtag("doctor").lines if line.startswith("speed "))


def test_the_gain_of_each_precision_that_works_here_is_measured(monkeypatch):
    monkeypatch.setattr(speed, "_ROUNDS", 1)
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("cedtag.scoring.torch_device.processor", lambda: OLD)
    gains = speedups()
    assert list(gains) == ["int8"]
    assert 0.2 < gains["int8"] < 20


def test_scorers_are_measured_by_the_time_that_they_compute(monkeypatch):
    spent_s = 0.0

    class Slow:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def prepare_thread(self) -> None:
            pass

        def score(self, windows: list[object]) -> None:
            nonlocal spent_s
            spent_s += self.seconds

    monkeypatch.setattr(speed.time, "thread_time", lambda: spent_s)
    monkeypatch.setattr(speed, "_scorers", lambda: {"fp32": Slow(6.0), "bf16": Slow(2.0)})
    assert speedups() == {"bf16": 3.0}


def test_the_gains_and_what_there_is_not_are_on_one_line(cedtag, monkeypatch):
    monkeypatch.setattr(diagnosis, "processor", lambda: OLD)
    assert "--precision int8 is 1.5 times as fast, this processor has no bf16" in speed_line(cedtag)
    monkeypatch.setattr(diagnosis, "processor", lambda: XEON)
    monkeypatch.setattr(diagnosis, "speedups", lambda: {"bf16": 2.26})
    monkeypatch.setattr(diagnosis.extras, "has", lambda extra: extra != "onnx")
    assert "bf16 is 2.3 times as fast, int8 needs ONNX Runtime: " in speed_line(cedtag)
    assert any(line.startswith("processors") and "Xeon with avx2" in line for line in cedtag("doctor").lines)


def test_a_sound_installation_fits_on_one_screen_and_exits_with_0(cedtag):
    done = cedtag("doctor")
    assert (done.code, done.stderr) == (0, "")
    names = [line.split()[0] for line in done.lines]
    assert names[:3] == ["cedtag", "python", "torch"]
    assert names[-1] == "self-test"
    assert len(names) <= 24
    assert any("ORT_DISABLE_TELEMETRY=1" in line for line in done.lines)
    assert "FAILED" not in done.stdout.decode()


def test_json_says_the_same(cedtag):
    done = cedtag("doctor", "-f", "json")
    found = json.loads(done.stdout)
    assert all(check["ok"] for check in found.values())
    assert list(found) == [line.split()[0] for line in cedtag("doctor").lines]


def test_wrong_scores_are_found(cedtag, monkeypatch):
    monkeypatch.setattr(selftest, "sound", lambda: np.zeros(192_000, np.float32))
    done = cedtag("doctor")
    assert done.code == 1
    assert done.lines[-1].startswith("self-test    FAILED: scores on the CPU differ by up to 0.")


def test_scores_that_are_not_numbers_are_wrong(cedtag, monkeypatch):
    monkeypatch.setattr(diagnosis, "deviation", lambda: float("nan"))
    assert cedtag("doctor").code == 1


@pytest.mark.parametrize("error", [ImportError("libtorchaudio.so: no such file"), OSError("cannot load")])
def test_a_package_that_cannot_be_loaded_is_one_line(cedtag, monkeypatch, error):
    def broken() -> str:
        raise error

    monkeypatch.setattr(diagnosis, "_torch", broken)
    done = cedtag("doctor")
    assert done.code == 1
    assert [line for line in done.lines if "FAILED" in line] == [
        f"torch        FAILED: {type(error).__name__}: {error}"
    ]


def test_the_hub_is_asked_only_when_told_to_and_never_waited_for_long(cedtag, monkeypatch):
    asked = []

    def answer(url: str, timeout: float) -> None:
        asked.append(url)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", answer)
    assert "hub" not in [line.split()[0] for line in cedtag("doctor").lines]
    assert asked == []
    assert (cedtag("doctor", "--network").code, len(asked)) == (0, 1)

    monkeypatch.setattr(diagnosis, "NETWORK_S", 0.1)
    never = threading.Event()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, timeout: never.wait(20))
    done = cedtag("doctor", "--network")
    never.set()
    assert done.code == 1
    assert "gave no answer within 0.1 s" in done.stdout.decode()

    def refused(url: str, timeout: float) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refused)
    assert "is out of reach (ConnectionRefusedError: refused)" in cedtag("doctor", "--network").stdout.decode()


def test_credentials_in_the_environment_are_not_shown(cedtag, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@mirror.example")
    monkeypatch.setenv("HF_HUB_TOKEN", "secret")
    monkeypatch.setenv("CEDTAG_API_KEY", "secret")

    def refused(url: str, timeout: float) -> None:
        raise ConnectionRefusedError("https://user:secret@mirror.example refuses")

    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://user:secret@mirror.example")
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refused)
    shown = cedtag("doctor", "--network").stdout.decode()
    assert "secret" not in shown
    assert shown.count("https://***@mirror.example") == 3
