"""The journal beside a table: the facts that the table does not hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, TagResult
from cedtag.run.journal.format import read_contents, results_at, source_at
from cedtag.run.outputs.files import journal_beside
from cedtag.run.outputs.folder import journal_in
from cedtag.run.outputs.names import output_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from cedtag.records import Result
    from cedtag.run.journal.format import Contents
    from cedtag.writers.run_info import RunInfo


class JournalBeside:
    """The journal of the run that wrote a table: outcomes and lengths of its recordings, and their windows."""

    def __init__(self, path: Path, contents: Contents, only: int | None = None) -> None:
        """`only` is where the line stands of the one recording that the table is of, if it was written to a folder."""
        self.path = path
        self.run: RunInfo = contents.run
        self.has_windows = only is None  # the journals of folders hold none
        self._done = contents.done
        self._only = only

    def complete(
        self, table: Path, names: Iterable[str], recordings: Iterable[tuple[str, Iterator[TagResult | SoundEvent]]]
    ) -> Iterator[Result]:
        """The rows of a table with what they lack: outcomes, windows without tags, recordings without rows.

        Recordings come in the order of the table, those without rows where the journal has them. `names` are all that
        are in the table; InputError for one that the journal does not know.
        """
        offsets = self._done.offsets().tolist() if self._only is None else [self._only]
        places = {offset: place for place, offset in enumerate(offsets)}
        with_rows = {places[self._offset(table, name)] for name in names}
        done = 0
        with self.path.open("rb") as lines:
            for name, rows in recordings:
                place = places[self._offset(table, name)]
                yield from self._without_rows(lines, offsets, range(done, place), with_rows)
                done = max(done, place)
                yield from self._with_rows(table, list(results_at(lines, offsets[place])), rows)
            yield from self._without_rows(lines, offsets, range(done, len(offsets)), with_rows)

    def _offset(self, table: Path, name: str) -> int:
        offset = self._find(name)
        if offset is None:
            raise InputError(
                f"{table}: {name} is not in the journal beside it ({self.path}); move that journal away if it is of "
                "another run"
            )
        return offset

    def _find(self, name: str) -> int | None:
        if self._only is None:
            entry = self._done.find_name(Source(name, name, name))
            return None if entry is None else entry.offset
        with self.path.open("rb") as lines:
            return self._only if source_at(lines, self._only).name == name else None

    def _without_rows(
        self, lines: BinaryIO, offsets: Sequence[int], places: range, with_rows: set[int]
    ) -> Iterator[Result]:
        for place in places:
            if place not in with_rows:
                for result in results_at(lines, offsets[place]):
                    yield replace(result, tags=()) if isinstance(result, TagResult) else result

    def _with_rows(self, table: Path, known: list[Result], rows: Iterator[TagResult | SoundEvent]) -> Iterator[Result]:
        """The recording with the tags of its rows, in the windows that the journal has."""
        *windows, end = known
        assert isinstance(end, FileEnd | FileFailed)
        if not windows:
            yield from (replace(row, source=end.source) for row in rows)
            yield end
            return
        tags = {}
        for row in rows:
            if isinstance(row, SoundEvent):
                yield replace(row, source=end.source)
            else:
                tags[row.start // 16, row.stop // 16, row.channel] = row.tags
        has_events = not tags
        for window in windows:
            assert isinstance(window, TagResult)
            if not has_events:
                yield replace(window, tags=tags.pop((window.start // 16, window.stop // 16, window.channel), ()))
        if tags:
            start = min(tags)[0] / 1000
            raise InputError(f"{table}: {end.source.name} has no window from {start:.3f} s on in the journal beside it")
        yield end


def journal_of(table: Path) -> JournalBeside | None:
    """The journal beside a table, or that of the folder to which the table was written; None where there is none."""
    path = journal_beside(table)
    if path.is_file():
        contents = _contents(table, path)
        return JournalBeside(path, contents) if contents.header is not None else None
    folder = next((folder for folder in table.absolute().parents if journal_in(folder).is_file()), None)
    if folder is None:
        return None
    path = journal_in(folder)
    contents = _contents(table, path, by_relative=True)
    only = None if contents.header is None else _recording_of(table.absolute().relative_to(folder), path, contents)
    return None if only is None else JournalBeside(path, contents, only)


def _contents(table: Path, path: Path, *, by_relative: bool = False) -> Contents:
    try:
        return read_contents(path, by_relative=by_relative)
    except (OutputError, OSError) as error:
        raise InputError(f"{table}: the journal beside it cannot be read ({error})") from error


def _recording_of(table: Path, path: Path, contents: Contents) -> int | None:
    """Where the line stands of the recording whose rows a run wrote to this place in its folder."""
    relative = (table.parent / table.stem).as_posix()
    if (entry := contents.done.find_name(Source(relative, relative, relative))) is not None:
        return entry.offset
    with path.open("rb") as lines:  # the name may have been too long
        offsets: list[int] = contents.done.offsets().tolist()
        for offset in offsets:
            recording = Path(source_at(lines, offset).relative)
            if recording.with_name(output_name(recording.name, table.suffix.removeprefix("."))) == table:
                return offset
    return None
