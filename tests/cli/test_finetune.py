"""`cedtag finetune`: from recordings to a checkpoint for `-m`, and a sentence for what cannot be trained."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from cedtag import CedFeatureExtractor, CedForAudioClassification
from cedtag.evaluation import metrics
from tests.hisses import write_hisses
from tests.micro import CHECKPOINT
from tests.processors import skip_without_bf16
from tests.programs import command_of

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow

RESULT = ["README.md", "config.json", "metrics.jsonl", "model.safetensors", "preprocessor_config.json"]
FAST = ["--crop", "0.3", "0.6", "-b", "4", "--warm-up", "1", "--threads", "1"]
SCRATCH = ["--from-config", "small.json", *FAST]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in: `hisses/` with low and high ones, a manifest of them, a small architecture."""
    monkeypatch.chdir(tmp_path)
    write_hisses(tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_trained_folder_is_a_model_like_any_other(cedtag, data: Path) -> None:
    done = cedtag(
        "finetune", "hisses", "-o", "mine", *SCRATCH, "--epochs", 40, "--lr", 3e-3, "--ema", 0.9, "--mixup", 0
    )
    assert done.code == 0, done.stderr
    assert done.stderr.endswith("cedtag: mine: done; try it: cedtag RECORDING -m mine\n")
    assert files(data / "mine") == RESULT
    tagged = cedtag("hisses/low/0.wav", "hisses/high/0.wav", "-m", "mine", "-f", "tsv", "-k", 1, "-t", 0)
    assert [line.split("\t")[6] for line in tagged.lines] == ["label", "low", "high"]
    evaluated = cedtag("evaluate", "hisses", "-m", "mine", "-f", "json", "--bootstrap", 0)
    assert json.loads(evaluated.stdout)["measures"]["accuracy"]["value"] == 1


def test_the_card_and_the_log_say_how_it_was_made(cedtag, data: Path) -> None:
    cedtag("finetune", "data.csv", "-o", "mine", *SCRATCH, "--epochs", 2, "--valid-fold", 2, "--seed", 5)
    card = (data / "mine/README.md").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (data / "mine/metrics.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["epoch"]) for row in rows] == [("model", 1), ("model", 2)]
    assert all({"loss", "lr", "valid mAP", "valid accuracy"} <= row.keys() for row in rows)
    for text in (
        "# mine",
        "| high | 4 |",
        "- `seed`: 5",
        "Validation at epoch",
        "cedtag evaluate -m mine",
        "hf upload",
    ):
        assert text in card


def test_fine_tuning_keeps_the_encoder_and_makes_a_new_head(cedtag, data: Path) -> None:
    done = cedtag("finetune", "hisses", "-m", CHECKPOINT, "-o", "probe", *FAST, "--epochs", 1, "--freeze-encoder")
    assert done.code == 0, done.stderr
    before, after = load_file(CHECKPOINT / "model.safetensors"), load_file("probe/model.safetensors")
    assert after["outputlayer.1.weight"].shape == (2, 48)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoder."))


def test_half_precision_halves_the_file_and_still_loads(cedtag, data: Path) -> None:
    cedtag("finetune", "hisses", "-o", "full", *SCRATCH, "--epochs", 1)
    cedtag("finetune", "hisses", "-o", "half", *SCRATCH, "--epochs", 1, "--half")
    full, half = (CedForAudioClassification.from_pretrained(name).state_dict() for name in ("full", "half"))
    sizes = [(data / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    assert all(torch.equal(full[name].half().float(), half[name].float()) for name in full)


def test_bf16_trains_on_a_cpu_that_has_it(cedtag, data: Path) -> None:
    skip_without_bf16()
    for name in ("one", "again"):
        assert cedtag("finetune", "hisses", "-o", name, *SCRATCH, "--epochs", 2, "--precision", "bf16").code == 0
    cedtag("finetune", "hisses", "-o", "fp32", *SCRATCH, "--epochs", 2)
    one, again, single = (load_file(f"{name}/model.safetensors") for name in ("one", "again", "fp32"))
    assert all(torch.equal(one[name], again[name]) for name in one)
    changes = [(one[name] - single[name]).abs().max() for name in one if one[name].is_floating_point()]
    assert 0 < max(changes) < 0.1
    assert all(tensor.dtype != torch.bfloat16 for tensor in one.values())


def test_a_killed_training_goes_on_to_the_very_same_weights(cedtag, data: Path) -> None:
    arguments = ["finetune", "data.csv", *SCRATCH, "--teachers", "1", "--teacher-epochs", "2", "--epochs", "60"]
    assert stopped(signal.SIGKILL, data / "killed", arguments) == (-signal.SIGKILL, "")
    assert "training_state.pt" in files(data / "killed")
    assert cedtag(*arguments, "-o", "killed").code == 0
    assert cedtag(*arguments, "-o", "undisturbed").code == 0
    assert files(data / "killed") == [*RESULT, "teacher-1"]
    for name in set(RESULT) - {"README.md"}:  # which has the command line in it
        assert (data / "killed" / name).read_bytes() == (data / "undisturbed" / name).read_bytes()
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        assert (data / "killed/teacher-1" / name).read_bytes() == (data / "undisturbed/teacher-1" / name).read_bytes()


@pytest.mark.parametrize("option", ["--eq", "--hint-weight", "--distill-weight", "--gain", "--mixup"])
def test_an_option_of_the_training_changes_its_weights(cedtag, data: Path, option: str) -> None:
    arguments = ["finetune", "data.csv", *SCRATCH, "--teachers", 1, "--teacher-epochs", 1, "--epochs", 1]
    for name, more in (("with", []), ("without", [option, 0])):
        assert cedtag(*arguments, *more, "-o", name).code == 0
    assert (data / "with/model.safetensors").read_bytes() != (data / "without/model.safetensors").read_bytes()


def test_an_interrupted_training_says_how_to_go_on(cedtag, data: Path) -> None:
    arguments = ["finetune", "data.csv", *SCRATCH, "--epochs", "1000"]
    code, messages = stopped(signal.SIGINT, data / "mine", arguments)
    assert code == 130
    assert messages == "cedtag: mine: stopped; run the same command again to go on\n"
    assert "training_state.pt" in files(data / "mine")


def test_a_training_shows_what_it_learns_from_and_what_it_leaves_out(cedtag, data: Path) -> None:
    (data / "hisses" / "loose.wav").write_bytes((data / "hisses" / "low" / "0.wav").read_bytes())
    done = cedtag("finetune", "hisses", "-o", "mine", *SCRATCH, "--epochs", 1)
    assert done.stderr.splitlines()[:2] == [
        "cedtag: hisses: 1 recording beside the folders of the classes left out (loose.wav); "
        "the class is the name of the folder",
        "cedtag: 2 classes, 12 clips to train on, none to validate on (see --valid-split): high 6, low 6",
    ]
    assert "loose.wav" in cedtag("evaluate", "hisses", "-m", "mine", "--bootstrap", 0).stderr
    quiet = cedtag("finetune", "hisses", "-o", "quiet", *SCRATCH, "--epochs", 1, "-q")
    assert (quiet.code, quiet.stderr) == (0, "")


def test_a_training_that_is_stopped_while_torch_loads_says_the_same(data: Path) -> None:
    load = RUN.replace("sys.exit", "import builtins, os, signal\n" + INTERRUPTED_IMPORT + "\nsys.exit")
    command = command_of(load, "finetune", "data.csv", *SCRATCH, "-o", "mine")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "cedtag: mine: stopped; run the same command again to go on"


INTERRUPTED_IMPORT = """
usual = builtins.__import__
def interrupted(name, *rest):
    if name == "torch":
        builtins.__import__ = usual
        os.kill(os.getpid(), signal.SIGINT)
    return usual(name, *rest)
builtins.__import__ = interrupted
"""


def stopped(signal_number: int, folder: Path, arguments: list[str]) -> tuple[int, str]:
    """The exit code and the messages of a training that gets a signal after some epochs."""
    command = command_of(RUN, *arguments, "-o", folder.name, "--save-every", "0", "-q")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not ((folder / "metrics.jsonl").exists() and log_rows(folder) >= 5):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal_number)
    _, messages = process.communicate()
    return process.returncode, messages


RUN = """
import sys
from cedtag.cli import run
sys.exit(run(sys.argv[1:]))
"""


def log_rows(folder: Path) -> int:
    return (folder / "metrics.jsonl").read_text().count("\n")


MIXED = "".join(f"hisses/{kind}/{take}.wav,{kind},,\n" for kind in ("low", "high") for take in range(3))
FAULTS = """cut.wav,low,0,0.25
cut.wav,low,0.2,0.5
cut.wav,low,0.6,0.7
hisses/low/3.wav,low,0,0.05
broken.wav,high,,
"""


def test_broken_recordings_cost_their_clips_alone_and_are_said(cedtag, data: Path) -> None:
    whole = (data / "hisses/low/5.wav").read_bytes()
    (data / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (data / "broken.wav").write_bytes(b"RIFF nothing")
    (data / "mixed.csv").write_text("file,labels,start,end\n" + MIXED + FAULTS, encoding="utf-8")
    (data / "good.csv").write_text(
        "file,labels,start,end\n" + MIXED + FAULTS[: FAULTS.index("\n") + 1], encoding="utf-8"
    )
    done = cedtag("finetune", "mixed.csv", "-o", "mixed", *SCRATCH, "--epochs", 2)
    assert done.code == 3
    lines = done.stderr.splitlines()
    assert lines[1:4] == [
        "cedtag: partial: cut.wav: is cut off: 11977 of 23998 bytes of audio are there",
        "cedtag: left out: cut.wav: the clip from 0.2 s to 0.5 s is cut; 0.374 s of the recording were decoded "
        "(and 1 more clips of it)",
        "cedtag: left out: hisses/low/3.wav: 0.05 s of audio from second 0 on; a clip must last one patch, 0.16 s",
    ]
    assert lines[4].startswith("cedtag: failed: broken.wav: ")
    assert lines[-2] == "cedtag: mixed.csv: 7 recordings done, 1 partial, 1 failed; 4 clips left out"
    assert "| high | 3 |\n| low | 4 |" in (data / "mixed/README.md").read_text(encoding="utf-8")
    assert cedtag("finetune", "good.csv", "-o", "good", *SCRATCH, "--epochs", 2).code == 3  # the recording is partial
    assert (data / "mixed/model.safetensors").read_bytes() == (data / "good/model.safetensors").read_bytes()


def test_a_training_whose_clips_can_be_read_again_is_not_gone_on_with(cedtag, data: Path) -> None:
    whole = (data / "hisses/low/5.wav").read_bytes()
    (data / "hisses/low/5.wav").write_bytes(b"RIFF nothing")
    arguments = ["finetune", "hisses", *SCRATCH, "--epochs", "1000"]
    assert stopped(signal.SIGINT, data / "mine", arguments)[0] == 130
    (data / "hisses/low/5.wav").write_bytes(whole)
    again = cedtag(*arguments, "-o", "mine", "-q")
    assert again.code == 2
    assert "cedtag: mine: holds a training with other settings (`data` was " in again.stderr
    assert "`clips` was 11 and is now 12); go on with those, or use --overwrite\n" in again.stderr


def test_what_is_there_is_not_written_over_unless_asked_for(cedtag, data: Path) -> None:
    assert cedtag("finetune", "hisses", "-o", "mine", *SCRATCH, "--epochs", 1).code == 0
    again = cedtag("finetune", "hisses", "-o", "mine", *SCRATCH, "--epochs", 1)
    assert again.code == 1
    assert again.stderr == "cedtag: mine: is not empty; name another folder, or use --overwrite\n"
    assert cedtag("finetune", "hisses", "-o", "mine", *SCRATCH, "--epochs", 1, "--overwrite").code == 0


def test_the_plain_pytorch_loop_works_on_the_public_classes(data: Path) -> None:
    extractor = CedFeatureExtractor()
    model = CedForAudioClassification.from_pretrained(CHECKPOINT).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    audio, rate = soundfile.read("hisses/low/0.wav", dtype="float32")
    inputs, labels = extractor(audio, sampling_rate=rate), torch.tensor([500])
    losses = []
    for _ in range(5):
        output = model(**inputs, labels=labels)
        assert output.loss is not None
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(output.loss.item())
    assert losses[-1] < losses[0]
    assert model.config.id2label[int(output.logits.argmax())] in model.config.id2label.values()


def test_finetune_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    truth = np.eye(2)
    assert metrics.measure_all(truth, truth, resamples=0)[0].value == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("none",), 2, "none: no such folder or manifest"),
        (
            ("holes.csv",),
            2,
            "holes.csv: 1 recordings are not there, the first is gone.wav; name their folder with --audio",
        ),
        (("one.csv",), 2, "one.csv: holds only one class (low); training needs another, or clips without it"),
        (("nothing.csv",), 2, "nothing.csv: no clip has a label"),
        (("short.csv",), 3, "short.wav: 0.05 s of audio from second 0 on; a clip must last one patch, 0.16 s"),
        (("broken.csv",), 3, "cedtag: failed: broken.wav: is no audio that cedtag knows"),
        (("broken.csv",), 3, "no clip to train on that is labelled 'high' can be used"),
        (("broken.csv", "--fail-fast"), 3, "cedtag: failed: broken.wav: is no audio that cedtag knows"),
        (("unheard.csv", "--valid-fold", "2"), 3, "no clip to validate on can be used"),
        (("data.csv", "--fold", "9"), 2, "fold 9: no example is in it (folds of the data: 0, 1, 2)"),
        (("data.csv", "--fold", "1", "--valid-fold", "1"), 2, "fold 1: cannot be trained on and validated on"),
        (("data.csv", "--valid-fold", "1", "--valid-split", "0.5"), 2, "exclude each other"),
        (("several.csv", "--loss", "ce"), 2, "some clips have several labels or none, which --loss ce cannot learn"),
        (("lonely.csv", "--valid-fold", "2"), 2, "lonely.csv: no clip to train on is labelled 'high'"),
        (("hisses", "--crop", "0.1", "5"), 2, "--crop 0.1 5: give MIN and MAX, from 0.16 to 10.12 s"),
        (("hisses", "--crop", "5", "1"), 2, "--crop 5 1: give MIN and MAX"),
        (("hisses", "--lr", "1e6", "--epochs", "4"), 1, "the training diverged"),
        (("hisses", "--from-config", "huge"), 2, "--from-config huge: no such file; give tiny, mini, small, base or a"),
        (("hisses", "--freeze-encoder"), 2, "--freeze-encoder needs a trained encoder (CEDTAG_MODEL)"),
        (("hisses", "-d", "cuda:99"), 2, "--device cuda:99: "),
        (("hisses", "-o", "data.csv/deep"), 1, "data.csv/deep: cannot be made"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_and_leaves_no_model(
    cedtag, data: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    manifests = {
        "holes.csv": "hisses/low/0.wav,low,\ngone.wav,high,\n",
        "one.csv": "hisses/low/0.wav,low,\n",
        "nothing.csv": "hisses/low/0.wav,,\n",
        "short.csv": "hisses/low/0.wav,low,\nshort.wav,high,\n",
        "broken.csv": "hisses/low/0.wav,low,\nbroken.wav,high,\n",
        "several.csv": "hisses/low/0.wav,low,\nhisses/high/0.wav,low;high,\n",
        "unheard.csv": "hisses/low/0.wav,low,1\nhisses/high/0.wav,high,1\nbroken.wav,high,2\n",
        "lonely.csv": "hisses/low/0.wav,low,1\nhisses/low/1.wav,low,1\nhisses/high/0.wav,high,2\n",
    }
    for name, rows in manifests.items():
        (data / name).write_text("file,labels,fold\n" + rows, encoding="utf-8")
    soundfile.write(data / "short.wav", np.zeros(800), 16_000)
    (data / "broken.wav").write_bytes(b"RIFF nothing")
    done = cedtag("finetune", *arguments[:1], "-o", "out", *SCRATCH, *arguments[1:])
    assert done.code == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (data / "out/model.safetensors").exists()


def test_a_full_disk_while_the_model_is_saved_is_a_sentence(
    cedtag, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, content: bytes) -> int:
        with file.open("wb") as out:
            out.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    done = cedtag("finetune", "hisses", "-o", "out", *SCRATCH, "--epochs", 1)
    assert done.code == 1
    assert "out: cannot save the model ([Errno 28] No space left on device); free some space" in done.stderr
    assert not [name for name in files(data / "out") if "safetensors" in name]
