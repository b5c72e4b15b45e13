"""Files with all results, made from the journal when the run ends."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cedtag.errors import OutputError
from cedtag.events.detect import detect_events
from cedtag.records import AlreadyDone, FileFailed, Source
from cedtag.run.journal import JOURNAL_SUFFIX, open_journal
from cedtag.system.atomic import writing, writing_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cedtag.records import Listed, Result
    from cedtag.run.journal import Journal
    from cedtag.run.outputs import Kept
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo


_TAKEN = "the results hold another recording of this name; name this one by its absolute path, or use another `to`"


class FileOutput:
    """Files that hold all results: the journal takes them as they come, and the files are made from it at the end.

    So a run that was killed goes on where it was, for every format, and a file is whole or not there.
    """

    def __init__(self, output_files: OutputFiles, journal: Journal, *, keep_journal: bool) -> None:
        self._output_files, self._journal, self._keep_journal = output_files, journal, keep_journal

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done; a name that another recording has in the results is refused."""
        for item in self._journal.pending(sources, retry_failed=retry_failed):
            if isinstance(item, Source | AlreadyDone):
                source = item if isinstance(item, Source) else item.source
                if self._journal.holds_another(source):
                    yield FileFailed(source, "output", f"{source.name}: {_TAKEN}")
                    continue
            yield item

    def write(self, outcome: Kept) -> None:
        with writing(self._journal.path):
            if isinstance(outcome, AlreadyDone):
                self._journal.keep(outcome.source)
            else:
                self._journal.add(outcome)

    def finish(self) -> None:
        self._output_files.make()
        if not self._keep_journal:
            with writing(self._journal.path):
                self._journal.path.unlink()

    def close(self) -> None:
        with writing(self._journal.path):
            self._journal.close()


class OutputFiles:
    """The files that are made of a whole journal, when its run has come to its end. `shard` is what the run took."""

    def __init__(
        self, files: Mapping[Path, type[Writer]], journal: Journal, run: RunInfo, shard: tuple[int, int] | None
    ) -> None:
        self._files, self._journal, self._run, self._shard = files, journal, run, shard

    def make(self) -> None:
        """Make the files, unless they are as they were made and nothing has changed since; write that down."""
        with writing(self._journal.path):
            self._journal.sync()
        if self._journal.is_finished and self._journal.made == self._state():
            return
        results, made_of = self._journal.results(), self._run.events
        make_files(self._files, results if made_of is None else detect_events(results, made_of), self._run)
        with writing(self._journal.path):
            self._journal.note_made(self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "results": self._journal.digest(),
            "layout": self._run.layout,
            "events": None if self._run.events is None else self._run.events.to_dict(),
            "shard": self._shard and list(self._shard),
            "files": [[path.name, writer.__name__, *_stamp(path)] for path, writer in self._files.items()],
        }


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_size, status.st_mtime_ns


def make_files(files: Mapping[Path, type[Writer]], results: Iterable[Result], run: RunInfo) -> None:
    """Write each of the files, all in one pass, and put them in their places when all are whole."""
    with ExitStack() as stack:
        opened: list[tuple[Path, IO[bytes], Writer]] = []
        for path, writer_class in files.items():
            stack.enter_context(writing(path))
            out = stack.enter_context(writing_whole(path))
            opened.append((path, out, writer_class(out, run)))
        for result in results:
            for path, _, writer in opened:
                with writing(path):
                    writer.write(result)
        for path, out, writer in opened:
            with writing(path):
                writer.close()
                out.flush()


def open_file_output(
    files: Mapping[Path, type[Writer]], destination: Destination, run: RunInfo, shard: tuple[int, int] | None
) -> FileOutput:
    """Results in files, with the journal beside the first of them. Existing ones are only replaced with `overwrite`."""
    resume, overwrite = destination.resume, destination.overwrite
    files = {followed(path): writer for path, writer in files.items()}
    journal_path = journal_beside(next(iter(files)))
    goes_on = resume and journal_path.exists()
    for path in () if goes_on or overwrite else (*files, journal_path):
        if path.exists():
            raise OutputError(f"{path}: this file exists; use `overwrite` to replace it, or another `to`")
    with writing(journal_path):
        journal = open_journal(journal_path, run, fresh=overwrite)
    return FileOutput(OutputFiles(files, journal, run, shard), journal, keep_journal=resume)


def journal_beside(path: Path) -> Path:
    """Where the journal of an output file is."""
    path = followed(path)
    return path.with_name(path.name + JOURNAL_SUFFIX)


def followed(path: Path) -> Path:
    """What a symbolic link stands for, so that the link stays when the file is replaced."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path
