"""The places that results go to: a stream, files made when the run ends, or a folder that mirrors the input."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol, TypeAlias

from cedtag.atomic import writing_whole
from cedtag.errors import OutputError
from cedtag.journal import open_journal
from cedtag.records import AlreadyDone, FileEnd, FileFailed, TagResult
from cedtag.sinks import sink_type, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cedtag.journal import Journal
    from cedtag.pipeline import Listed
    from cedtag.run import Run
    from cedtag.sinks import Result, Sink

Outcome: TypeAlias = "Result | AlreadyDone"
JOURNAL_SUFFIX = ".journal"
STDOUT = Path("standard output")
LONGEST_NAME = 255  # bytes, on every file system that people keep recordings on


class Output(Protocol):
    """Takes what a run yields, in order."""

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done, with `AlreadyDone` in the place of what an earlier run has done."""

    def write(self, outcome: Outcome) -> None: ...

    def finish(self) -> None:
        """Put everything in its place: the run has come to its end."""

    def close(self) -> None:
        """Let go; what is needed to go on later stays."""


class StreamOutput:
    """Results go out as they come, through every sink; nothing is remembered. `stack` is closed at the end."""

    def __init__(self, sinks: Sequence[tuple[IO[bytes], type[Sink]]], run: Run, stack: ExitStack) -> None:
        self._stack = stack
        self._outs = [out for out, _ in sinks]
        with writing(STDOUT):
            self._sinks = [sink(out, run) for out, sink in sinks]
            self._flush()

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        return iter(sources)

    def write(self, outcome: Outcome) -> None:
        assert not isinstance(outcome, AlreadyDone)
        with writing(STDOUT):
            for sink in self._sinks:
                sink.write(outcome)
            self._flush()

    def finish(self) -> None:
        with writing(STDOUT):
            for sink in self._sinks:
                sink.close()
            self._flush()

    def close(self) -> None:
        self._stack.close()

    def _flush(self) -> None:
        for out in self._outs:
            out.flush()


class FileOutput:
    """Files that hold all results: the journal takes them as they come, and the files are made from it at the end.

    So a run that was killed goes on where it was, for every format, and a file is whole or not there.
    """

    def __init__(self, files: Mapping[Path, type[Sink]], journal: Journal, run: Run, *, keep_journal: bool) -> None:
        self._files, self._journal, self._run, self._keep_journal = files, journal, run, keep_journal

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        return self._journal.pending(sources, retry_failed=retry_failed)

    def write(self, outcome: Outcome) -> None:
        with writing(self._journal.path):
            if isinstance(outcome, AlreadyDone):
                self._journal.keep(outcome.source)
            else:
                self._journal.add(outcome)

    def finish(self) -> None:
        with writing(self._journal.path):
            self._journal.sync()
        make_files(self._files, self._journal.results(), self._run)
        if not self._keep_journal:
            self._journal.close()
            self._journal.path.unlink()

    def close(self) -> None:
        with writing(self._journal.path):
            self._journal.close()


class FolderOutput:
    """A file per recording and format, in a folder that mirrors the input; they appear when the recording is done.

    `files` are made from the outcomes alone when the run ends.
    """

    def __init__(
        self, folder: Path, formats: Sequence[str], files: Mapping[Path, type[Sink]], journal: Journal, run: Run
    ) -> None:
        self._folder, self._formats, self._files, self._journal, self._run = folder, formats, files, journal, run
        self._open = ExitStack()
        self._sinks: list[Sink] = []

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        return self._journal.pending(sources, retry_failed=retry_failed)

    def write(self, outcome: Outcome) -> None:
        if isinstance(outcome, AlreadyDone):
            self._journal.keep(outcome.source)
            return
        with writing(self._folder):
            if not isinstance(outcome, FileFailed):
                self._write_to_sinks(outcome)
            if not isinstance(outcome, TagResult):
                self._journal.add(outcome)

    def finish(self) -> None:
        with writing(self._journal.path):
            self._journal.sync()
        make_files(self._files, self._journal.results(), self._run)

    def close(self) -> None:
        try:
            self._drop()
        finally:
            with writing(self._journal.path):
                self._journal.close()

    def _write_to_sinks(self, outcome: TagResult | FileEnd) -> None:
        if not self._sinks:
            for name in self._formats:
                out = self._open.enter_context(writing_whole(self._path(outcome.source.relative, name)))
                self._sinks.append(sink_type(name)(out, self._run))
        for sink in self._sinks:
            sink.write(outcome)
        if isinstance(outcome, FileEnd):
            for sink in self._sinks:
                sink.close()
            self._sinks = []
            self._open.close()

    def _drop(self) -> None:
        """Take back the files of a recording that has not come to its end."""

        class Unfinished(Exception):
            pass

        try:
            with self._open:
                if self._sinks:
                    raise Unfinished
        except Unfinished:
            self._sinks = []

    def _path(self, relative: str, format_name: str) -> Path:
        path = PurePosixPath(relative)
        return self._folder / path.parent / output_name(path.name, format_name)


def output_name(name: str, format_name: str) -> str:
    """The name of a recording's results: `a.wav.csv`; too long a name is cut and told apart by a hash."""
    suffix = suffix_of(format_name)
    encoded = os.fsencode(name)
    # The temporary name is longer by a dot and ".part".
    if len(encoded) + len(suffix) + 6 <= LONGEST_NAME:
        return name + suffix
    digest = hashlib.blake2b(encoded, digest_size=8).hexdigest()
    return os.fsdecode(encoded[:200]) + f"~{digest}{suffix}"


def make_files(files: Mapping[Path, type[Sink]], results: Iterable[Result], run: Run) -> None:
    """Write each of the files, all in one pass, and put them in their places when all are whole."""
    with ExitStack() as stack:
        sinks = []
        for path, sink in files.items():
            stack.enter_context(writing(path))
            sinks.append(sink(stack.enter_context(writing_whole(path)), run))
        for result in results:
            for writer in sinks:
                writer.write(result)
        for writer in sinks:
            writer.close()


def file_output(files: Mapping[Path, type[Sink]], run: Run, *, resume: bool, overwrite: bool) -> FileOutput:
    """Results in files, with the journal beside the first of them. Existing files are only replaced when told to."""
    first = next(iter(files))
    journal_path = first.with_name(first.name + JOURNAL_SUFFIX)
    for path in files:
        if path.exists() and not overwrite and not (resume and journal_path.exists()):
            raise OutputError(f"{path}: this file exists; use --overwrite to replace it, or another -o")
    with writing(journal_path):
        journal = open_journal(journal_path, run, fresh=overwrite or not resume)
    return FileOutput(files, journal, run, keep_journal=resume)


def folder_output(
    folder: Path,
    formats: Sequence[str],
    files: Mapping[Path, type[Sink]],
    run: Run,
    *,
    resume: bool,
    overwrite: bool,
) -> FolderOutput:
    """Results in a folder, with the journal in it."""
    journal_path = folder / f".cedtag{JOURNAL_SUFFIX}"
    if journal_path.exists() and not resume and not overwrite:
        raise OutputError(f"{folder}: this folder holds results; use --overwrite to replace them, or another -o")
    with writing(journal_path):
        journal = open_journal(journal_path, run, fresh=overwrite or not resume)
    return FolderOutput(folder, formats, files, journal, run)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a write into a sentence about the output."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{error.filename or path}: cannot write results there ({error.strerror or error})"
        ) from error
