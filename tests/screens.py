"""Command lines and mistakes of a new user, and the screen that each leaves in a terminal of 80 columns.

`tests/data/screens.txt` holds what was read by eye and found good: `$ cedtag ...`, what follows on the screen, and the
exit code where it is not 0. After a change, `python -m tests.screens > tests/data/screens.txt` writes it anew, to be
read again. Numbers that differ from run to run are replaced, and so are the names of Python and of the folder.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from cedtag.cli import main
from tests.archive import StubScorer, make_archive, stub_tagger
from tests.blocked import Blocker
from tests.terminal import on_terminal

ROOT = Path(__file__).parent.parent
SCREENS = ROOT / "tests" / "data" / "screens.txt"
COLUMNS = 80
END = "\x1e"
# What is typed after `cedtag`; before a colon, the packages that are not installed.
LINES = (
    "nosuch.wav",
    "nosuch.wav neither.wav",
    "lables",
    "lables --find rain",
    "list",
    "version",
    "transcribe talk.wav",
    "-q lables",
    "empty",
    "notes",
    "talk.wav -w 1",
    "talk.wav nosuch.wav -w 1 -o two.csv",
    "talk.wav nosuch.wav -w 1 -o two.csv",
    "talk.wav -w 1 -o one.csv",
    "talk.wav -w 1 -o one.csv",
    "talk.wav -w 2 -o one.csv",
    "tree -w 0.2 -o all.csv --errors errors.jsonl --dry-run",
    "tree -w 0.2 -o all.csv --errors errors.jsonl",
    "tree -w 0.2 -o all.csv --errors errors.jsonl",
    "tree -w 0.2 -o all.csv --errors errors.jsonl --dry-run",
    "tree -w 0.2 -o all.csv --errors errors.jsonl -q",
    "tree -w 0.2 --shard 1/2 -o 1.csv -q",
    "tree -w 0.2 --shard 2/2 -o 2.csv -q",
    "merge 1.csv 2.csv -o both.csv",
    "merge 1.csv -o half.csv",
    "convert all.csv -o all.jsonl",
    "convert all.csv -o all.jsonl",
    "convert all.csv -o labels/ -f audacity",
    "convert nosuch.csv -o x.json",
    "events all.csv -o events.csv",
    "report one.csv -o page.html",
    "extract one.csv -o clips",
    "extract one.csv -o clips",
    "av: phone -o phone.csv --dry-run",
    "av: phone -o phone.csv",
    "phone -o phone.csv",
    "av: phone/0.m4a",
    "pyarrow: talk.wav -o talk.parquet",
    "matplotlib: talk.wav -o talk.png",
    "sklearn: evaluate talk.wav",
    "pyarrow: distill store tree -m demo -o views",
    "distill store tree -o views",
    "distill info tree",
    "-V",
    "convert -V",
    "talk.wav --labels Bark,Siren",
    "talk.wav --labels Speach",
    "talk.wav --overlap 80",
    "talk.wav --i",
    "talk.wav --layout wide -w 1 -k 2",
    "talk.wav -f parquet",
    "talk.wav @forest",
    "pyarrow: talk.wav --store kept",
    "talk.wav -w 1 --store kept -q",
    "talk.wav -w 1 --store kept -o kept.csv -t 0.3",
    "talk.wav -w 2 --store kept",
    "convert one.csv -t 0.05 -o low.csv",
    "convert one.csv --labels Speech -o speech.csv",
    "captions talk.wav --with talk.srt",
    "labels -m demo --find siren",
    "models list",
    "models info tiny --offline",
    "events talk.wav -w 1 --from 1 --labels Speech -f csv",
    "talk.wav -w 1 --layout file --labels Speech -f csv",
    "tree -w 0.2 --store year --no-embeddings",
    "query year --labels Speech -o speech-of-year.csv",
    "query year --labels Speech --hours -f table",
    "query year --labels Speech --window 5",
    "query tree",
)


def prepare(folder: Path) -> None:
    """Fill the folder in which the lines are typed."""
    noise = np.random.default_rng(0).integers(-3000, 3000, 16_000 * 3, dtype=np.int16)
    soundfile.write(folder / "talk.wav", noise, 16_000)
    make_archive(folder / "tree", 14)
    for name in ("empty", "notes", "phone"):
        (folder / name).mkdir()
    (folder / "notes" / "readme.txt").touch()
    for number in range(8):
        write_aac(folder / "phone" / f"{number}.m4a", noise[:16_000])


def write_aac(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    import av

    with av.open(path, "w") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32) / 32_768, format="fltp", layout="mono")
        frame.rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode()):
            out.mux(packet)


def drive() -> None:
    """Run all lines in the working folder, each in a process of its own; what ends each shows its exit code."""
    for line in LINES:
        packages, _, typed = line.rpartition(": ")
        sys.stdout.flush()
        child = os.fork()  # so that packages need to be loaded once
        if child == 0:
            sys.meta_path.insert(0, Blocker(packages.split(",")))
            sys.argv = ["cedtag", *shlex.split(typed)]
            main(stub_tagger(StubScorer()))
        _, status = os.waitpid(child, 0)
        print(f"{END}{os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201


def screen_of(line: str, shown: str, code: str, folder: Path) -> str:
    """A line as it was typed, and what it left on the screen."""
    packages, _, typed = line.rpartition(": ")
    without = f"   # without {packages}" if packages else ""
    rest = [] if code == "0" else [f"[exit code {code}]"]
    return "\n".join([f"$ cedtag {typed}{without}", *folded(steady(left_of(shown), folder)), *rest]) + "\n"


def left_of(shown: str) -> str:
    """What is left of each line that was drawn over itself."""
    lines = (re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in shown.split("\n"))
    return "\n".join(line.split("\r")[-1].rstrip() for line in lines)


def steady(text: str, folder: Path) -> str:
    """The text with what differs from run to run replaced."""
    text = text.replace(str(folder), "FOLDER").replace(shlex.quote(sys.executable), "PYTHON")
    text = re.sub(r"in [\d.]+ s, [\d.,]+x realtime", "in 0.1 s, 99.9x realtime", text)
    return re.sub(r"'(?!-)([\w-]+)[<>=][^' ]*'", r"'\1>=1'", text)


def folded(text: str) -> list[str]:
    """The lines as a terminal folds them."""
    lines = [line for line in text.split("\n") if line]
    return [line[start : start + COLUMNS] for line in lines for start in range(0, len(line), COLUMNS)]


def all_screens() -> str:
    """The screens of all lines, one below the other."""
    command = [sys.executable, "-m", "tests.screens", "drive"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.path.realpath(place))
        prepare(folder)
        environment = {
            "PYTHONPATH": str(ROOT),
            "COLUMNS": str(COLUMNS),
            "HF_HUB_CACHE": str(folder / "no cache" / "hub"),
            "NO_COLOR": "",
        }
        _, shown, _ = on_terminal(command, columns=COLUMNS, env=environment, folder=folder)
    parts = re.split(f"{END}(-?[0-9]+)\n", shown)[:-1]
    screens = zip(LINES, parts[::2], parts[1::2], strict=True)
    return "\n".join(screen_of(line, part, code, folder) for line, part, code in screens)


if __name__ == "__main__":
    if sys.argv[1:] == ["drive"]:
        drive()
    else:
        sys.stdout.write(all_screens())
