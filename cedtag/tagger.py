"""The library's front door: a loaded model that tags recordings and archives."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from cedtag.audio import Decoders, read_array, spooled
from cedtag.checkpoints.choice import ModelChoice
from cedtag.checkpoints.locate import resolve
from cedtag.errors import AudioError, InputError
from cedtag.events.detect import detect_events
from cedtag.events.settings import EventSettings
from cedtag.inputs.sources import typed_source
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import AlreadyDone, FileEnd, FileFailed, ScoredWindow, SoundEvent, Source, TagResult
from cedtag.results.recording import RecordingResults, Scores
from cedtag.run.archive import run_archive
from cedtag.run.outputs.destination import Destination
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.plan import scoring_of, scoring_threads, selection_of
from cedtag.run.settings import RunSettings
from cedtag.scoring import Compute, load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.audio import Recording
    from cedtag.labels.table import Label
    from cedtag.records import Outcome
    from cedtag.run.archive import Callbacks
    from cedtag.run.settings import Scoring
    from cedtag.run.summary import Summary
    from cedtag.scoring import LoadedModel

    Audio: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | NDArray[np.floating]
    Paths: TypeAlias = str | os.PathLike[str] | Iterable[str]


class Tagger:
    """A CED checkpoint, loaded once and used for any number of recordings; safe to share between threads.

    It prints nothing and leaves the number of threads that torch uses elsewhere as it was.
    """

    def __init__(self, model: LoadedModel, compute: Compute | None = None) -> None:
        self.model = model
        self.compute = compute or Compute()

    @classmethod
    def from_pretrained(
        cls,
        name: str = "tiny",
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
        offline: bool = False,
        cache_dir: Path | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Tagger:
        """A checkpoint by name (tiny, mini, small, base, demo), Hub repository, folder or weights file.

        For `backend`, `device`, `precision` and `batch_size` see `Compute`. Files are downloaded once, unless
        `offline`, into huggingface_hub's cache or `cache_dir`; `on_progress` is called with the bytes that have come.
        Raises ModelError for a checkpoint that is missing or damaged, and InputError for a device or precision that
        this machine does not have.
        """
        compute = Compute(backend, device, precision, batch_size)
        return cls.load(ModelChoice(name, offline, cache_dir), compute, on_progress=on_progress)

    @classmethod
    def load(cls, choice: ModelChoice, compute: Compute, *, on_progress: Callable[[int], None] | None = None) -> Tagger:
        """The same from values; `compute` also holds the numbers of threads for `run`."""
        checkpoint = resolve(choice.model, offline=choice.offline, cache_dir=choice.cache_dir, on_progress=on_progress)
        return cls(load_model(checkpoint, compute), compute)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes of the model, in the order of its outputs."""
        return self.model.scorer.labels

    def tag(
        self,
        audio: Audio,
        sampling_rate: int | None = None,
        *,
        windows: WindowSettings | None = None,
        tags: TagFilter | None = None,
    ) -> RecordingResults[TagResult]:
        """The tags of each window of one recording, best first.

        `audio` is a path, encoded audio (bytes or a binary file object), or floating-point samples `(n,)` or
        `(n, channels)` in [-1, 1] with their `sampling_rate` in Hz. A recording that is damaged after its first samples
        is scored as far as it goes, and `result.end.problems` names the damage. Raises AudioError for a recording
        without any audio, and InputError for settings that do not fit the model.
        """
        settings = _settings(windows, tags)
        scoring = scoring_of(settings, self.model.scorer)
        scored, end = self._scored(audio, sampling_rate, scoring)
        return RecordingResults([scoring.selector(window) for window in scored], end)

    def events(
        self,
        audio: Audio,
        sampling_rate: int | None = None,
        *,
        events: EventSettings | None = None,
        windows: WindowSettings | None = None,
        tags: TagFilter | None = None,
    ) -> RecordingResults[SoundEvent]:
        """The events of one recording by start and then by class: see `tag` for `audio`, and `EventSettings`."""
        settings = _settings(windows, tags, events or EventSettings())
        scoring = scoring_of(settings, self.model.scorer)
        scored, end = self._scored(audio, sampling_rate, scoring)
        select = selection_of(scoring)
        outcomes: list[Outcome] = [*scored, end]
        rows = (row for outcome in outcomes for row in select(outcome) if not isinstance(row, AlreadyDone))
        found = detect_events(rows, scoring.events)
        return RecordingResults([event for event in found if isinstance(event, SoundEvent)], end)

    def scores(
        self, audio: Audio, sampling_rate: int | None = None, *, windows: WindowSettings | None = None
    ) -> Scores:
        """The probabilities of all classes in each window of one recording: see `tag` for `audio`."""
        scored, end = self._scored(audio, sampling_rate, scoring_of(_settings(windows, None), self.model.scorer))
        return Scores(
            self.labels,
            np.array([window.start for window in scored], np.int64),
            np.array([window.stop for window in scored], np.int64),
            np.stack([window.probabilities for window in scored]),
            end,
        )

    def run(
        self,
        paths: Paths,
        to: str | os.PathLike[str] | Destination,
        *,
        settings: RunSettings | None = None,
        callbacks: Callbacks | None = None,
    ) -> Summary:
        """Tag files and folders and write the results `to` a file or folder, as `cedtag PATHS -o TO` does.

        Stopped in any way, the same call goes on where it was. `to` may be a whole `Destination`, and `settings` holds
        everything else: what is searched, windows, tags, events, start times. Returns the counts of what became of the
        recordings; a recording that failed is counted, and logged by `callbacks.on_outcome`. Raises InputError,
        OutputError (existing files are only replaced with `overwrite`) and ModelError.
        """
        destination = to if isinstance(to, Destination) else Destination((os.fspath(to),))
        settings = replace(settings or RunSettings(), destination=destination, compute=self.compute)
        named = (str(paths),) if isinstance(paths, str | os.PathLike) else paths
        return run_archive(named, self.model, settings, callbacks)

    def _scored(self, audio: Audio, sampling_rate: int | None, scoring: Scoring) -> tuple[list[ScoredWindow], FileEnd]:
        """All windows of one recording, and how it ended."""
        with ExitStack() as stack:
            source, open_recording = _opened(audio, sampling_rate, stack)
            threads = scoring_threads(self.compute, self.model.scorer)
            plan = PipelineSettings(scoring.window, scoring.hop, scorers=threads, columns=scoring.column > 0)
            outcomes = score_recordings([source], open_recording, self.model.scorer, plan)
            *windows, end = stack.enter_context(closing(outcomes))
        if isinstance(end, FileFailed):
            raise AudioError(end.error, stage=end.stage, traceback=end.traceback)
        assert isinstance(end, FileEnd)
        return [window for window in windows if isinstance(window, ScoredWindow)], end


