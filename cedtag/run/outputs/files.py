"""Files with all results, made from the journal when the run ends."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from cedtag.errors import OutputError
from cedtag.events.detect import detect_events
from cedtag.labels.tagged import TaggedWindows, one_by_one
from cedtag.records import AlreadyDone, FileFailed, Source
from cedtag.run.journal import JOURNAL_SUFFIX
from cedtag.run.journal.open import open_journal
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.processor import processor
from cedtag.system.special_files import followed
from cedtag.writers import write_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from cedtag.labels.tagged import Results
    from cedtag.records import Listed
    from cedtag.run.journal import Journal
    from cedtag.run.outputs import Kept
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo

Stamp: TypeAlias = tuple[int, int]  # size and modification time of a file; zeros where none is
_NO_FILE = (0, 0)
_PIECE = 256  # windows that are written together, or a few more

TAKEN = "the results hold another recording of this name; name this one by its absolute path, or use another `to`"


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
                    yield FileFailed(source, "output", f"{source.name}: {TAKEN}")
                    continue
            yield item

    def write(self, outcome: Kept) -> FileFailed | None:
        with writing(self._journal.path):
            if isinstance(outcome, AlreadyDone):
                self._journal.keep(outcome.source)
                return None
            return self._journal.add(outcome)

    def finish(self) -> None:
        self._output_files.make()
        if not self._keep_journal:
            with writing(self._journal.path):
                self._journal.path.unlink()

    def close(self) -> None:
        with writing(self._journal.path):
            self._journal.close()


class Memory(Protocol):
    """Where the results of a run are kept, and what was made of them: a journal, or a store."""

    path: Path
    replaces: bool
    made_earlier: list[dict[str, Any]]
    made: dict[str, Any] | None
    is_finished: bool

    def results(self) -> Iterator[Results]: ...
    def sync(self) -> None: ...
    def digest(self) -> str: ...
    def note_made(self, made: dict[str, Any]) -> None: ...


class OutputFiles:
    """The files that are made of a whole journal, when its run has come to its end. `shard` is what the run took."""

    def __init__(
        self, files: Mapping[Path, type[Writer]], journal: Memory, run: RunInfo, shard: tuple[int, int] | None
    ) -> None:
        self._files, self._journal, self._run, self._shard = files, journal, run, shard

    def check_unchanged(self) -> None:
        """OutputError for a file that exists and is not as this journal made it: its user has edited it, or owns it."""
        if self._journal.replaces and not self._journal.made_earlier:
            return  # begun with `overwrite`, and not yet at its end
        made = [entry for made in self._journal.made_earlier for entry in made["files"]]
        for path, writer in self._files.items():
            stamp = stamp_of(path)
            same = [entry[1] for entry in made if entry[2:] == [*stamp]]
            if stamp == _NO_FILE or writer.__name__ in same:
                continue
            if same:
                said = "this file exists in another format"
            elif any(path.name == entry[0] for entry in made):
                said = "was changed after it was made"
            else:
                said = "this file exists"
            raise OutputError(
                f"{path}: {said}; move it away, and the same command makes the file, or use `overwrite` to start over"
            )

    def make(self) -> None:
        """Make the files, unless they are as they were made and nothing has changed since; write that down."""
        with writing(self._journal.path):
            self._journal.sync()
        if self._journal.is_finished and self._journal.made == self._state(map(stamp_of, self._files)):
            return
        self.check_unchanged()
        results: Iterable[Results] = self._journal.results()
        if self._run.events is not None:
            results = detect_events(one_by_one(results), self._run.events)
        make_files(self._files, results, self._run, self._note)

    def _note(self, stamps: Iterable[Stamp]) -> None:
        """Note the stamps of the files that are made: no run replaces a file that is not noted."""
        with writing(self._journal.path):
            self._journal.note_made(self._state(stamps))

    def _state(self, stamps: Iterable[Stamp]) -> dict[str, Any]:
        named = zip(self._files.items(), stamps, strict=True)
        return {
            "results": self._journal.digest(),
            **self._run.arrangement,
            "events": None if self._run.events is None else self._run.events.to_dict(),
            "shard": self._shard and list(self._shard),
            "processor": processor().name,
            "files": [[path.name, writer.__name__, *stamp] for (path, writer), stamp in named],
        }


def stamp_of(path: Path) -> Stamp:
    """The stamp of a regular file; a device has none."""
    try:
        return _stamp(path.stat())
    except OSError:
        return _NO_FILE


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else _NO_FILE


def make_files(
    files: Mapping[Path, type[Writer]],
    results: Iterable[Results],
    run: RunInfo,
    on_whole: Callable[[Iterable[Stamp]], object] = lambda stamps: None,
) -> None:
    """Write each of the files, all in one pass, and put them in their places when all are whole.

    Just before that `on_whole` is called with the stamps that they will have.
    """
    with ExitStack() as stack:
        opened: list[tuple[Path, IO[bytes], Writer]] = []
        for path, writer_class in files.items():
            stack.enter_context(writing(path))
            out = stack.enter_context(writing_whole(path))
            opened.append((path, out, writer_class(out, run)))
        for some in in_pieces(results):
            for path, _, writer in opened:
                with writing(path):
                    for result in some:
                        write_to(writer, result)
        for path, out, writer in opened:
            with writing(path):
                writer.close()
                out.flush()
        on_whole([_whole_stamp(path, out) for path, out, _ in opened])


def in_pieces(results: Iterable[Results]) -> Iterator[list[Results]]:
    """The results in lists of some hundreds."""
    piece: list[Results] = []
    size = 0
    for result in results:
        piece.append(result)
        size += len(result) if isinstance(result, TaggedWindows) else 1
        if size >= _PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _whole_stamp(path: Path, out: IO[bytes]) -> Stamp:
    """The stamp of a file that is written, once it is on the disk and changes no more."""
    with writing(path):
        if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
            os.fsync(out.fileno())
        return _stamp(os.fstat(out.fileno()))


def open_file_output(
    files: Mapping[Path, type[Writer]], destination: Destination, run: RunInfo, shard: tuple[int, int] | None
) -> FileOutput:
    """Results in files, with the journal beside the first of them: `check_destination` allows what is replaced."""
    files = {followed(path): writer for path, writer in files.items()}
    journal_path = journal_beside(next(iter(files)))
    with writing(journal_path):
        journal = open_journal(journal_path, run, fresh=destination.overwrite)
    output_files = OutputFiles(files, journal, run, shard)
    with closed_on_error(journal):
        output_files.check_unchanged()
    return FileOutput(output_files, journal, keep_journal=destination.resume)


@contextmanager
def closed_on_error(journal: Journal) -> Iterator[None]:
    """Close a journal when the block fails."""
    try:
        yield
    except BaseException:
        journal.close()
        raise


def journal_beside(path: Path) -> Path:
    """Where the journal of an output file is."""
    path = followed(path)
    return path.parent / (path.name + JOURNAL_SUFFIX)
