"""Clips: the sound of events, or of the windows with the best scores of each class, cut out of their recordings."""

from __future__ import annotations

import io
import re
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop
from pathlib import Path, PurePath
from string import Formatter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import soundfile

from cedtag.audio.frames import opened_frames
from cedtag.audio.parts import SteadyDecoder
from cedtag.audio.places import placed
from cedtag.errors import AudioError, InputError, OutputError
from cedtag.records import SAMPLE_RATE_HZ, SoundEvent, Source, Tag, TagResult
from cedtag.run.outputs.files import journal_beside
from cedtag.system.atomic import cut_name, replacing, writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs, folding_of
from cedtag.system.special_files import followed
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.audio.in_process import Decoder
    from cedtag.audio.mono import Samples
    from cedtag.records import Result
    from cedtag.results.clip_settings import ClipSettings

TABLE = "clips.csv"
COLUMNS = ("clip", "file", "start", "end", "index", "mid", "label", "score", "first_frame", "frames", "rate")
FIELDS = "label, mid, index, number, score, name, start, end"


@dataclass(frozen=True, slots=True)
class Clip:
    """Samples `start` to `stop` (at 16 kHz) of a recording, the `number`-th best of its class, to be cut to `path`."""

    source: Source
    start: int
    stop: int
    tag: Tag
    number: int = 0
    path: Path = Path()


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip that was written: where it began and how long it is, in frames of the recording."""

    clip: Clip
    first_frame: int
    num_frames: int
    rate_hz: int


CutOrError: TypeAlias = "Cut | AudioError"


def extract_clips(
    results: Iterable[Result],
    settings: ClipSettings,
    on_failure: Callable[[AudioError], object] = lambda error: None,
    inputs: Sequence[Path] = (),
) -> list[Cut]:
    """Cut the events or the best windows of each class out of their recordings; what was written, in order of class.

    The results were read from `inputs`. `on_failure` is called for each recording that cannot be read. Raises
    InputError when there is nothing to cut, and OutputError where clips exist or cannot be written.
    """
    folder = settings.folder
    clips = named(best_clips(results, settings.max_per_class, settings.labels), settings)
    if not clips:
        raise InputError("there is nothing to cut in these results; see `labels`, or tag with a lower threshold")
    recordings = {clip.source.path: placed(clip.source.path, settings.root) for clip in clips}
    check_outputs(
        [OutputPath(path, "folder") for path in (folder / TABLE, *(clip.path for clip in clips))],
        [*inputs, *map(journal_beside, inputs), *recordings.values()],
        overwrite=settings.overwrite,
    )
    cuts = []
    with writing(folder):
        for outcome in cut_all(clips, settings.pad_s, settings.root, settings.track):
            if isinstance(outcome, AudioError):
                on_failure(outcome)
            else:
                cuts.append(outcome)
        order = {clip.path: place for place, clip in enumerate(clips)}
        cuts.sort(key=lambda cut: order[cut.clip.path])
        write_table(folder / TABLE, cuts)
    return cuts


def best_clips(results: Iterable[Result], max_per_class: int, labels: Sequence[str] = ()) -> list[Clip]:
    """Of each class the events or windows with the best scores, best first; all of them for 0.

    Of equal scores the earlier wins. `labels` are names, MIDs or indices, in any case of letters.
    """
    wanted = {label.strip().casefold() for label in labels}
    best: dict[tuple[int, str], list[tuple[float, int, Clip]]] = {}
    for order, clip in enumerate(_candidates(results)):
        tag = clip.tag
        if wanted and not wanted & {tag.label.casefold(), tag.mid.casefold(), str(tag.index)}:
            continue
        heap = best.setdefault((tag.index, tag.label), [])
        if max_per_class and len(heap) == max_per_class:
            heappushpop(heap, (tag.score, -order, clip))
        else:
            heappush(heap, (tag.score, -order, clip))
    return [
        replace(clip, number=number)
        for key in sorted(best)
        for number, (_, _, clip) in enumerate(sorted(best[key], key=lambda ranked: ranked[:2], reverse=True), 1)
    ]


def _candidates(results: Iterable[Result]) -> Iterator[Clip]:
    for result in results:
        if isinstance(result, TagResult):
            for tag in result.tags:
                yield Clip(result.source, result.start, result.stop, tag)
        elif isinstance(result, SoundEvent):
            tag = Tag(result.index, result.mid, result.label, result.peak)
            yield Clip(result.source, result.start, result.stop, tag)


def named(clips: Iterable[Clip], settings: ClipSettings) -> list[Clip]:
    """The clips with their paths; two of one name are an InputError."""
    folder, template, suffix = settings.folder, settings.name, settings.audio_format
    with_paths = [replace(clip, path=folder / f"{_name(clip, template)}.{suffix}") for clip in clips]
    folding, seen = folding_of(folder), set()
    for clip in with_paths:
        key = folding.key(str(clip.path))
        if key in seen:
            raise InputError(f"`name` {template}: gives {clip.path.name} twice; add {{number}} or {{index}}")
        seen.add(key)
    return with_paths


def _name(clip: Clip, template: str) -> str:
    tag = clip.tag
    fields: dict[str, str | int | float] = {
        "label": _safe(tag.label),
        "mid": _safe(tag.mid.lstrip("/")),
        "index": tag.index,
        "number": clip.number,
        "score": tag.score,
        "name": cut_name(_safe(PurePath(clip.source.name).stem), 100),
        "start": clip.start / SAMPLE_RATE_HZ,
        "end": clip.stop / SAMPLE_RATE_HZ,
    }
    try:
        _check_template(template)
        name = template.format_map(fields)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise InputError(f"`name` {template}: cannot be filled in ({error}); the fields are {FIELDS}") from error
    path = PurePath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise InputError(f"`name` {template}: gives {name!r}, which is no name below the folder")
    return name


def _check_template(template: str) -> None:
    """ValueError for a template that asks for endless padding or digits, computes a format, or looks into a field."""
    for _, field, spec, _ in Formatter().parse(template):
        if field and not field.isidentifier():
            raise ValueError(f"{field} is no field")
        if spec and "{" in spec:
            raise ValueError("a field stands inside the format of another")
        if any(len(number) > 2 for number in re.findall(r"\d+", spec or "")):
            raise ValueError(f"{spec} pads or rounds to more than 99 characters")


def _safe(text: str) -> str:
    """Text that can be a file's name on any system."""
    return re.sub(r'[\s/\\:*?"<>|\x00-\x1f]+', "_", text).lstrip(".") or "_"


