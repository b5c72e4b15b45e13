from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

from cedtag.cli import run
from cedtag.system.telemetry import disable_telemetry
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cedtag.cli.tag.run import LoadTagger

# Tests import ONNX Runtime themselves, too.
disable_telemetry()

# No test may fail because the machine is busy.
settings.register_profile("cedtag", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cedtag")


@dataclass(frozen=True)
class Finished:
    """How a command line ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.decode().splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What is in JSON lines but their head: windows or events, and outcomes."""
        return [json.loads(line) for line in self.stdout.splitlines() if not line.startswith(b'{"schema"')]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The windows or events in JSON lines."""
        return [one for one in self.objects if "status" not in one]


@pytest.fixture
def load_tagger() -> LoadTagger | None:
    """What loads the model of command lines, for test modules to replace."""
    return None


@pytest.fixture
def cedtag(capfdbinary, monkeypatch, load_tagger) -> Iterator[Callable[..., Finished]]:
    """Runs a command line in this process, with the micro checkpoint as the model."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("CEDTAG_MODEL", str(CHECKPOINT))

    def finished(*args: object) -> Finished:
        capfdbinary.readouterr()
        code = run([str(arg) for arg in args], load_tagger)
        out, err = capfdbinary.readouterr()
        return Finished(code, out, err.decode())

    yield finished
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def sounds(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with four recordings of noise in `sounds/`: 12 s, 0.1 s, 3 s in stereo at 44.1 kHz, 1 s."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sounds"
    (folder / "b").mkdir(parents=True)
    rng = np.random.default_rng(7)
    shapes = {
        "a.wav": (16_000, (192_000,)),
        "b/short.wav": (16_000, (1_600,)),
        "b/stereo.flac": (44_100, (132_300, 2)),
        "c.ogg": (16_000, (16_000,)),
    }
    for name, (rate_hz, shape) in shapes.items():
        soundfile.write(folder / name, 0.1 * rng.standard_normal(shape), rate_hz)
    return folder
