"""How near the edges of events are to the truth with columns of tokens: `python benchmarks/frames.py CLIPS -m MODEL`.

Each scene is 10 s of faint noise with one sound of a clip below the folder CLIPS, such as ESC-10: its loudest stretch
without a pause of a quarter of a second. The folder of a clip is its class, of which LABELS gives the name in the
model. Printed for each way: seconds scored for each second of audio, distances of edges from the truth in seconds
(median, 90th percentile), intersection over union, scenes whose sound was missed, events of other places or classes,
and PSDS1, for which `psds_eval` is needed, with versions of pandas below 3 and NumPy below 2.3 that it works with; it
is - without them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.edges import FRAME, LABELS, NOISE, Memory, read
from cedtag.audio import AUDIO_SUFFIXES
from cedtag.checkpoints.locate import resolve
from cedtag.events.detect import detect_events
from cedtag.events.settings import EventSettings
from cedtag.labels.selection import selector_of
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import SAMPLE_RATE_HZ, ScoredWindow, SoundEvent, Source
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.plan import selection_of
from cedtag.run.refinement import Refinement, refined
from cedtag.run.settings import Scoring
from cedtag.scoring import open_scorer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.records import Outcome, TagResult
    from cedtag.scoring import ColumnScorer

    Samples = NDArray[np.float32]
    Span = tuple[float, float]

SCENE_S = 10.0
PAUSE = 10  # frames that are not loud end a sound
ONSETS = np.linspace(0.01, 0.99, 50)  # the operating points of PSDS
LOWEST = 0.004  # score of tags that are kept for them


@dataclass(frozen=True)
class Way:
    """How windows are cut, in seconds, and what their columns are used for."""

    window_s: float
    hop_s: float
    refine_s: float | None = None
    frames: bool = False

    def __str__(self) -> str:
        hop = f" --hop {self.hop_s:g}" if self.hop_s < self.window_s else ""
        refine = f" --refine {self.refine_s:g}" if self.refine_s else ""
        return f"-w {self.window_s:g}{hop}{refine}{' --frames' if self.frames else ''}"


WAYS = [
    Way(10, 10),
    Way(10, 10, refine_s=1),
    Way(1, 0.5),
    Way(10, 10, frames=True),
    Way(5, 5, frames=True),
    Way(2, 2, frames=True),
    Way(2, 1, frames=True),
]


@dataclass
class Scene:
    """A sound of a class in noise, and what was scored of it: windows by place, each once."""

    name: str
    label: str
    span: Span
    samples: Samples
    scored: dict[tuple[int, int], tuple[Samples, Samples]] = field(default_factory=dict)


class Cached:
    """A scorer of one scene that computes every window once, and counts the samples it is asked for."""

    def __init__(self, scorer: ColumnScorer, scene: Scene) -> None:
        self._scorer, self._scene = scorer, scene
        self.labels, self.batch_size, self.across_recordings = scorer.labels, scorer.batch_size, False
        self.num_samples = 0

    def prepare_thread(self) -> None:
        self._scorer.prepare_thread()

    def score(self, windows):
        return self.score_columns(windows)[0]

    def score_columns(self, windows):
        known = self._scene.scored
        places = [(hash(window.samples.tobytes()), len(window.samples)) for window in windows]
        for place, window in zip(places, windows, strict=True):
            if place not in known:
                scores, columns = self._scorer.score_columns([window])
                known[place] = (scores[0], columns[0])
        self.num_samples += sum(len(window.samples) for window in windows)
        return np.stack([known[place][0] for place in places]), [known[place][1] for place in places]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("-m", "--model", default="demo")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--onset", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = [path for path in sorted(options.clips.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES]
    rng = np.random.default_rng(options.seed)
    chosen = rng.permutation(np.array(paths, dtype=object))[: options.scenes]
    scenes = [scene_of(path, rng) for path in chosen]
    report(scenes, open_scorer(resolve(options.model)), options.onset)


def scene_of(path: Path, rng: np.random.Generator) -> Scene:
    """One sound at a random time."""
    samples = rng.normal(0, NOISE, int(SCENE_S * SAMPLE_RATE_HZ)).astype(np.float32)
    sound = one_sound(read(path))
    at = int(rng.integers(len(samples) - len(sound)))
    samples[at : at + len(sound)] += sound
    span = (at / SAMPLE_RATE_HZ, (at + len(sound)) / SAMPLE_RATE_HZ)
    return Scene(path.name, LABELS[path.parent.name], span, samples)


def one_sound(clip: Samples) -> Samples:
    """The stretch around the loudest frame in which no pause is long, at 30 dB below that frame."""
    power = (clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1)
    loud = np.flatnonzero(power > power.max() / 1000)
    pieces = np.split(loud, np.flatnonzero(np.diff(loud) > PAUSE) + 1)
    (piece,) = (piece for piece in pieces if power.argmax() in piece)
    return clip[piece[0] * FRAME : (piece[-1] + 1) * FRAME]


def report(scenes: Sequence[Scene], scorer: ColumnScorer, onset: float) -> None:
    click.echo(f"{len(scenes)} scenes, onset {onset:g}")
    click.echo("way                      cost  onset 50%   90%  offset 50%   90%    IoU  missed  false  PSDS1")
    for way in WAYS:
        found, cost = zip(*(events_of(scene, scorer, way, [onset]) for scene in scenes), strict=True)
        firsts = [events for (events,) in found]
        onsets, offsets, overlaps, false = compare(scenes, firsts)
        edges = "  ".join(f"{np.quantile(errors, share):9.2f}" for errors in (onsets, offsets) for share in (0.5, 0.9))
        missed = len(scenes) - len(onsets)
        score = psds(scenes, scorer, way)
        click.echo(f"{way!s:<24}{np.mean(cost):5.2f}{edges}  {np.mean(overlaps):.3f}  {missed:6}  {false:5}  {score}")


def events_of(
    scene: Scene, scorer: ColumnScorer, way: Way, onsets: Sequence[float], labels: Sequence[str] = ()
) -> tuple[list[list[SoundEvent]], float]:
    """The events of a scene with each of these onsets, and the seconds that were scored for each second of it."""
    cached = Cached(scorer, scene)
    window, hop = (round(length_s * SAMPLE_RATE_HZ) for length_s in (way.window_s, way.hop_s))
    source = Source(scene.name, scene.name, scene.name)
    plan = PipelineSettings(window, hop, columns=way.frames)
    column = scorer.shortest_window if way.frames else 0
    selector = selector_of(scorer.labels, TagFilter(threshold=LOWEST, top_k=0, labels=tuple(labels)))
    scoring = Scoring(window, hop, selector, EventSettings(), column)
    outcomes = list(score_recordings([source], lambda _: Memory(scene.samples), cached, plan))
    made: list[list[SoundEvent]] = []
    rows: dict[object, list[TagResult]] = {}
    for onset in onsets:
        # Onsets decide what is refined, and many decide alike.
        heard = way.refine_s and tuple(active(one, onset) for one in outcomes if isinstance(one, ScoredWindow))
        if heard not in rows:
            fine = outcomes if way.refine_s is None else finer(outcomes, scene, cached, way.refine_s, onset)
            rows[heard] = list(tagged(fine, scoring))
        found = detect_events(rows[heard], EventSettings(float(onset)))
        made.append([event for event in found if isinstance(event, SoundEvent)])
    return made, cached.num_samples / len(scene.samples)


def tagged(outcomes: Sequence[Outcome], scoring: Scoring) -> Iterator[TagResult]:
    select = selection_of(scoring)
    for outcome in outcomes:
        yield from select(outcome)


def finer(outcomes: Sequence[Outcome], scene: Scene, scorer: Cached, size_s: float, onset: float) -> list[Outcome]:
    size = round(size_s * SAMPLE_RATE_HZ)
    refinement = Refinement(lambda _: Memory(scene.samples), scorer, lambda window: active(window, onset), size)
    return list(refined(outcomes, refinement))


def active(window: ScoredWindow, onset: float) -> frozenset[int]:
    return frozenset(np.flatnonzero(window.probabilities >= onset).tolist())


def compare(
    scenes: Sequence[Scene], found: Sequence[Sequence[SoundEvent]]
) -> tuple[list[float], list[float], list[float], int]:
    """Distances of onsets and offsets where the sound was found, all intersections over union, and false events."""
    onsets, offsets, overlaps, false = [], [], [], 0
    for scene, events in zip(scenes, found, strict=True):
        start, stop = scene.span
        own = [span_of(event) for event in events if event.label == scene.label]
        hits = [span for span in own if span[0] < stop and span[1] > start]
        false += len(events) - len(hits)
        common = sum(max(0.0, min(last, stop) - max(first, start)) for first, last in own)
        overlaps.append(common / (sum(last - first for first, last in own) + stop - start - common))
        if hits:
            onsets.append(abs(min(first for first, _ in hits) - start))
            offsets.append(abs(max(last for _, last in hits) - stop))
    return onsets, offsets, overlaps, false


def span_of(event: SoundEvent) -> Span:
    return event.start / SAMPLE_RATE_HZ, event.stop / SAMPLE_RATE_HZ


def psds(scenes: Sequence[Scene], scorer: ColumnScorer, way: Way) -> str:
    """PSDS1 as DCASE defines it: what is tolerated is 0.7, and classes that vary count."""
    try:
        import pandas as pd
        from psds_eval import PSDSEval
    except ImportError:
        return "-"
    truth = [(scene.name, *scene.span, scene.label) for scene in scenes]
    columns = ["filename", "onset", "offset", "event_label"]
    lengths = pd.DataFrame([(scene.name, SCENE_S) for scene in scenes], columns=["filename", "duration"])
    judge = PSDSEval(0.7, 0.7, ground_truth=pd.DataFrame(truth, columns=columns), metadata=lengths)
    known = sorted({scene.label for scene in scenes})
    tables: list[list[tuple[str, float, float, str]]] = [[] for _ in ONSETS]
    for scene in scenes:
        for table, events in zip(tables, events_of(scene, scorer, way, ONSETS, known)[0], strict=True):
            table += [(scene.name, *span_of(event), event.label) for event in events]
    for table in tables:
        judge.add_operating_point(pd.DataFrame(table, columns=columns))
    return f"{judge.psds(alpha_ct=0, alpha_st=1, max_efpr=100).value:.3f}"


if __name__ == "__main__":
    main()