def cut_all(clips: Iterable[Clip], pad_s: float, root: Path, track: str | None = None) -> Iterator[CutOrError]:
    """Write the clips, in one pass over each recording, and yield what was written and which recordings failed.

    Recordings are looked for from `root` on.
    """
    by_recording: dict[str, list[Clip]] = {}
    for clip in clips:
        by_recording.setdefault(clip.source.name, []).append(clip)
    for of_recording in by_recording.values():
        source = replace(of_recording[0].source, path=placed(of_recording[0].source.path, root))
        try:
            yield from _cut_recording(source, of_recording, pad_s, track)
        except AudioError as error:
            yield error


def _cut_recording(source: Source, clips: Sequence[Clip], pad_s: float, track: str | None) -> Iterator[Cut]:
    with opened_frames(source, track) as decoder:
        yield from _cut_frames(source, decoder, clips, pad_s)


def _cut_frames(source: Source, decoder: Decoder, clips: Sequence[Clip], pad_s: float) -> Iterator[Cut]:
    pad = round(pad_s * decoder.rate_hz)
    spans = [_ClipWriter(clip, decoder, pad) for clip in clips]
    waiting = deque(sorted(spans, key=lambda span: span.first))
    writing: list[_ClipWriter] = []
    at = 0
    try:
        for frames in decoder.frames():
            while waiting and waiting[0].first < at + len(frames):
                writing.append(waiting.popleft())
            for span in writing:
                span.write(frames, at)
            at += len(frames)
            done = [span for span in writing if span.last <= at]
            writing = [span for span in writing if span.last > at]
            yield from (span.finish() for span in done)
            if not waiting and not writing:
                return
        ended, writing = writing, []
        yield from (span.finish() for span in ended)
        if waiting:
            raise AudioError(f"{source.name}: ends before {len(waiting)} of its clips begin; is it the same recording?")
    finally:
        for span in writing:
            span.drop()


