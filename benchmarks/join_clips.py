"""Joins the clips below a folder into one long recording, with gaps of faint noise, and writes where each one lies.

    python benchmarks/join_clips.py CLIPS joined.wav

makes `joined.wav` (16 kHz, mono, 16 bit) and `joined.truth.tsv` with `filename, onset, offset, event_label`; the label
of a clip is the name of its folder.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile

from cedtag.audio import AUDIO_SUFFIXES, open_recording
from cedtag.records import SAMPLE_RATE_HZ, Source

NOISE = 1e-4  # of full scale, so that the gaps are no digital silence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("joined", type=Path)
    parser.add_argument("--gaps", type=float, nargs=2, default=(1.0, 15.0), metavar=("MIN", "MAX"), help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    paths = sorted(path for path in options.clips.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    rng.shuffle(paths)
    at = 0
    with (
        soundfile.SoundFile(options.joined, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as joined,
        options.joined.with_suffix(".truth.tsv").open("w", newline="") as table,
    ):
        truth = csv.writer(table, delimiter="\t", lineterminator="\n")
        truth.writerow(("filename", "onset", "offset", "event_label"))
        for path in paths:
            gap = rng.normal(0, NOISE, rng.integers(*(round(seconds * SAMPLE_RATE_HZ) for seconds in options.gaps)))
            with open_recording(Source(str(path), str(path), path.name)) as recording:
                clip = np.concatenate(list(recording.blocks()))
            joined.write(np.concatenate([gap, clip]))
            start, at = at + len(gap), at + len(gap) + len(clip)
            truth.writerow((options.joined.name, start / SAMPLE_RATE_HZ, at / SAMPLE_RATE_HZ, path.parent.name))


if __name__ == "__main__":
    main()
