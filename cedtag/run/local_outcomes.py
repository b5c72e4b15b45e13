"""Recordings, decoded and scored by this process: the work of a run without its list and its output."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from cedtag.audio import Decoders, read_raw, spooled
from cedtag.audio.piped_tar import PIPED, PipedInput
from cedtag.errors import AudioError
from cedtag.inputs.search import STDIN
from cedtag.inputs.window_settings import samples_of
from cedtag.run.pipeline import score_recordings
from cedtag.run.plan import scoring_of
from cedtag.run.refinement import Refinement, refined
from cedtag.scoring import gives_embeddings
from cedtag.scoring.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cedtag.audio import Recording
    from cedtag.records import Listed, Outcome, ScoredWindow, Source
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.pipeline import PipelineSettings
    from cedtag.run.settings import RunSettings, Scoring
    from cedtag.scoring import Scorer

    OpenRecording: TypeAlias = Callable[[Source], Recording]


def local_outcomes(
    sources: Iterable[Listed],
    open_recording: OpenRecording,
    scorer: Scorer,
    settings: RunSettings,
    plan: PipelineSettings,
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of the sources, in their order, as this process decodes and scores them."""
    with closing(_scored(sources, open_recording, settings.destination, scorer, plan)) as outcomes:
        if settings.windows.refine_s is None:
            yield from outcomes
            return
        refinement = _refinement(settings.windows.refine_s, scoring_of(settings, scorer), open_recording, scorer, plan)
        with closing(refined(outcomes, refinement)) as fine:
            yield from fine


def opener(settings: RunSettings, scorer: Scorer, stack: ExitStack, stdin: PipedInput | None = None) -> OpenRecording:
    """The function that opens a recording; `stack` closes what it needs."""
    stdin = stdin or PipedInput()
    # On a GPU the model is nearly free, and decoding has to leave this process to keep up.
    decoding = replace(settings.reading.decoding, isolate=scorer.device != "cpu")
    decoders = stack.enter_context(Decoders(decoding))

    def open_source(source: Source) -> Recording:
        if source.path.startswith(PIPED):
            return _opened_member(source, decoders, stdin)
        if source.path != STDIN:
            return decoders.open(source)
        if decoding.raw is not None:
            return read_raw(source.name, sys.stdin.buffer, decoding.raw, decoding.selection)
        return decoders.open(replace(source, path=stack.enter_context(spooled(stdin.stream))))

    return open_source


def _opened_member(source: Source, decoders: Decoders, stdin: PipedInput) -> Recording:
    """A member of the tar on standard input, with what is wrong with it."""
    try:
        recording = decoders.open(source)
    except AudioError as error:
        if problem := stdin.taken(source):
            raise AudioError(f"{error}; {problem}", stage=error.stage) from error
        raise
    if problem := stdin.taken(source):
        recording.problems.append(problem)
    return recording


def _scored(
    sources: Iterable[Listed],
    open_recording: OpenRecording,
    destination: Destination,
    scorer: Scorer,
    plan: PipelineSettings,
) -> Generator[Outcome, None, None]:
    """The outcomes of all sources, with the embeddings that a store is to hold."""
    if not (destination.store and destination.embeddings and gives_embeddings(scorer)):
        yield from score_recordings(sources, open_recording, scorer, plan)
        return
    embedded = Embedded(scorer)
    with closing(score_recordings(sources, open_recording, embedded, plan)) as outcomes:
        yield from map(embedded.divided, outcomes)


def _refinement(
    size_s: float, scoring: Scoring, open_recording: OpenRecording, scorer: Scorer, plan: PipelineSettings
) -> Refinement:
    """How windows in which an event begins or ends are scored again."""
    events, selector = scoring.events, scoring.selector
    assert events is not None

    def active(window: ScoredWindow) -> frozenset[int]:
        return frozenset(tag.index for tag in selector(window).tags if tag.score >= events.onset_of(tag.index))

    return Refinement(open_recording, scorer, active, samples_of(size_s), plan.scorers)
