"""How near the edges of events are to the truth, and what that costs: `python benchmarks/edges.py CLIPS -m MODEL`.

Clips below the folder CLIPS, each cut to where it is loud, are laid into faint noise at random times; the folder of a
clip is its class, of which LABELS gives the name in the model. Printed for each way of cutting windows: seconds scored
for each second of audio, the share of clips of which no event tells, events that tell of nothing, and how far the
edges of the found ones are from the truth, in seconds (median and 90th percentile).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.audio import AUDIO_SUFFIXES, open_recording
from cedtag.checkpoints.locate import resolve
from cedtag.demo.make_checkpoint import ESC10_CLASSES as LABELS
from cedtag.events.detect import detect_events
from cedtag.events.settings import EventSettings
from cedtag.labels.selection import selector_of
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import SAMPLE_RATE_HZ, ScoredWindow, SoundEvent, Source
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.refinement import Refinement, refined
from cedtag.scoring import open_scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.records import Window
    from cedtag.scoring import Scorer

    Samples = NDArray[np.float32]

NOISE = 1e-3  # of full scale
FRAME = 400  # samples, of which the loudness is told
WAYS = [  # window, hop, refine
    (10.0, 10.0, None),
    (10.0, 5.0, None),
    (10.0, 2.0, None),
    (10.0, 1.0, None),
    (5.0, 5.0, None),
    (2.0, 2.0, None),
    (2.0, 1.0, None),
    (1.0, 0.5, None),
    (10.0, 10.0, 4.0),
    (10.0, 10.0, 2.0),
    (10.0, 10.0, 1.0),
    (5.0, 5.0, 2.0),
    (5.0, 5.0, 1.0),
]


@dataclass(frozen=True)
class Placed:
    """A clip of a class from `start` to `stop` in seconds."""

    label: str
    start: float
    stop: float


@dataclass
class Memory:
    """A recording that is an array."""

    samples: Samples
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cause: str = ""
    traceback: str = ""

    def blocks(self):
        yield self.samples

    def close(self) -> None:
        """Nothing is open."""


class Counting:
    """A scorer that counts the samples it is given."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.labels, self.batch_size, self.across_recordings = scorer.labels, scorer.batch_size, False
        self.num_samples = 0

    def prepare_thread(self) -> None:
        self._scorer.prepare_thread()

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        self.num_samples += sum(len(window.samples) for window in windows)
        return self._scorer.score(windows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("-m", "--model", default="demo")
    parser.add_argument("--only", default="*", metavar="GLOB", help="names of clips, such as '4-*' for the fourth fold")
    parser.add_argument("--onset", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = [path for path in sorted(options.clips.rglob(options.only)) if path.suffix.lower() in AUDIO_SUFFIXES]
    samples, truth = mixture(paths, np.random.default_rng(options.seed))
    report(samples, truth, open_scorer(resolve(options.model)), EventSettings(options.onset))


def mixture(paths: Sequence[Path], rng: np.random.Generator) -> tuple[Samples, list[Placed]]:
    """All clips in random order, with 5 to 25 s between them, and where they are."""
    pieces, truth, at = [], [], 0
    for path in rng.permutation(np.array(paths, dtype=object)):
        clip = loud_part(read(path))
        gap = np.zeros(int(rng.uniform(5, 25) * SAMPLE_RATE_HZ), np.float32)
        pieces += [gap, clip]
        start, at = at + len(gap), at + len(gap) + len(clip)
        truth.append(Placed(LABELS[path.parent.name], start / SAMPLE_RATE_HZ, at / SAMPLE_RATE_HZ))
    samples = np.concatenate(pieces)
    return samples + rng.normal(0, NOISE, len(samples)).astype(np.float32), truth


def read(path: Path) -> Samples:
    with open_recording(Source(str(path), str(path), path.name)) as recording:
        return np.concatenate(list(recording.blocks()))


def loud_part(clip: Samples) -> Samples:
    """From the first to the last frame that is less than 30 dB below the loudest."""
    frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME)
    power = (frames**2).mean(1)
    loud = np.flatnonzero(power > power.max() / 1000)
    return clip[loud[0] * FRAME : (loud[-1] + 1) * FRAME]


def report(samples: Samples, truth: Sequence[Placed], scorer: Scorer, settings: EventSettings) -> None:
    seconds = len(samples) / SAMPLE_RATE_HZ
    lengths = [placed.stop - placed.start for placed in truth]
    click.echo(f"{len(truth)} clips of {min(lengths):.1f} to {max(lengths):.1f} s in {seconds / 60:.1f} min")
    click.echo("window   hop  refine   cost  missed  false  onset 50%  90%  offset 50%  90%")
    for window_s, hop_s, refine_s in WAYS:
        counting = Counting(scorer)
        found = found_events(samples, counting, settings, window_s, hop_s, refine_s)
        names = {placed.label for placed in truth}
        missed, false, onsets, offsets = compare(truth, [event for event in found if event.label in names])
        cost = counting.num_samples / len(samples)
        near = [f"{np.quantile(errors, q):6.2f}" for errors in (onsets, offsets) for q in (0.5, 0.9)]
        refine = "-" if refine_s is None else f"{refine_s:g}"
        click.echo(f"{window_s:6g} {hop_s:5g} {refine:>7} {cost:6.2f} {missed:7.1%} {false:6}  {'  '.join(near)}")


def found_events(
    samples: Samples, scorer: Counting, settings: EventSettings, window_s: float, hop_s: float, refine_s: float | None
) -> list[SoundEvent]:
    source = Source("mixture", "mixture", "mixture")
    wanted = TagFilter(threshold=settings.lowest_offset, top_k=0)
    selector = selector_of(scorer.labels, wanted)
    plan = PipelineSettings(round(window_s * SAMPLE_RATE_HZ), round(hop_s * SAMPLE_RATE_HZ), scorers=2)
    scored = score_recordings([source], lambda _: Memory(samples), scorer, plan)
    if refine_s is not None:

        def heard(window: ScoredWindow) -> frozenset[int]:
            return frozenset(t.index for t in selector(window).tags if t.score >= settings.onset_of(t.index))

        size = round(refine_s * SAMPLE_RATE_HZ)
        scored = refined(scored, Refinement(lambda _: Memory(samples), scorer, heard, size, 2))
    rows = (selector(event) if isinstance(event, ScoredWindow) else event for event in scored)
    return [event for event in detect_events(rows, settings) if isinstance(event, SoundEvent)]


def compare(
    truth: Sequence[Placed], found: Sequence[SoundEvent]
) -> tuple[float, int, NDArray[np.float64], NDArray[np.float64]]:
    """The share of clips that were missed, how many events meet none, and the distances of onsets and offsets."""
    missed, told, onsets, offsets = 0, set(), [0.0][:0], [0.0][:0]
    for placed in truth:
        over = [
            (place, event.start / SAMPLE_RATE_HZ, event.stop / SAMPLE_RATE_HZ)
            for place, event in enumerate(found)
            if event.label == placed.label
            and event.start < placed.stop * SAMPLE_RATE_HZ
            and event.stop > placed.start * SAMPLE_RATE_HZ
        ]
        told |= {place for place, _, _ in over}
        if over:
            onsets.append(abs(min(start for _, start, _ in over) - placed.start))
            offsets.append(abs(max(stop for _, _, stop in over) - placed.stop))
        else:
            missed += 1
    return missed / len(truth), len(found) - len(told), np.array(onsets or [np.nan]), np.array(offsets or [np.nan])


if __name__ == "__main__":
    main()
