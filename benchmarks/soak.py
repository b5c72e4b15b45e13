"""Kill cedtag at random moments until it is done, and compare with a run that was never killed.

    python benchmarks/soak.py                       2,000 recordings, 50 kills, csv, json and a folder of jsonl
    python benchmarks/soak.py --tree FOLDER -m MODEL --kills 5

Builds a tree of small recordings (good, broken, with odd names), runs `cedtag` over it with SIGKILLs at random times
and resumes, changes nothing else, and compares every byte of the outputs. Exits with 1 when a byte differs. Without
`-m` a scorer that needs no model stands in, slowed down so that kills fall in the middle of recordings.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.archive import DELAY, make_archive  # noqa: E402

OUTPUTS = {"csv": ["-o", "out.csv"], "json": ["-o", "out.json"], "folder": ["-o", "out/", "-f", "jsonl"]}


@dataclass(frozen=True)
class Soak:
    """A command line without its output, and where it runs."""

    tree: Path
    options: list[str]
    stub: bool
    delay_ms: float

    def start(self, folder: Path, output: list[str]) -> subprocess.Popen[bytes]:
        module = "tests.archive" if self.stub else "cedtag"
        command = [sys.executable, "-m", module, str(self.tree), "--no-progress", "-q", *self.options, *output]
        environment = os.environ | {"PYTHONPATH": str(ROOT), DELAY: str(self.delay_ms)}
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "said").open("ab") as said:
            return subprocess.Popen(command, cwd=folder, env=environment, stderr=said)


def soak(work: Path, job: Soak, kind: str, kills: int, rng: random.Random) -> tuple[bool, str]:
    """Whether the outputs of a killed run equal those of an undisturbed one, and what happened."""
    started = time.monotonic()
    whole, folder = work / kind / "whole", work / kind / "killed"
    wanted = job.start(whole, OUTPUTS[kind]).wait()
    whole_s = time.monotonic() - started
    # Steps of the journal that leave something to do after the last kill, and then two while the files are made.
    steps = [rng.uniform(0, 1.3 * journal_size(whole) / kills) for _ in range(kills)] + [float("inf")] * 2
    killed = sum(kill_after(job.start(folder, OUTPUTS[kind]), folder, step, rng) for step in steps)
    code = job.start(folder, OUTPUTS[kind]).wait()
    same = code == wanted and made(folder) == made(whole)
    verdict = "identical" if same else "DIFFERENT"
    return same, f"{kind}: {killed} kills, {len(made(folder))} files, undisturbed in {whole_s:.1f} s: {verdict}"


def kill_after(process: subprocess.Popen[bytes], folder: Path, step: float, rng: random.Random) -> bool:
    """Kill a process when its journal has grown by so many bytes, or its files are being made; False if it was over."""
    before = journal_size(folder)
    while process.poll() is None and journal_size(folder) < before + step:
        if step == float("inf") and next(folder.glob(".*.part"), None):
            break
    else:
        time.sleep(rng.uniform(0, 0.005))
    process.kill()
    return process.wait() == -signal.SIGKILL


def journal_of(folder: Path) -> Path:
    path = folder / "out" / ".cedtag.run.journal"
    return path if path.exists() else next(folder.glob("*.journal"), path)


def journal_size(folder: Path) -> int:
    path = journal_of(folder)
    return path.stat().st_size if path.exists() else 0


def made(folder: Path) -> dict[str, bytes]:
    """The outputs in a folder, without journals and what was said."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if not path.name.endswith(".journal") and path.name != "said"
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="recordings in the tree that is built")
    parser.add_argument("--kills", type=int, default=50, help="for each kind of output")
    parser.add_argument("--kinds", nargs="+", default=list(OUTPUTS), choices=OUTPUTS)
    parser.add_argument("--tree", type=Path, help="a folder of recordings in place of the tree that is built")
    parser.add_argument("-m", "--model", help="a model in place of the stand-in")
    parser.add_argument("--window", default="0.2", help="seconds")
    parser.add_argument("--delay-ms", type=float, default=4.0, help="of every call of the stand-in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="where to work; kept, so that differences can be looked at")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cedtag-soak-") as temporary:
        work = (args.work or Path(temporary)).absolute()
        tree = args.tree.absolute() if args.tree else make_archive(work / "tree", args.files, args.seed)
        options = ["-w", args.window, *(["-m", str(Path(args.model).absolute())] if args.model else [])]
        job = Soak(tree, options, args.model is None, args.delay_ms)
        rng = random.Random(args.seed)
        all_same = True
        for kind in args.kinds:
            same, text = soak(work, job, kind, args.kills, rng)
            print(text, flush=True)  # noqa: T201
            all_same &= same
    return 0 if all_same else 1


if __name__ == "__main__":
    sys.exit(main())
