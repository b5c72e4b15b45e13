"""Train the packaged checkpoint: `python -m cedtag.demo.make_checkpoint ESC10 WORK`.

ESC10 is a folder with the ten classes of ESC-10 (K. J. Piczak, 2015; of ESC-50, https://github.com/karolpiczak/ESC-50)
as sub-folders, the recordings named as there, the fold first. The other classes are synthesised, speech by espeak-ng,
which must be on the PATH. With `--leave-out FOLD` the same recipe is trained on the other folds of ESC-10 alone and
evaluated on this one, which gives the numbers in the model card.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cedtag.demo.synthesis import SOUNDS
from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

# ESC-10's folders -> AudioSet's names
ESC10_CLASSES = {
    "baby_cry": "Baby cry, infant cry",
    "chainsaw": "Chainsaw",
    "clock_tick": "Tick-tock",
    "dog_bark": "Bark",
    "fire_crackling": "Crackle",
    "helicopter": "Helicopter",
    "person_sneeze": "Sneeze",
    "rain": "Rain",
    "rooster": "Crowing, cock-a-doodle-doo",
    "sea_waves": "Waves, surf",
}
FOLDS = ("1", "2", "3", "4")
SYNTHETIC = "synthetic"
CLIPS_PER_SOUND = 16
ARCHITECTURE = {"model_type": "ced", "embed_dim": 128, "num_heads": 4, "depth": 6, "drop_path_rate": 0.1}
# First short crops, which are cheap, then lengths up to the window of 10 s that people tag.
SHORT_CROPS = "--teachers 1 --teacher-epochs 60 --epochs 130 -b 16 --lr 8e-4 --ema 0.995 --crop 1.28 4.5"
LONG_CROPS = "--epochs 25 --warm-up 1 -b 16 --lr 3e-4 --crop 2.5 10 --ema 0.99"
PACKAGED = Path(__file__).parent / "checkpoint"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc10", type=Path)
    parser.add_argument("work", type=Path, help="folder for the manifest, the synthesised clips and the trainings")
    parser.add_argument("--leave-out", metavar="FOLD", choices=FOLDS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.leave_out:
        leave_out(arguments.esc10, arguments.work, arguments.leave_out, arguments.seed)
    else:
        make(arguments.esc10, arguments.work, arguments.seed)


def leave_out(esc10: Path, work: Path, fold: str, seed: int) -> None:
    """Train on the other folds of ESC-10 and evaluate on this one."""
    data = write_manifest(work / "esc10.csv", esc10_rows(esc10))
    folds = [argument for other in FOLDS if other != fold for argument in ("--fold", other)]
    config = write_config(work, len(ESC10_CLASSES))
    trained = train(data, config, work / f"without-{fold}-seed-{seed}", seed, folds)
    report = work / f"without-{fold}-seed-{seed}.json"
    cedtag("evaluate", data, "-m", trained, "--fold", fold, "-o", report)
    print(report.read_text(encoding="utf-8"))  # noqa: T201


def make(esc10: Path, work: Path, seed: int) -> None:
    """Train on ESC-10 and synthesised sounds, and copy the checkpoint into the package."""
    data = write_manifest(work / "all.csv", [*esc10_rows(esc10), *synthetic_rows(work / SYNTHETIC)])
    config = write_config(work, len(ESC10_CLASSES) + len(SOUNDS))
    trained = train(data, config, work / "demo", seed)
    PACKAGED.mkdir(exist_ok=True)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        shutil.copyfile(trained / name, PACKAGED / name)


def train(data: Path, config: Path, folder: Path, seed: int, folds: Sequence[str] = ()) -> Path:
    """Train on short and then on long crops; the folder of the checkpoint."""
    short, long = folder / "short", folder / "long"
    cedtag("finetune", data, *folds, "--from-config", config, "-o", short, *SHORT_CROPS.split(), "--seed", seed)
    cedtag("finetune", data, *folds, "-m", short, "-o", long, *LONG_CROPS.split(), "--seed", seed, "--half")
    return long


def esc10_rows(esc10: Path) -> list[tuple[str, str, str]]:
    """File, label and fold of each recording."""
    return [
        (str(file.absolute()), label, file.name[0])
        for folder, label in ESC10_CLASSES.items()
        for file in sorted((esc10 / folder).iterdir())
        if file.name[0] in FOLDS
    ]


def synthetic_rows(folder: Path) -> list[tuple[str, str, str]]:
    """File, label and fold of sounds that are synthesised here."""
    folder.mkdir(exist_ok=True)
    rows = []
    for number, (label, sound) in enumerate(SOUNDS.items()):
        for take in range(CLIPS_PER_SOUND):
            file = folder / f"{number:02}-{take:02}.flac"
            soundfile.write(file, sound(np.random.default_rng([number, take])), SAMPLE_RATE_HZ)
            rows.append((str(file.absolute()), label, SYNTHETIC))
    return rows


def write_manifest(file: Path, rows: list[tuple[str, str, str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("file", "labels", "fold"), *rows])
    return file


def write_config(work: Path, num_classes: int) -> Path:
    file = work / f"architecture-{num_classes}.json"
    file.write_text(json.dumps({**ARCHITECTURE, "outputdim": num_classes}), encoding="utf-8")
    return file


def cedtag(*arguments: object) -> None:
    """Run a command line in its own process, on one thread, which repeats to the bit."""
    words = [str(argument) for argument in arguments]
    print("cedtag", shlex.join(words), flush=True)  # noqa: T201
    subprocess.run(
        [sys.executable, "-m", "cedtag", *words],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CEDTAG_FINETUNE_THREADS": "1"},
    )


if __name__ == "__main__":
    main()
