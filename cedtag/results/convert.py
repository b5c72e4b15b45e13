"""Results that were written, written again in other formats."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import chain, groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.labels.table import Label
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import FileEnd, FileFailed, SoundEvent, TagResult
from cedtag.results.count import Written
from cedtag.results.narrow import narrowed
from cedtag.results.read import open_results
from cedtag.run.outputs.files import journal_beside, make_files
from cedtag.run.outputs.names import output_name
from cedtag.run.outputs.open import open_stream
from cedtag.run.outputs.places import check_destination
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs, folding_of, kept_apart
from cedtag.writers import DEFAULT_FORMAT, write_to, writer_type
from cedtag.writers.channel_column import shows_channel
from cedtag.writers.clock_columns import shows_clock
from cedtag.writers.per_recording import LAYOUT, warn_of_top_k
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.events.settings import EventSettings
    from cedtag.labels.tagged import Results
    from cedtag.records import Result
    from cedtag.results.written import WrittenResults
    from cedtag.run.outputs.destination import Destination


def convert(paths: Sequence[Path], destination: Destination, tags: TagFilter | None = None) -> Written:
    """Write the results in these files, of them those that `tags` wants, all in turn; the counts of what was written.

    InputError where a format needs what a file does not hold, such as the length of recordings.
    """
    destination.check()
    files = open_all(paths, tags)
    for file in files:
        require_facts(file, destination)
    run, results = joined(files, destination.layout)
    return write_results(results, destination.arranged(run), destination, paths)


def open_all(
    paths: Sequence[Path], tags: TagFilter | None = None, events: EventSettings | None = None
) -> list[WrittenResults]:
    """The files, of which none may hold results of another run than the others, with the rows that `tags` wants.

    Of a store come those of which `events` are made, if given.
    """
    files = [open_results(path, tags, events) for path in paths]
    runs = [(file.run.settings, file.run.labels) for file in files if file.run is not None]
    if any(run != runs[0] for run in runs):
        raise InputError("these results were made with different settings or models; convert them one by one")
    if tags is None or tags == TagFilter():
        return files
    labels = known_labels(files)
    return [file if file.has_all_scores else narrowed(file, tags, labels) for file in files]


def joined(files: Sequence[WrittenResults], layout: str = "long") -> tuple[RunInfo, Iterator[Result]]:
    """The results of all files in turn, with the settings of the first that holds any."""
    run = next((file.run for file in files if file.run is not None), RunInfo({}, ()))
    labels = run.labels if layout == "long" else known_labels(files)
    return RunInfo(run.settings, labels, layout), chain.from_iterable(file.results() for file in files)


def read_all(paths: Sequence[Path], layout: str = "long") -> tuple[RunInfo, Iterator[Result]]:
    """The results of files in turn: see `open_all` and `joined`."""
    return joined(open_all(paths), layout)


def require_facts(file: WrittenResults, destination: Destination) -> None:
    """InputError where a format of the destination needs what a file does not hold."""
    if destination.needs_clock and (file.run is None or not shows_clock(file.run)):
        raise InputError(
            f"{file.path}: holds no start times, which this format needs; tag again with --start-time auto"
        )
    if destination.layout == LAYOUT:
        file.require_ends("a row per recording")
        if file.run is not None:
            warn_of_top_k(file.path, file.run)
    for writer in destination.writers():
        if getattr(writer, "needs_ends", False):
            file.require_ends("this format")
        names_alone = destination.layout != "long" and getattr(writer, "has_layouts", False)
        if getattr(writer, "needs_classes", False) and not names_alone:
            file.require_classes("this format")


def known_labels(files: Sequence[WrittenResults]) -> tuple[Label, ...]:
    """The classes of the model, or those that occur where no file holds them, by index."""
    if labels := next((file.labels for file in files if file.labels), None):
        return labels
    occurring = {
        (index, name): Label(index, mid, name)
        for file in files
        for result in file.results()
        for index, mid, name in _classes_in(result)
    }
    return tuple(occurring[key] for key in sorted(occurring))


def _classes_in(result: Result) -> Iterator[tuple[int, str, str]]:
    if isinstance(result, TagResult):
        yield from ((tag.index, tag.mid, tag.label) for tag in result.tags)
    elif isinstance(result, SoundEvent):
        yield result.index, result.mid, result.label


def write_results(
    results: Iterable[Results], run: RunInfo, destination: Destination, inputs: Sequence[Path] = ()
) -> Written:
    """Write results that are there, and were read from `inputs`, to a stream, a folder or files; their counts."""
    inputs = [*inputs, *map(journal_beside, inputs)]
    if shows_channel(run):
        destination.check_channels()
    outputs = check_destination(destination, inputs, keeps_journal=False)
    written = Written()
    results = written.counted(kept_apart(results, outputs, lambda result: result.source.path))
    if destination.is_stream:
        with closing(open_stream(destination, run)) as stream:
            for result in results:
                stream.write(result)
            stream.finish()
    elif destination.is_folder:
        shortfalls: list[Results] = []
        _write_folder(_noting_shortfalls(results, shortfalls), run, destination, inputs)
        make_files(destination.files_beside(), shortfalls, run)
    else:
        make_files({**destination.files(), **destination.files_beside()}, results, run)
    return written


def _noting_shortfalls(results: Iterable[Results], shortfalls: list[Results]) -> Iterator[Results]:
    """Pass results on, and keep the outcomes of recordings that failed or are partial."""
    for result in results:
        if isinstance(result, FileFailed) or (isinstance(result, FileEnd) and result.problems):
            shortfalls.append(result)
        yield result


def _write_folder(results: Iterable[Results], run: RunInfo, destination: Destination, inputs: Sequence[Path]) -> None:
    """A file per recording and format, in a folder that mirrors the recordings' paths."""
    folder, formats = Path(destination.to[0]), destination.formats or (DEFAULT_FORMAT,)
    folding = folding_of(folder)
    written: dict[str, str] = {}
    for source, of_recording in groupby(results, key=lambda result: result.source):
        path = PurePosixPath(source.relative)
        paths = [folder / path.parent / output_name(path.name, name) for name in formats]
        other = written.setdefault(folding.key(source.relative), source.name)
        if other != source.name:
            raise OutputError(
                f"{source.name}: {paths[0]} is for {other}; convert the results of each folder into a folder of its own"
            )
        check_outputs([OutputPath(path, "to") for path in paths], inputs, overwrite=destination.overwrite)
        _write_recording(dict(zip(paths, formats, strict=True)), of_recording, run)


def _write_recording(files: dict[Path, str], results: Iterator[Results], run: RunInfo) -> None:
    """Write the results of one recording to each of the files; none of one that failed."""
    first = next(results)
    if isinstance(first, FileFailed):
        return
    with ExitStack() as stack:
        writers = []
        for path, format_name in files.items():
            stack.enter_context(writing(path))
            writers.append(writer_type(format_name)(stack.enter_context(writing_whole(path)), run))
        for result in chain([first], results):
            for writer in writers:
                write_to(writer, result)
        for writer in writers:
            writer.close()
