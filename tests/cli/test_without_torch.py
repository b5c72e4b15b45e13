"""The small installation: every command works without torch, but for what needs it, which is one sentence."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cedtag.checkpoints.locate import PACKAGED
from cedtag.doctor import selftest
from tests.micro import CHECKPOINT, original_checkpoint
from tests.test_project_files import PROJECT, ROOT, tomllib

SAMPLE = PACKAGED["demo"].parent / "sample.ogg"
LITE = tomllib.loads((ROOT / "lite" / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(autouse=True)
def onnxruntime() -> None:
    pytest.importorskip("onnxruntime")


def lite(*args: object, packages: str = "torch,torchaudio") -> subprocess.CompletedProcess[str]:
    """A command line that has run where these packages are not installed."""
    command = [sys.executable, "-m", "tests.blocked", packages, *map(str, args)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_small_distribution_is_the_other_one_without_torch():
    everything, extras = set(PROJECT["project"]["dependencies"]), PROJECT["project"]["optional-dependencies"]
    torch = {line for line in everything if line.startswith("torch")}
    assert set(LITE["dependencies"]) == everything - torch | set(extras["onnx"])
    stated = {name: set(lines) for name, lines in LITE["optional-dependencies"].items()}
    assert stated.pop("torch") == torch
    assert stated == {
        name: set(lines) for name, lines in extras.items() if name not in ("onnx", "hf", "dev")
    }  # hf needs torch
    assert (LITE["scripts"], LITE["requires-python"]) == (
        PROJECT["project"]["scripts"],
        PROJECT["project"]["requires-python"],
    )


@pytest.mark.parametrize("model", ["demo", CHECKPOINT], ids=["half precision", "single precision"])
def test_rows_are_those_of_the_usual_installation(cedtag, here, model):
    made = [SAMPLE, "-m", model, "-k", "0", "-t", "0", "-f", "jsonl"]
    alone = lite(*made)
    assert (alone.returncode, alone.stderr) == (0, "")
    head = json.loads(alone.stdout.partition("\n")[0])
    assert head["settings"]["backend"] == "onnx"
    rows = [json.loads(line) for line in alone.stdout.splitlines()[1:]]
    expected = cedtag(*made).objects
    assert [row["file"] for row in rows] == [row["file"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        found = {tag["mid"]: tag["score"] for tag in row.get("tags", ())}
        usual = {tag["mid"]: tag["score"] for tag in other.get("tags", ())}
        assert found.keys() == usual.keys()
        assert max((abs(found[mid] - usual[mid]) for mid in found), default=0) < 1.1e-4


@pytest.mark.slow
def test_the_commands_work(here):
    assert lite(SAMPLE, "-m", "demo", "-o", "tags.csv", "--plot", "one.svg").returncode == 0
    for line in (
        f"tag {SAMPLE} -m demo -o again.csv",
        f"events {SAMPLE} -m demo -o direct.csv",
        "events tags.csv -o events.csv",
        "convert tags.csv -o tags.jsonl",
        "extract tags.csv -o clips",
        "report tags.csv -o page.html",
        "labels --find rain",
        "models info demo",
        "demo",
        "doctor",
    ):
        done = lite(*shlex.split(line))
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
    assert Path("direct.csv").read_text() == Path("events.csv").read_text()
    assert "torch        not installed; for " in done.stdout


def test_a_run_is_not_continued_in_the_other_backend(cedtag, here):
    assert lite(SAMPLE, "-m", "demo", "-o", "tags.csv").returncode == 0
    done = cedtag(SAMPLE, "-m", "demo", "-o", "tags.csv")
    assert (done.code, "--backend was onnx and is now torch" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["-m", "demo", "--backend", "torch"], "--backend torch needs torch"),
        (["-m", "demo", "-d", "cuda"], "--device cuda needs torch"),
        (["-m", "demo", "--precision", "bf16"], "--precision bf16 needs torch"),
        (["-m", "micro/micro.pt"], "micro/micro.pt: these weights are read by torch"),
        (["finetune"], "training needs torch"),
    ],
)
def test_what_needs_torch_is_one_sentence_with_the_command(here, args, what):
    original_checkpoint(here / "micro")
    (here / "data").mkdir()
    done = lite("finetune", "data", "-o", "mine") if args == ["finetune"] else lite(SAMPLE, *args)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    said, _, command = done.stderr.partition(", which is not installed: ")
    assert said == f"cedtag: {what}"
    assert shlex.split(command)[:4] == [sys.executable, "-m", "pip", "install"]
    assert {part.partition("<")[0].partition(">")[0] for part in shlex.split(command)[4:]} == {"torch", "torchaudio"}


def test_without_either_backend_the_sentence_names_the_smaller_one(here):
    done = lite(SAMPLE, "-m", "demo", packages="torch,torchaudio,onnxruntime")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "need ONNX Runtime, which is not installed: " in done.stderr


PROBE = """
import sys
from tests.blocked import Blocker
sys.meta_path.insert(0, Blocker({"torch", "torchaudio"}))
import cedtag
assert cedtag.CedConfig().depth == 12
for name in ("CedModel", "CedForAudioClassification", "CedFeatureExtractor", "finetune"):
    try:
        getattr(cedtag, name)
    except cedtag.CedtagError as error:
        assert isinstance(error, ImportError)
        assert str(error).startswith(f"cedtag.{name} needs torch, which is not installed: "), error
    else:
        raise AssertionError(name)
print(cedtag.tag(sys.argv[1], model="demo")[0].tags[0].label)
"""


def test_names_of_the_library_that_need_torch_say_so_when_they_are_used(here):
    command = [sys.executable, "-c", PROBE, str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stdout) == (0, "Speech\n"), done.stderr


def test_the_self_test_computes_the_same_with_onnx_runtime(monkeypatch):
    assert selftest.small_onnx_scorer().labels == selftest.small_scorer("cpu").labels
    with monkeypatch.context() as context:
        context.setattr(selftest, "is_installed", lambda package: False)
        context.setattr(selftest, "small_scorer", None)
        assert selftest.deviation() <= selftest.TOLERANCE
