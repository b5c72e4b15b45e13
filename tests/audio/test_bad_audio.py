"""Every bad or odd recording has its promised outcome, and costs nothing but itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.audio import Decoders
from cedtag.errors import AudioError
from tests.bad_audio import recordings
from tests.sounds import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDINGS = recordings()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    pytest.importorskip("av")
    with Decoders() as decoders:
        yield decoders


def test_there_are_enough_of_them() -> None:
    assert len(RECORDINGS) >= 120


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_outcome_is_as_promised(decoders: Decoders, tmp_path: Path, name: str) -> None:
    make, promised = RECORDINGS[name]
    path = tmp_path / name
    path.write_bytes(make())
    promised_outcome, _, reason = promised.partition(": ")

    outcome, said = outcome_of(decoders, path)

    assert outcome == promised_outcome
    if reason in ("", "no trace"):
        assert outcome != "ok" or said == ""
    else:
        assert reason in said


def outcome_of(decoders: Decoders, path: Path) -> tuple[str, str]:
    try:
        with decoders.open(source_of(path)) as recording:
            assert sum(len(block) for block in recording.blocks()) > 0
    except AudioError as error:
        return "failed", str(error)
    if recording.problems:
        return "partial", "; ".join(recording.problems)
    return "ok", "; ".join(recording.warnings)


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space")
def test_memory_does_not_depend_on_duration(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.flac"
    silence = np.zeros((1 << 20, 1), np.int16)
    with soundfile.SoundFile(bomb, "w", 44_100, 1, format="FLAC", compression_level=1) as file:
        for _ in range(60):  # 24 minutes, 250 MB of float32
            file.write(silence)
    program = (
        "import resource, sys\n"
        "from cedtag.audio import open_recording\n"
        "from cedtag.records import Source\n"
        "def decoded(path):\n"
        "    with open_recording(Source(path, path, path)) as recording:\n"
        "        return sum(len(block) for block in recording.blocks())\n"
        "decoded(sys.argv[1])\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), used + (32 << 20)))\n"
        "print(decoded(sys.argv[2]))\n"
    )
    short = tmp_path / "short.flac"
    soundfile.write(short, silence[:44_100], 44_100)
    ended = subprocess.run([sys.executable, "-c", program, short, bomb], stdout=subprocess.PIPE, check=True)
    assert int(ended.stdout) == pytest.approx(60 * (1 << 20) * 16_000 / 44_100, abs=2)
