"""The paths that were named: on the command line, and in lists."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cedtag.errors import InputError
from cedtag.inputs.search import STDIN
from cedtag.system.special_files import is_special

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack


@dataclass(frozen=True, slots=True)
class PathList:
    """A file with paths, one per line or each ended by NUL; "-" is standard input."""

    files_from: str | None = None
    null: bool = False

    @property
    def can_be_read_twice(self) -> bool:
        """Whether the list, if there is one, is a file and no stream."""
        listed = self.files_from
        # Not pathlib, which raises for names that are too long.
        return listed is None or (os.path.isfile(listed) and not is_special(Path(listed)))  # noqa: PTH113

    def paths(self, typed: tuple[str, ...], stack: ExitStack) -> Iterable[str]:
        """The paths on the command line and in the list, which is read while the run goes on."""
        from cedtag.inputs.path_list import read_path_list

        if not typed and self.files_from is None:
            raise InputError("nothing to tag was named; give a file, a folder or -, or see cedtag --help")
        if self.files_from is None:
            return typed
        if self.files_from != STDIN:
            return chain(typed, read_path_list(stack.enter_context(_opened(self.files_from)), self.null))
        if STDIN in typed:
            raise InputError("standard input cannot be both a recording and the list of `files_from`")
        return chain(typed, read_path_list(sys.stdin.buffer, self.null))


def _opened(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"`files_from` {path}: cannot be read ({error.strerror})") from error
