"""Opening the outputs of a run."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.run.outputs.events import EventOutput
from cedtag.run.outputs.files import open_file_output
from cedtag.run.outputs.folder import open_folder_output
from cedtag.run.outputs.stream import STDOUT, StreamOutput
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.special_files import followed, is_special, open_special
from cedtag.writers import DEFAULT_FORMAT, writer_type
from cedtag.writers.errors import ErrorsWriter

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from cedtag.run.outputs import Output
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers.run_info import RunInfo


def open_output(
    destination: Destination,
    run: RunInfo,
    shard: tuple[int, int] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
) -> Output:
    """Open standard output, files of a format each, or a folder with a file per recording and format.

    `shard` is the part of the recordings that the run takes, and `inputs` are the paths that it reads. Files are
    replaced as `check_destination` allows, which is called before.
    """
    if destination.is_stream:
        return _with_events(open_stream(destination, run), run)
    if destination.is_folder:
        return _with_events(open_folder_output(destination, run, shard, inputs), run)
    return open_file_output({**destination.files(), **destination.files_beside()}, destination, run, shard)


def _with_events(output: Output, run: RunInfo) -> Output:
    """The output, which gets events in place of windows if the run shows events."""
    return output if run.events is None else EventOutput(output, run.events)


def open_stream(destination: Destination, run: RunInfo) -> StreamOutput:
    """Standard output, or a device or pipe."""
    if destination.is_stdout and sys.stdout is None:
        raise OutputError("standard output is closed; name a file with `to`")
    if len(destination.formats) > 1:
        raise InputError("several formats cannot share standard output; name a folder with `to`, or a file for each")
    writer = writer_type(destination.formats[0] if destination.formats else DEFAULT_FORMAT)
    stack = ExitStack()
    place, out = _opened_stream(destination, stack)
    writers = [(out, writer)]
    for path, beside in destination.files_beside().items():
        with writing(path):
            beside_out = _growing(path) if beside is ErrorsWriter else _written_at_once(path)
            writers.append((stack.enter_context(beside_out), beside))
    return StreamOutput(place, writers, run, stack)


def _growing(path: Path) -> AbstractContextManager[IO[bytes]]:
    """A new file that grows before everybody's eyes; one that exists stays until the new one is whole."""
    if is_special(path) or path.exists():
        return writing_whole(path)
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _opened_stream(destination: Destination, stack: ExitStack) -> tuple[Path, IO[bytes]]:
    if destination.is_stdout:
        return STDOUT, sys.stdout.buffer
    special = Path(destination.to[0])
    with writing(special):
        return special, stack.enter_context(open_special(special))


@contextmanager
def _written_at_once(path: Path) -> Iterator[IO[bytes]]:
    """Yield what becomes the file when it was written to; a run that is stopped leaves none."""
    held = BytesIO()
    yield held
    if held.tell():
        with writing(path), writing_whole(path) as out:
            out.write(held.getvalue())
