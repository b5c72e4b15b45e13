"""What a run over very many recordings costs, apart from the model: memory while it goes, and the start of a resume.

    python benchmarks/archive_size.py --files 200000

Makes a tree of that many names (hard links to a few short recordings, in folders of a thousand), runs `cedtag -o` over
it with a scorer that needs no model, and runs it again when it is finished. Prints resident memory on the way.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.archive import write_recording  # noqa: E402

LINKS_PER_FILE = 50_000  # ext4 allows 65,000


def make_tree(folder: Path, num_files: int) -> Path:
    rng = np.random.default_rng(0)
    original = folder / "original"
    for number in range(num_files):
        if number % LINKS_PER_FILE == 0:
            original = folder / f"original {number}"
            original.parent.mkdir(parents=True, exist_ok=True)
            write_recording(original, rng)
        path = folder / f"day {number // 1000:04d}" / f"recording {number:07d}.wav"
        if number % 1000 == 0:
            path.parent.mkdir()
        path.hardlink_to(original)
    return folder


def run(work: Path, output: list[str], num_files: int) -> None:
    """Run once, printing memory at every tenth of the recordings."""
    command = [sys.executable, "-m", "tests.archive", "tree", "--no-progress", "-q", *output]
    journal = work / (f"{output[1]}.journal" if output[1].endswith(".csv") else f"{output[1]}/.cedtag.run.journal")
    started, shown, peak_mb = time.monotonic(), journal.stat().st_size if journal.exists() else 0, 0.0
    process = subprocess.Popen(command, cwd=work, env=os.environ | {"PYTHONPATH": str(ROOT)})
    while process.poll() is None:
        time.sleep(0.1)
        peak_mb = max(peak_mb, resident_mb(process.pid))
        done = journal.stat().st_size if journal.exists() else 0
        if done - shown > 70 * num_files:
            shown = done
            print(f"  {time.monotonic() - started:6.1f} s  {resident_mb(process.pid):5.0f} MB", flush=True)  # noqa: T201
    elapsed = time.monotonic() - started
    print(f"{' '.join(output)}: {elapsed:.1f} s, at most {peak_mb:.0f} MB, exit code {process.returncode}")  # noqa: T201


def resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # over, or no Linux
        return 0.0
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--folder", action="store_true", help="write a file per recording in place of one csv")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cedtag-size-") as work:
        make_tree(Path(work, "tree"), args.files)
        output = ["-o", "out", "-f", "jsonl"] if args.folder else ["-o", "out.csv"]
        for _ in range(2):
            run(Path(work), output, args.files)


if __name__ == "__main__":
    main()
