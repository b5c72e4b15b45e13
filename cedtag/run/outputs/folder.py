"""Results in a folder that mirrors the input: a file per recording and format."""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cedtag.errors import OutputError
from cedtag.records import AlreadyDone, FileEnd, FileFailed, Source
from cedtag.run.journal import JOURNAL_SUFFIX, is_out_of_reach, may_pass
from cedtag.run.journal.open import open_journal
from cedtag.run.outputs.files import OutputFiles, closed_on_error, stamp_of
from cedtag.run.outputs.names import output_name
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import NameFolding, folding_of, identity
from cedtag.writers import DEFAULT_FORMAT, writer_type

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from cedtag.records import Listed, Result
    from cedtag.run.journal import Journal
    from cedtag.run.outputs import Kept
    from cedtag.run.outputs.destination import Destination
    from cedtag.system.destinations import Identity
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo

# Errors of a file system that concern one name. Everything else, such as a full disk, concerns all files.
_NAME_ERRORS = {
    errno.EINVAL,
    errno.EILSEQ,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOTEMPTY,
    errno.ELOOP,
}


class FolderOutput:
    """A file per recording and format, which appears when the recording is done; the journal keeps the outcomes.

    `output_files` are made of the outcomes alone when the run ends. The files in `not_written` are never written over.
    A recording whose name the file system refuses is a failure of that recording.
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        output_files: OutputFiles,
        journal: Journal,
        run: RunInfo,
        *,
        not_written: frozenset[Identity] = frozenset(),
    ) -> None:
        self._folder, self._formats, self._output_files = folder, formats, output_files
        self._journal, self._run = journal, run
        self._real, self._not_written = folder.resolve(), not_written
        self._open = ExitStack()
        self._writers: list[Writer] = []
        self._refused: FileFailed | None = None  # the recording that is at hand, and cannot be written

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done: also what was done and whose files are no longer there."""
        names = _Names(folding_of(self._folder))
        for item in self._journal.pending(sources, retry_failed=retry_failed):
            if not isinstance(item, Source | AlreadyDone):
                yield item
                continue
            source = item if isinstance(item, Source) else item.source
            paths = self._paths(source)
            if self._journal.holds_another(source) or self._is_spelt_otherwise(source, names) or not names.take(source):
                reason = f"{source.name}: {paths[0]} is for another recording; tag this one into another folder"
                yield FileFailed(source, "output", reason)
            elif isinstance(item, AlreadyDone) and (item.status == "failed" or all(path.exists() for path in paths)):
                yield item
            elif reason := self._objection(source, paths):
                yield FileFailed(source, "output", f"{source.name}: {reason}")
            else:
                yield source

    def write(self, outcome: Kept) -> FileFailed | None:
        if isinstance(outcome, AlreadyDone):
            self._journal.keep(outcome.source)
            return None
        with writing(self._folder):
            if isinstance(outcome, FileFailed):
                self._remove_stale(outcome)
                return self._journal.add(outcome)
            self._write_or_refuse(outcome)
            if not isinstance(outcome, FileEnd):
                return None
            failed, self._refused = self._refused, None
            if failed is None:
                self._journal.add(outcome, list(map(stamp_of, self._paths(outcome.source))))
            else:
                self._journal.add(failed)
            return failed

    def finish(self) -> None:
        self._output_files.make()

    def close(self) -> None:
        try:
            self._drop()
        finally:
            with writing(self._journal.path):
                self._journal.close()

    def _write_or_refuse(self, result: Result) -> None:
        """Write a result, unless the file system refuses a name of its recording."""
        if self._refused is not None:
            return
        try:
            self._write_to_sinks(result)
        except OSError as error:
            if error.errno not in _NAME_ERRORS:
                raise
            self._drop()
            source = result.source
            reason = f"{source.name}: {self._paths(source)[0]} cannot be written ({error.strerror}); rename one of them"
            self._refused = FileFailed(source, "output", reason)

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

    def _drop(self) -> None:
        """Take back the files of a recording that has not come to its end."""
        with suppress(_Unfinished), self._open:
            self._writers = []
            raise _Unfinished

    def _is_spelt_otherwise(self, source: Source, names: _Names) -> bool:
        """Whether a file that only differs in case or Unicode form is in the place of a recording's results."""
        if not names.folding or self._journal.knows(source):
            return False
        for path in self._paths(source):
            if path.exists() and path.name not in {found.name for found in path.parent.iterdir()}:
                return True
        return False

    def _objection(self, source: Source, paths: Sequence[Path]) -> str:
        """The reason why the files of a recording may not be replaced, or ""; OutputError for older ones."""
        stamps = self._journal.stamps_of(source) if self._journal.knows(source) else None
        for path in paths:
            exists = path.exists()
            if (identity(path) if exists else str(self._real / path.relative_to(self._folder))) in self._not_written:
                return f"{path} is an input or another output of this run; tag this one into another folder"
            if not exists:
                continue
            if stamps is None:
                self._check_ours(source, path)
            elif stamp_of(path) not in stamps:
                return f"{path} was changed after it was made; move it away, or use `overwrite` to start over"
        return ""

    def _check_ours(self, source: Source, path: Path) -> None:
        """Refuse to replace a file that was there before the journal was."""
        if not self._journal.knows(source) and path.stat().st_mtime_ns < self._journal.since_ns:
            raise OutputError(f"{path}: this file exists; use `overwrite` to replace it, or another `to`")

    def _remove_stale(self, failed: FileFailed) -> None:
        """Remove the results of a recording that has changed and is damaged: `pending` passes on no edited ones."""
        source = failed.source
        is_ours = self._journal.knows(source) or self._journal.replaces
        if not is_ours or failed.stage == "output" or is_out_of_reach(source):
            return
        if self._journal.stands(failed) or may_pass(failed):
            return
        for path in self._paths(source):
            path.unlink(missing_ok=True)

    def _paths(self, source: Source) -> list[Path]:
        relative = PurePosixPath(source.relative)
        return [self._folder / relative.parent / output_name(relative.name, name) for name in self._formats]