def tag(
    audio: Audio,
    sampling_rate: int | None = None,
    *,
    model: str = "tiny",
    windows: WindowSettings | None = None,
    tags: TagFilter | None = None,
) -> RecordingResults[TagResult]:
    """The tags of each window of one recording: `Tagger.from_pretrained(model).tag(audio, ...)`.

    The model is loaded anew each time; keep a `Tagger` for more than one recording.
    """
    return Tagger.from_pretrained(model).tag(audio, sampling_rate, windows=windows, tags=tags)


def _settings(
    windows: WindowSettings | None, tags: TagFilter | None, events: EventSettings | None = None
) -> RunSettings:
    return RunSettings(windows=windows or WindowSettings(), tags=tags or TagFilter(), events=events)


def _opened(audio: Audio, sampling_rate: int | None, stack: ExitStack) -> tuple[Source, Callable[[Source], Recording]]:
    """A recording as a source, and the function that opens it; `stack` closes what that needs."""
    if isinstance(audio, np.ndarray):
        if sampling_rate is None:
            raise InputError("samples in an array need their `sampling_rate`")
        recording = read_array(audio, sampling_rate)
        return Source("array", "array", "array"), lambda source: recording
    if sampling_rate is not None:
        raise InputError("`sampling_rate` is that of samples in an array; a recording carries its own")
    decoders = stack.enter_context(Decoders())
    if isinstance(audio, str | os.PathLike):
        return typed_source(os.fspath(audio)), decoders.open
    stream = BytesIO(audio) if isinstance(audio, bytes) else audio
    return Source(stack.enter_context(spooled(stream)), "stream", "stream"), decoders.open