class _ClipWriter:
    """The frames `first` to `last` of a recording, on their way into a file."""

    def __init__(self, clip: Clip, decoder: Decoder, pad: int) -> None:
        self.first = max(0, _frame(clip.start, decoder.rate_hz) - pad)
        self.last = _frame(clip.stop, decoder.rate_hz) + pad
        self._clip, self._decoder = clip, decoder
        self._subtype = _subtype(decoder, clip.path.suffix)
        self._stack: ExitStack | None = None
        self._num_frames = 0

    def write(self, frames: Samples, at: int) -> None:
        """Take what belongs here of `frames`, which begin at frame `at` of the recording."""
        part = frames[max(0, self.first - at) : self.last - at]
        with self._writing():
            if self._stack is None:
                self._open()
            self._file.write(_stored(part, self._subtype))
        self._num_frames += len(part)

    def finish(self) -> Cut:
        assert self._stack is not None
        with self._writing():
            self._stack.close()
        return Cut(self._clip, self.first, self._num_frames, self._decoder.rate_hz)

    def drop(self) -> None:
        """Remove what was written."""
        if self._stack is not None:
            dropped = AudioError("dropped")
            self._stack.__exit__(type(dropped), dropped, None)

    def _open(self) -> None:
        path = followed(self._clip.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        form = (self._decoder.rate_hz, self._decoder.channels, self._subtype)
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(path))
            kind = path.suffix[1:].upper()
            # An open file, because libsndfile takes no name that is not UTF-8.
            out = stack.enter_context(temporary.open("w+b"))
            self._file = stack.enter_context(soundfile.SoundFile(out, "w", *form, format=kind))
            self._stack = stack.pop_all()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (soundfile.LibsndfileError, ValueError) as error:
            raise OutputError(
                f"{self._clip.path}: cannot be written ({error}); make room, or try another `audio_format`"
            ) from error


def _frame(sample: int, rate_hz: int) -> int:
    """The frame of a recording that a sample at 16 kHz is nearest to."""
    return (2 * sample * rate_hz + SAMPLE_RATE_HZ) // (2 * SAMPLE_RATE_HZ)


def _subtype(decoder: Decoder, suffix: str) -> str:
    """How the samples are stored: so that none changes, or, in FLAC, which has no fractions, in 24 bits."""
    stored = decoder.subtype if isinstance(decoder, SteadyDecoder) else ""
    if stored in ("PCM_S8", "PCM_U8", "PCM_16"):
        return "PCM_16"
    return "PCM_24" if stored == "PCM_24" or suffix == ".flac" else "FLOAT"


def _stored(frames: Samples, subtype: str) -> Samples | NDArray[np.int16] | NDArray[np.int32]:
    """Float frames as the integers they came from: libsndfile's own conversion has another full scale."""
    if subtype == "FLOAT":
        return frames
    full_scale = 1 << 15 if subtype == "PCM_16" else 1 << 23
    scaled = np.rint(np.nan_to_num(frames).astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
    return scaled.astype(np.int16) if subtype == "PCM_16" else scaled.astype(np.int32) << 8


def write_table(path: Path, cuts: Iterable[Cut]) -> None:
    """Write the table with the recording and place of each clip."""
    text = io.StringIO()
    writer = RowWriter(text)
    writer.writerow(COLUMNS)
    for cut in cuts:
        clip, tag = cut.clip, cut.clip.tag
        where = (clip.path.relative_to(path.parent).as_posix(), clip.source.name)
        times = (f"{cut.first_frame / cut.rate_hz:.6f}", f"{(cut.first_frame + cut.num_frames) / cut.rate_hz:.6f}")
        what = (tag.index, tag.mid, tag.label, f"{tag.score:.4f}")
        writer.writerow((*where, *times, *what, cut.first_frame, cut.num_frames, cut.rate_hz))
    with writing_whole(path) as out:
        out.write(text.getvalue().encode("utf-8", "surrogateescape"))
