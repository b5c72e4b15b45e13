"""No package that cedtag loads may use the network of its own accord."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cedtag
from cedtag.system.telemetry import OPT_OUTS
from tests.network_guard import GUARD, guard_works
from tests.programs import command_of

# The packages that read their opt-out at their import, as a finder sees it.
SEEN = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("onnxruntime", "huggingface_hub"):
            print(name, os.environ.get("ORT_DISABLE_TELEMETRY"), os.environ.get("HF_HUB_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Finder())
"""
SCORE = """
import cedtag
print(cedtag.Tagger.from_pretrained("demo", backend="onnx").tag(sys.argv[1])[0].tags[0].label)
"""
COMMAND = "import sys; from cedtag.cli import main; main()\n"
SAMPLE = str(Path(cedtag.__file__).parent / "demo" / "sample.ogg")
RESULTS = (
    '{"schema": "cedtag/1", "settings": {}, "recordings": [{"file": "a.wav", "status": "ok", "duration": 10, '
    '"problems": [], "warnings": [], "windows": [{"start": 0, "end": 10, "tags": [{"index": 0, "mid": "/m/09x0r", '
    '"label": "Speech", "score": 0.5}]}]}]}'
)


def finished(program: str, home: Path, *args: object) -> subprocess.CompletedProcess[str]:
    """A program that has run with a fresh home and none of the opt-outs."""
    env = {name: value for name, value in os.environ.items() if name not in (*OPT_OUTS, "HF_HOME", "XDG_CACHE_HOME")}
    command = command_of("import sys\n" + program, *args)
    return subprocess.run(command, env=env | {"HOME": str(home)}, capture_output=True, text=True, timeout=120)


@pytest.fixture(autouse=True)
def onnxruntime() -> None:
    pytest.importorskip("onnxruntime")


def test_the_library_sets_the_opt_out_before_onnx_runtime_is_imported_and_leaves_no_device_id(tmp_path):
    done = finished(SEEN + SCORE, tmp_path, SAMPLE)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "onnxruntime 1 1"), done.stderr
    assert list(tmp_path.rglob("*onnxruntime*")) == []


@pytest.mark.parametrize(
    "args",
    [(SAMPLE, "-m", "demo", "--backend", "onnx", "-q"), ("models", "list"), ("doctor",)],
    ids=lambda args: Path(args[0]).name,
)
def test_every_command_sets_the_opt_outs_before_an_import(tmp_path, args):
    done = finished(SEEN + COMMAND, tmp_path, *args)
    assert done.returncode == 0, done.stderr
    seen = {line for line in done.stdout.splitlines() if line.startswith(("onnxruntime ", "huggingface_hub "))}
    assert {line.partition(" ")[2] for line in seen} == {"1 1"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="system calls are filtered with Linux's seccomp")
class TestSystemCalls:
    """The process is killed at its first socket of the Internet."""

    def test_scoring_with_onnx_runtime_opens_no_socket(self, tmp_path):
        if not guard_works():
            pytest.skip("this kernel filters no system calls")
        # Its first events are sent about five seconds after the import.
        done = finished(GUARD + SCORE + "import time; time.sleep(10)", tmp_path, SAMPLE)
        assert (done.returncode, done.stdout) == (0, "Speech\n"), done.stderr

    @pytest.mark.parametrize(
        "args",
        [
            (SAMPLE, "-m", "demo", "-q", "-f", "parquet", "-o", "{}/rows.parquet"),
            (SAMPLE, "-m", "demo", "-q", "-f", "png", "-o", "{}/picture.png"),
            ("doctor",),
            ("models", "list"),
            ("models", "info", "demo", "--offline"),
            ("report", "{}/rows.json", "-o", "{}/page.html"),
        ],
        ids=lambda args: Path(args[0]).name + args[-1][2:],
    )
    def test_no_command_opens_a_socket_unasked(self, tmp_path, args):
        if not guard_works():
            pytest.skip("this kernel filters no system calls")
        (tmp_path / "rows.json").write_text(RESULTS)
        done = finished(GUARD + COMMAND, tmp_path, *(arg.format(tmp_path) for arg in args))
        assert done.returncode == 0, done.stderr
