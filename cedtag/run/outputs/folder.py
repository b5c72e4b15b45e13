"""Results in a folder that mirrors the input: a file per recording and format."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cedtag.errors import OutputError
from cedtag.records import AlreadyDone, FileEnd, FileFailed, Source
from cedtag.run.journal import JOURNAL_SUFFIX, is_out_of_reach, open_journal
from cedtag.run.outputs.files import OutputFiles
from cedtag.run.outputs.names import output_name
from cedtag.system.atomic import writing, writing_whole
from cedtag.writers import DEFAULT_FORMAT, writer_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import Listed, Result
    from cedtag.run.journal import Journal
    from cedtag.run.outputs import Kept
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo


class FolderOutput:
    """A file per recording and format, which appears when the recording is done; the journal keeps the outcomes.

    `output_files` are made of the outcomes alone when the run ends.
    """

    def __init__(
        self, folder: Path, formats: Sequence[str], output_files: OutputFiles, journal: Journal, run: RunInfo
    ) -> None:
        self._folder, self._formats, self._output_files = folder, formats, output_files
        self._journal, self._run = journal, run
        self._open = ExitStack()
        self._writers: list[Writer] = []

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done: also what was done and whose files are no longer there."""
        roots: dict[int, str] = {}
        for item in self._journal.pending(sources, retry_failed=retry_failed):
            if not isinstance(item, Source | AlreadyDone):
                yield item
                continue
            source = item if isinstance(item, Source) else item.source
            root = roots.setdefault(hash(source.relative), source.root)
            if root != source.root or self._journal.holds_another(source):
                path = self._paths(source)[0]
                reason = f"{source.name}: {path} is for another recording; tag this one into another folder"
                yield FileFailed(source, "output", reason)
            elif isinstance(item, AlreadyDone) and (item.status == "failed" or self._has_files(source)):
                yield item
            else:
                self._check_replaceable(source)
                yield source

    def write(self, outcome: Kept) -> None:
        if isinstance(outcome, AlreadyDone):
            self._journal.keep(outcome.source)
            return
        with writing(self._folder):
            if isinstance(outcome, FileFailed):
                self._remove_stale(outcome)
            else:
                self._write_to_sinks(outcome)
            if isinstance(outcome, FileEnd | FileFailed):
                self._journal.add(outcome)

    def finish(self) -> None:
        self._output_files.make()

    def close(self) -> None:
        try:
            with suppress(_Unfinished), self._open:
                if self._writers:
                    raise _Unfinished  # takes back the files of a recording that has not come to its end
        finally:
            with writing(self._journal.path):
                self._journal.close()

    def _write_to_sinks(self, result: Result) -> None:
        if not self._writers:
            for name, path in zip(self._formats, self._paths(result.source), strict=True):
                self._writers.append(writer_type(name)(self._open.enter_context(writing_whole(path)), self._run))
        for writer in self._writers:
            writer.write(result)
        if isinstance(result, FileEnd):
            for writer in self._writers:
                writer.close()
            self._writers = []
            self._open.close()

    def _has_files(self, source: Source) -> bool:
        return all(path.exists() for path in self._paths(source))

    def _check_replaceable(self, source: Source) -> None:
        """Refuse to replace a file that was there before the journal was."""
        if self._journal.knows(source):
            return
        for path in self._paths(source):
            if path.exists() and path.stat().st_mtime_ns < self._journal.since_ns:
                raise OutputError(f"{path}: this file exists; use `overwrite` to replace it, or another `to`")

    def _remove_stale(self, failed: FileFailed) -> None:
        """Remove the results of a recording that has changed since and can no longer be read."""
        source = failed.source
        is_ours = self._journal.knows(source) or self._journal.replaces
        if is_ours and failed.stage != "output" and not (is_out_of_reach(source) or self._journal.stands(failed)):
            for path in self._paths(source):
                path.unlink(missing_ok=True)

    def _paths(self, source: Source) -> list[Path]:
        relative = PurePosixPath(source.relative)
        return [self._folder / relative.parent / output_name(relative.name, name) for name in self._formats]


class _Unfinished(Exception):
    pass


def open_folder_output(destination: Destination, run: RunInfo, shard: tuple[int, int] | None) -> FolderOutput:
    """Results in a folder, with the journal in it."""
    folder, formats = Path(destination.to[0]), destination.formats or (DEFAULT_FORMAT,)
    path = journal_in(folder)
    if path.exists() and not destination.resume and not destination.overwrite:
        raise OutputError(f"{folder}: this folder holds results; use `overwrite` to replace them, or another `to`")
    # Only here layout and events cannot be changed later: the rows are not in the journal.
    made_of = {} if run.events is None else run.events.to_dict()
    settings = {**run.settings, "layout": run.layout, **made_of}
    with writing(path):
        journal = open_journal(path, replace(run, settings=settings), fresh=destination.overwrite, by_relative=True)
    return FolderOutput(folder, formats, OutputFiles(destination.files_beside(), journal, run, shard), journal, run)


def journal_in(folder: Path) -> Path:
    """Where the journal of an output folder is."""
    return folder / f".cedtag{JOURNAL_SUFFIX}"
