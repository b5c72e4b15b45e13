"""From -o and -f to the place that results go to."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.run.outputs.events import EventOutput
from cedtag.run.outputs.files import STDOUT, StreamOutput, open_file_output, writing
from cedtag.run.outputs.folder import open_folder_output
from cedtag.system.atomic import writing_whole
from cedtag.writers import format_of, writer_type
from cedtag.writers.errors import ErrorsWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cedtag.run.outputs.files import Output
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo


PICTURES = (".pdf", ".png", ".svg")


def to_stdout(outputs: Sequence[str]) -> bool:
    return not outputs or tuple(outputs) == ("-",)


def open_output(
    outputs: Sequence[str],
    formats: Sequence[str],
    beside: Mapping[Path, type[Writer]],
    run: RunInfo,
    *,
    resume: bool,
    overwrite: bool,
    shard: tuple[int, int] | None = None,
) -> Output:
    """Open standard output, files of a format each, or a folder with a file per recording and format.

    The files `beside` them are written in any case. `shard` is the part of the recordings that the run takes.
    """
    if to_stdout(outputs):
        return with_events(open_stream(formats, beside, run, overwrite=overwrite), run)
    if len(outputs) > 1 and any(output == "-" or is_special(output) for output in outputs):
        raise InputError("-o with standard output or a device cannot stand beside other outputs")
    if is_special(outputs[0]):
        return with_events(open_stream(formats, beside, run, Path(outputs[0]), overwrite=overwrite), run)
    if any(map(is_folder, outputs)):
        if len(outputs) > 1:
            raise InputError("-o with a folder can stand only once; several -f write a file each for every recording")
        if any(path.suffix.lower() in PICTURES for path in beside):
            raise InputError("--plot draws one recording beside other output; -f png draws each into the folder of -o")
        place, names = Path(outputs[0]), formats or ["tsv"]
        folder = open_folder_output(place, names, beside, run, resume=resume, overwrite=overwrite, shard=shard)
        return with_events(folder, run)
    files = files_of(outputs, formats)
    if both := files.keys() & beside.keys():
        raise InputError(f"{both.pop()}: -o names the same file as --errors or --plot; give each its own")
    return open_file_output({**files, **beside}, run, resume=resume, overwrite=overwrite, shard=shard)


def with_events(output: Output, run: RunInfo) -> Output:
    """The output, which gets events in place of rows if that is what the run shows."""
    return output if run.events is None else EventOutput(output, run.events)


def files_beside(errors: str | None, plot: str | None) -> dict[Path, type[Writer]]:
    """What --errors and --plot write, beside what -o and -f say."""
    files: dict[Path, type[Writer]] = {}
    if errors:
        files[Path(errors)] = ErrorsWriter
    if plot:
        if Path(plot).suffix.lower() not in PICTURES:
            raise InputError(f"--plot {plot}: pictures are files that end in {', '.join(PICTURES)}")
        files[Path(plot)] = writer_type(format_of(Path(plot)))
    return files


def shows_one_recording(outputs: Sequence[str], formats: Sequence[str]) -> bool:
    """Whether a format that knows no second recording is asked for, elsewhere than in a folder."""
    if to_stdout(outputs) or is_special(outputs[0]):
        writers = [writer_type(name) for name in formats]
    else:
        writers = [] if any(map(is_folder, outputs)) else list(files_of(outputs, formats).values())
    return any(getattr(writer, "one_recording", False) for writer in writers)


def is_folder(output: str) -> bool:
    """Whether -o names a folder: one that is there, or a new name without a suffix."""
    path = Path(output)
    return output.endswith(os.sep) or path.is_dir() or not (path.suffix or path.exists())


def is_special(output: str) -> bool:
    """Whether -o names a device or a pipe, which is written as it stands."""
    path = Path(output)
    return path.exists() and not (path.is_file() or path.is_dir())


def files_of(outputs: Sequence[str], formats: Sequence[str]) -> dict[Path, type[Writer]]:
    """Each file with its writer: as its suffix says, or as -f says when there is one -f for each -o."""
    if formats and len(formats) != len(outputs):
        raise InputError(
            f"{len(formats)} formats for {len(outputs)} output files: give every -f its own -o, or name a folder"
        )
    names = formats or [format_of(Path(output)) for output in outputs]
    return {Path(output): writer_type(name) for output, name in zip(outputs, names, strict=True)}


def open_stream(
    formats: Sequence[str],
    beside: Mapping[Path, type[Writer]],
    run: RunInfo,
    special: Path | None = None,
    *,
    overwrite: bool = False,
) -> StreamOutput:
    """Standard output, or a `special` file."""
    if special is None and sys.stdout is None:
        raise OutputError("standard output is closed; name a file with -o")
    if len(formats) > 1:
        raise InputError("several formats cannot share standard output; name a folder with -o, or a file for each")
    name = formats[0] if formats else default_format()
    stack = ExitStack()
    if special is None:
        out: IO[bytes] = sys.stdout.buffer
    else:
        with writing(special):
            out = stack.enter_context(special.open("wb"))
    writers = [(out, writer_type(name))]
    for path, writer in beside.items():
        if path.is_file() and not overwrite:
            raise OutputError(f"{path}: this file exists; use --overwrite to replace it, or name another")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside_out = path.open("wb") if writer is ErrorsWriter else _written_at_once(path)
            writers.append((stack.enter_context(beside_out), writer))
    return StreamOutput(special or STDOUT, writers, run, stack)


@contextmanager
def _written_at_once(path: Path) -> Iterator[IO[bytes]]:
    """Yield what becomes the file when it was written to; a run that is stopped leaves none."""
    held = BytesIO()
    yield held
    if held.tell():
        with writing(path), writing_whole(path) as out:
            out.write(held.getvalue())


def default_format() -> str:
    return "table" if sys.stdout is not None and sys.stdout.isatty() else "tsv"
