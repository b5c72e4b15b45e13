"""Rows beside a store: made of the whole store when the run has come to its end."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from cedtag.labels.tagged import one_by_one
from cedtag.records import FileEnd, FileFailed, Skipped, Source
from cedtag.run.outputs.files import OutputFiles
from cedtag.run.outputs.open import open_output

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from cedtag.labels.tagged import Results
    from cedtag.records import Result
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.outputs.store import StoreOutput
    from cedtag.writers.run_info import RunInfo


class RowsOfStore:
    """What `destination` names beside its store; `results` reads them from the store.

    Files that a run made of the same store are made anew; others are only replaced with `overwrite`.
    """

    def __init__(
        self,
        store: StoreOutput,
        destination: Destination,
        run: RunInfo,
        results: Callable[[], Iterator[Results]],
        shard: tuple[int, int] | None,
        inputs: Iterable[str | os.PathLike[str]],
    ) -> None:
        self._store, self._run, self._results = store, run, results
        self._destination = replace(destination, store=None)
        self._shard, self._inputs = shard, tuple(inputs)
        files = destination.files_beside() if not destination.to else {}
        if destination.to and not (destination.is_stream or destination.is_folder):
            files = {**destination.files(), **destination.files_beside()}
        made = _MadeOfStore(store, run, results, replaces=destination.overwrite)
        self._files = OutputFiles(files, made, run, shard) if files else None
        if self._files is not None:
            self._files.check_unchanged()

    def make(self) -> None:
        """Write everything."""
        if self._files is not None:
            self._files.make()
        elif self._destination.to:
            with closing(open_output(self._destination, self._run, self._shard, self._inputs)) as output:
                results = one_by_one(self._results())
                for item in output.pending(self._store.sources(), retry_failed=False):
                    own = _next_recording(results)
                    for result in own if isinstance(item, Source) else [*_skipped(own), item]:
                        assert not isinstance(result, Skipped)
                        output.write(result)
                output.finish()


def _next_recording(results: Iterator[Result]) -> Iterator[Result]:
    """The results of one recording, to its outcome."""
    for result in results:
        yield result
        if isinstance(result, FileEnd | FileFailed):
            return


def _skipped(results: Iterator[Result]) -> tuple[()]:
    """Nothing: the results of a recording whose files are there."""
    for _ in results:
        pass
    return ()


class _MadeOfStore:
    """What `OutputFiles` asks a journal, of a store: its results, and which files were made of them."""

    def __init__(
        self, store: StoreOutput, run: RunInfo, results: Callable[[], Iterator[Results]], *, replaces: bool
    ) -> None:
        self._store, self._run, self.results, self.replaces = store, run, results, replaces
        self.path = store.path
        self.made_earlier = [] if replaces else [made for made in store.journal.made_earlier if "files" in made]
        self.made = self.made_earlier[-1] if self.made_earlier else None
        self.is_finished = True

    def sync(self) -> None:
        """Everything is in parts already."""

    def digest(self) -> str:
        """A hash of the parts and the settings of which the results are made."""
        made_of = [self._store.part_names, dict(self._run.settings)]
        return blake2b(json.dumps(made_of).encode(), digest_size=16).hexdigest()

    def note_made(self, made: dict[str, Any]) -> None:
        """Write down which files were made."""
        self._store.journal.note_made(made)
