"""A picture of one recording: its mel spectrogram above the scores of its best classes, with events marked."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from cedtag.audio import Decoding, Selection, open_recording, parse_raw_format
from cedtag.errors import AudioError, InputError, MissingPackageError
from cedtag.events.detect import detect_events
from cedtag.events.settings import EventSettings
from cedtag.labels.groups import best_of_each
from cedtag.records import MIX, SAMPLE_RATE_HZ, FileFailed, SoundEvent, Tag, TagResult
from cedtag.system.extras import missing
from cedtag.system.terminal import printable
from cedtag.writers.spectrogram import mel_frequencies_hz, spectrogram

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    from cedtag.writers.fonts import families_for, spelled
except ImportError as error:
    raise MissingPackageError(missing("pictures are drawn by matplotlib", "plot")) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cedtag.records import FileEnd, Source
    from cedtag.writers.run_info import RunInfo
    from cedtag.writers.spectrogram import Spectrogram

Shown: TypeAlias = "TagResult | SoundEvent"
AnyResult = TypeVar("AnyResult", bound="TagResult | SoundEvent | FileEnd | FileFailed")
MAX_CLASSES = 12
MAX_COLUMNS = 4096
_WIDTH_IN, _SPECTROGRAM_IN, _CLASS_IN = 12.0, 2.6, 0.27
_TICKS_HZ = (250, 500, 1000, 2000, 4000)
_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
# Text in SVG and PDF stays text; equal results give equal files.
_STYLE: Any = {
    "font.size": 9,
    "axes.linewidth": 0.6,
    "text.parse_math": False,  # a $ in a file name is a $
    "svg.fonttype": "none",
    "svg.hashsalt": "cedtag",
    "pdf.fonttype": 42,
}
_NO_DATE: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


class PngWriter:
    """Keeps the rows of one recording and draws them when closed; the audio is read once more, from its file."""

    format = "png"

    needs_ends = True
    is_binary = True  # nothing for a terminal

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        self._events = run.events or EventSettings()
        raw, track = run.settings.get("raw"), run.settings.get("track")
        selection = Selection(run.settings.get("channel", MIX), track)
        self._decoding = Decoding(parse_raw_format(raw) if raw else None, selection=selection)
        self._rows: list[Shown] = []
        self._end: FileEnd | FileFailed | None = None

    def write(self, result: TagResult | SoundEvent | FileEnd | FileFailed) -> None:
        if self._end is not None:
            raise InputError(
                f"a picture shows one recording, and there are {self._end.source.name} and {result.source.name}; "
                f"name one, or a folder with -f {self.format} for a picture of each"
            )
        if isinstance(result, TagResult | SoundEvent):
            self._rows.append(result)
        else:
            self._end = result

    def close(self) -> None:
        if self._end is None:
            raise InputError("a picture shows one recording, and there is none")
        families, lacking = families_for(_texts(self._end, self._rows))
        if self.format == "svg":  # holds text, which its viewer shows in fonts of its own
            lacking = frozenset()
        with mpl.rc_context({**_STYLE, "font.family": families}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")
            end, rows = _spelled(self._end, lacking), [_spelled(row, lacking) for row in self._rows]
            figure = draw_recording(end, rows, self._events, self._decoding)
            figure.savefig(self._out, format=self.format, dpi=150, metadata=_NO_DATE[self.format])


class SvgWriter(PngWriter):
    format = "svg"


class PdfWriter(PngWriter):
    format = "pdf"


def _texts(end: FileEnd | FileFailed, rows: Sequence[Shown]) -> set[str]:
    """All texts that the picture of a recording shows."""
    texts = {end.source.name, end.error if isinstance(end, FileFailed) else ""}
    for row in rows:
        texts |= {row.label} if isinstance(row, SoundEvent) else {tag.label for tag in row.tags}
    return {_text(text) for text in texts}


def _spelled(result: AnyResult, lacking: frozenset[str]) -> AnyResult:
    """The result with the characters spelled out that no font has, in its names; it is opened by its path."""
    if not lacking:
        return result
    source = replace(result.source, name=spelled(_text(result.source.name), lacking))
    if isinstance(result, TagResult):
        tags = tuple(replace(tag, label=spelled(_text(tag.label), lacking)) for tag in result.tags)
        return replace(result, source=source, tags=tags)
    if isinstance(result, SoundEvent):
        return replace(result, source=source, label=spelled(_text(result.label), lacking))
    if isinstance(result, FileFailed):
        return replace(result, source=source, error=spelled(_text(result.error), lacking))
    return replace(result, source=source)


def draw_recording(
    end: FileEnd | FileFailed, rows: Sequence[Shown], settings: EventSettings, decoding: Decoding | None = None
) -> Figure:
    """The picture of a recording and its rows, with the events that rows of windows make.

    Where a part cannot be drawn, a sentence stands there.
    """
    tags = best_classes(rows)
    heights = [_SPECTROGRAM_IN, _CLASS_IN * max(2, len(tags))]
    figure = Figure((_WIDTH_IN, sum(heights) + 1.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    above.set_title(_text(end.source.name), loc="left", fontsize=10)
    if isinstance(end, FileFailed):
        _say(above, end.error)
        _say(below, "")
        return figure
    duration_s = end.num_samples / SAMPLE_RATE_HZ
    _draw_spectrogram(above, end.source, decoding)
    _draw_scores(below, rows, tags, end.num_samples, settings)
    below.set_xlim(0, duration_s)
    step_s = next((step for step in _TICK_STEPS_S if duration_s / step <= 12), _TICK_STEPS_S[-1])
    below.xaxis.set_major_locator(MultipleLocator(step_s))
    below.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds, step_s)))
    return figure


def best_classes(rows: Sequence[Shown]) -> list[Tag]:
    """The classes to show, each with its best score, best first."""
    tags = (
        tag
        for row in rows
        for tag in ((Tag(row.index, row.mid, row.label, row.peak),) if isinstance(row, SoundEvent) else row.tags)
    )
    return best_of_each(tags)[:MAX_CLASSES]


def score_grid(rows: Sequence[Shown], tags: Sequence[Tag], num_samples: int) -> NDArray[np.float32]:
    """`(classes, columns)` scores over the recording, NaN where a class has none.

    Where windows overlap it is their mean, as events have it; an event shows its own mean.
    """
    lanes = {tag.index: lane for lane, tag in enumerate(tags)}
    columns = max(1, min(MAX_COLUMNS, num_samples))
    totals = np.zeros((len(tags), columns), np.float32)
    covering = np.zeros(columns, np.float32)
    for row in rows:
        first = min(round(row.start * columns / max(1, num_samples)), columns - 1)
        part = slice(first, max(first + 1, round(row.stop * columns / max(1, num_samples))))
        if isinstance(row, SoundEvent):
            if row.index in lanes:
                totals[lanes[row.index], part] = row.mean
            continue
        covering[part] += 1
        for tag in row.tags:
            if tag.index in lanes:
                totals[lanes[tag.index], part] += tag.score
    return np.where(totals > 0, totals / np.maximum(covering, 1), np.nan)


def _draw_spectrogram(axes: Axes, source: Source, decoding: Decoding | None) -> None:
    try:
        with open_recording(source, decoding) as recording:
            sound = spectrogram(recording.blocks(), MAX_COLUMNS)
    except AudioError as error:
        _say(axes, f"no spectrogram: {error}")
        return
    low, high = np.percentile(sound.decibels, (2, 100))
    axes.imshow(
        sound.decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=max(low, high - 80),
        vmax=high,
        extent=(0, sound.duration_s, -0.5, len(sound.decibels) - 0.5),
    )
    _label_frequencies(axes, sound)


def _label_frequencies(axes: Axes, sound: Spectrogram) -> None:
    places = np.interp(_TICKS_HZ, mel_frequencies_hz(len(sound.decibels)), np.arange(len(sound.decibels)))
    axes.set_yticks(places, [f"{hz / 1000:g}" for hz in _TICKS_HZ])
    axes.set_ylabel("kHz")
    axes.tick_params(labelbottom=False)


def _draw_scores(
    axes: Axes, rows: Sequence[Shown], tags: Sequence[Tag], num_samples: int, settings: EventSettings
) -> None:
    if not tags:
        _say(axes, "no tag reached its threshold")
        return
    image = axes.imshow(
        score_grid(rows, tags, num_samples),
        aspect="auto",
        cmap="Blues",
        vmin=0,
        vmax=1,
        interpolation="none",
        extent=(0, num_samples / SAMPLE_RATE_HZ, len(tags) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(tags)), [_text(tag.label) for tag in tags])
    axes.set_yticks(np.arange(len(tags) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="y", color="0.85", linewidth=0.5)
    axes.tick_params(which="both", left=False)
    axes.set_xlabel(f"time (framed: events from a score of {settings.onset:g})")
    _mark_events(axes, rows, tags, settings)
    axes.figure.colorbar(image, ax=axes, label="score", pad=0.01, aspect=12)


def _mark_events(axes: Axes, rows: Sequence[Shown], tags: Sequence[Tag], settings: EventSettings) -> None:
    lanes = {tag.index: lane for lane, tag in enumerate(tags)}
    windows = [row for row in rows if isinstance(row, TagResult)]
    found = detect_events(windows, settings) if windows else rows
    for event in found:
        if isinstance(event, SoundEvent) and event.index in lanes:
            corner = event.start / SAMPLE_RATE_HZ, lanes[event.index] - 0.42
            width = (event.stop - event.start) / SAMPLE_RATE_HZ
            axes.add_patch(Rectangle(corner, width, 0.84, fill=False, edgecolor="#d1495b", linewidth=1.2))


def _say(axes: Axes, sentence: str) -> None:
    axes.text(0.5, 0.5, _text(sentence), ha="center", va="center", transform=axes.transAxes, wrap=True)
    axes.set_yticks([])


def _text(text: str) -> str:
    return printable(text).encode("utf-8", "replace").decode()


def _clock(seconds: float, step_s: float) -> str:
    if step_s < 1:
        return f"{seconds:.1f}"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