class _Names:
    """The places in the folder that the recordings of this run have taken."""

    def __init__(self, folding: NameFolding) -> None:
        self.folding = folding
        self._taken: dict[int, int] = {}

    def take(self, source: Source) -> bool:
        """Whether a recording has its place for itself."""
        own = hash((source.root, source.relative))
        return self._taken.setdefault(hash(self.folding.key(source.relative)), own) == own


class _Unfinished(Exception):
    pass


def open_folder_output(
    destination: Destination,
    run: RunInfo,
    shard: tuple[int, int] | None,
    inputs: Iterable[str | os.PathLike[str]] = (),
) -> FolderOutput:
    """Results in a folder, with the journal in it: `check_destination` allows what is replaced."""
    folder, formats = Path(destination.to[0]), destination.formats or (DEFAULT_FORMAT,)
    path = journal_in(folder)
    # Only here layout and events cannot be changed later: the rows are not in the journal.
    made_of = {} if run.events is None else run.events.to_dict()
    settings = {**run.settings, **run.arrangement, **made_of}
    with writing(path):
        journal = open_journal(path, replace(run, settings=settings), fresh=destination.overwrite, by_relative=True)
    output_files = OutputFiles(destination.files_beside(), journal, run, shard)
    with closed_on_error(journal):
        output_files.check_unchanged()
    not_written = frozenset(map(identity, [*inputs, *destination.named_beside().values()]))
    return FolderOutput(folder, formats, output_files, journal, run, not_written=not_written)


def journal_in(folder: Path) -> Path:
    """Where the journal of an output folder is."""
    return folder / f".cedtag{JOURNAL_SUFFIX}"
