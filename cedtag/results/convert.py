"""Results that were written, written again in other formats."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.labels.table import Label
from cedtag.records import FileFailed, TagResult
from cedtag.results.read import read_results
from cedtag.run.outputs.files import output_name, writing
from cedtag.system.atomic import writing_whole
from cedtag.writers import writer_type
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import Result


def read_all(paths: Sequence[Path], layout: str) -> tuple[RunInfo, Iterator[Result]]:
    """The results of all files in turn, with the settings of the first that tells them.

    Files whose settings differ cannot be told apart in one output, so they are refused.
    """
    runs = [run for run in (read_results(path)[0] for path in paths) if run is not None]
    settings = runs[0].settings if runs else {}
    if any(run.settings != settings for run in runs):
        raise InputError("these results were made with different settings; convert them one by one")
    labels = runs[0].labels if runs else ()
    if layout == "wide" and not labels:
        labels = labels_in(paths)
    return RunInfo(settings, labels, layout), chain.from_iterable(read_results(path)[1] for path in paths)


def labels_in(paths: Sequence[Path]) -> tuple[Label, ...]:
    """The classes that results name, by index."""
    labels = {
        (tag.index, tag.label): Label(tag.index, tag.mid, tag.label)
        for path in paths
        for result in read_results(path)[1]
        if isinstance(result, TagResult)
        for tag in result.tags
    }
    return tuple(labels[key] for key in sorted(labels))


def write_folder(
    folder: Path, formats: Sequence[str], results: Iterable[Result], run: RunInfo, *, overwrite: bool
) -> None:
    """A file per recording and format, in a folder that mirrors the recordings' paths."""
    written: set[Path] = set()
    for source, of_recording in groupby(results, key=lambda result: result.source):
        path = PurePosixPath(source.relative)
        paths = [folder / path.parent / output_name(path.name, name) for name in formats]
        for taken in paths:
            if taken in written or (taken.exists() and not overwrite):
                raise OutputError(f"{taken}: this file exists; use --overwrite to replace it, or another -o")
        written.update(paths)
        write_recording(dict(zip(paths, formats, strict=True)), of_recording, run)


def write_recording(files: dict[Path, str], results: Iterator[Result], run: RunInfo) -> None:
    """Write the results of one recording to each of the files; of one that failed there is nothing to write."""
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
