"""What was named to be tagged: the recordings, and how they are opened."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cedtag.audio import AUDIO_SUFFIXES, Decoders, Decoding, read_raw, spooled
from cedtag.errors import InputError
from cedtag.inputs.sources import STDIN, Search, parse_shard, read_path_list
from cedtag.records import Source
from cedtag.writers.segments import second_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import ExitStack

    from cedtag.cli.tag import Options
    from cedtag.records import Listed
    from cedtag.run.pipeline import Recording


def search_of(options: Options) -> Search:
    """What is taken of the inputs."""
    return Search(
        AUDIO_SUFFIXES,
        options.recursive,
        options.include_glob,
        options.exclude_glob,
        parse_shard(options.shard) if options.shard else None,
    )


def typed_paths(options: Options, stack: ExitStack) -> Iterator[str]:
    """Everything that was named, on the command line and in the list, which is read while the run goes on."""
    if not options.paths and options.files_from is None:
        raise InputError("nothing to tag was named; give a file, a folder or -, or see cedtag --help")
    if options.files_from is None:
        return iter(options.paths)
    if options.files_from != STDIN:
        return chain(options.paths, read_path_list(stack.enter_context(opened(options.files_from)), options.null))
    if STDIN in options.paths:
        raise InputError("standard input cannot be both a recording and the list of --files-from")
    return chain(options.paths, read_path_list(sys.stdin.buffer, options.null))


def opened(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"--files-from {path}: cannot be read ({error.strerror})") from error


def stamped(sources: Iterable[Listed]) -> Iterator[Listed]:
    """Give standard input the time of this run, so that no later run takes its own for the same."""
    for item in sources:
        if isinstance(item, Source) and item.path == STDIN:
            yield replace(item, mtime_ns=time.time_ns())
        else:
            yield item


def only_one(sources: Iterable[Listed], what: str) -> Iterator[Listed]:
    """Refuse a second recording before much is scored."""
    first = None
    for item in sources:
        if isinstance(item, Source):
            if first is not None:
                raise InputError(second_recording(first, item, what))
            first = item
        yield item


def recording_opener(decoding: Decoding, stack: ExitStack) -> Callable[[Source], Recording]:
    """The function that opens a recording; what it needs is let go with `stack`."""
    decoders = stack.enter_context(Decoders(decoding))

    def open_source(source: Source) -> Recording:
        if source.path != STDIN:
            return decoders.open(source)
        if decoding.raw is not None:
            return read_raw(source.name, sys.stdin.buffer, decoding.raw)
        return decoders.open(replace(source, path=stack.enter_context(spooled(sys.stdin.buffer))))

    return open_source
