"""Results that were written, written again in other formats."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.labels.table import Label
from cedtag.records import FileFailed, TagResult
from cedtag.results.read import open_results
from cedtag.run.outputs.files import make_files
from cedtag.run.outputs.names import output_name
from cedtag.run.outputs.open import open_stream
from cedtag.system.atomic import writing, writing_whole
from cedtag.writers import DEFAULT_FORMAT, writer_type
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import Result
    from cedtag.results.read import WrittenResults
    from cedtag.run.outputs.destination import Destination


def convert(paths: Sequence[Path], destination: Destination) -> None:
    """Write the results in these files, all in turn, to a destination in its formats."""
    run, results = read_all(paths, destination.layout)
    write_results(results, run, destination)


def read_all(paths: Sequence[Path], layout: str = "long") -> tuple[RunInfo, Iterator[Result]]:
    """The results of all files in turn, with the settings of the first that holds any.

    Files whose settings differ cannot be told apart in one output, so they are refused.
    """
    files = [open_results(path) for path in paths]
    runs = [file.run for file in files if file.run is not None]
    settings = runs[0].settings if runs else {}
    if any(run.settings != settings for run in runs):
        raise InputError("these results were made with different settings; convert them one by one")
    labels = runs[0].labels if runs else ()
    if layout == "wide" and not labels:
        labels = _labels_in(files)
    return RunInfo(settings, labels, layout), chain.from_iterable(file.results() for file in files)


def write_results(results: Iterable[Result], run: RunInfo, destination: Destination) -> None:
    """Write results that are there to a stream, a folder or files."""
    destination.check()
    if destination.is_stream:
        stream = open_stream(destination, run)
        for result in results:
            stream.write(result)
        stream.finish()
    elif destination.is_folder:
        _write_folder(results, run, destination)
    else:
        files = destination.files()
        for path in files:
            _check_free(path, destination)
        make_files(files, results, run)


def _labels_in(files: Sequence[WrittenResults]) -> tuple[Label, ...]:
    """The classes that occur in results, by index."""
    labels = {
        (tag.index, tag.label): Label(tag.index, tag.mid, tag.label)
        for file in files
        for result in file.results()
        if isinstance(result, TagResult)
        for tag in result.tags
    }
    return tuple(labels[key] for key in sorted(labels))


def _check_free(path: Path, destination: Destination) -> None:
    if path.exists() and not destination.overwrite:
        raise OutputError(f"{path}: this file exists; use `overwrite` to replace it, or another `to`")


def _write_folder(results: Iterable[Result], run: RunInfo, destination: Destination) -> None:
    """A file per recording and format, in a folder that mirrors the recordings' paths."""
    folder, formats = Path(destination.to[0]), destination.formats or (DEFAULT_FORMAT,)
    written: set[Path] = set()
    for source, of_recording in groupby(results, key=lambda result: result.source):
        path = PurePosixPath(source.relative)
        paths = [folder / path.parent / output_name(path.name, name) for name in formats]
        for taken in paths:
            if taken in written:
                raise OutputError(f"{taken}: this file exists; use `overwrite` to replace it, or another `to`")
            _check_free(taken, destination)
        written.update(paths)
        _write_recording(dict(zip(paths, formats, strict=True)), of_recording, run)


def _write_recording(files: dict[Path, str], results: Iterator[Result], run: RunInfo) -> None:
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
                writer.write(result)
        for writer in writers:
            writer.close()
