"""One rule for every file that a command writes.

It is never an input, never another file of the same run, and never a folder or a disk; a device or a pipe is written as
it stands; a file that exists is only replaced where that was asked for; and where nothing can be written is noticed
before the work starts. Two paths are one file when they lead to the same place, however they are spelt.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import unicodedata
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cedtag.errors import InputError, OutputError
from cedtag.system.atomic import replacing, writing
from cedtag.system.file_kinds import file_kind
from cedtag.system.special_files import followed, is_special

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

Item = TypeVar("Item")
Identity: TypeAlias = tuple[int, int] | str


@dataclass(frozen=True, slots=True)
class OutputPath:
    """A file, or a folder, that a command is going to write; `parameter` is the setting that names it.

    `replaceable` allows that it exists. What `is_own` is made for a command alone, and is never a device.
    """

    path: Path
    parameter: str
    replaceable: bool = False
    is_folder: bool = False
    is_own: bool = False


_COLLAPSED_URL = re.compile(r"(s3|gs|az|https?):/")  # as pathlib makes them


def check_outputs(
    outputs: Sequence[OutputPath],
    inputs: Iterable[str | os.PathLike[str]] = (),
    *,
    overwrite: bool = False,
    input_suffixes: Collection[str] = (),
) -> None:
    """InputError or OutputError for an output that may not be written, or cannot be.

    `inputs` are files and folders; in folders every file with one of `input_suffixes` is an input.
    """
    for output in outputs:
        if _COLLAPSED_URL.match(str(output.path)):
            url = str(output.path).replace(":/", "://", 1)
            raise InputError(
                f"`{output.parameter}` {url}: results are written to files here; name one, and copy it there"
            )
    files = [output for output in outputs if not _is_written_as_it_stands(output)]
    _check_apart(files)
    _check_no_input(files, [os.fspath(path) for path in inputs], input_suffixes)
    for output in files:
        if not (overwrite or output.replaceable or output.is_folder) and _status(output) is not None:
            raise OutputError(
                f"{output.path}: this file exists; use `overwrite` to replace it, or another `{output.parameter}`"
            )
    _check_writable(files)


def kept_apart(
    items: Iterable[Item], outputs: Iterable[OutputPath], path_of: Callable[[Item], str | None]
) -> Iterator[Item]:
    """Pass on items whose files are read; InputError for one that is also an output that exists."""
    existing: dict[Identity, OutputPath] = {}
    for output in outputs:
        if not output.is_folder and not is_special(output.path) and (status := _status(output)) is not None:
            existing[status.st_dev, status.st_ino] = output
    before = None
    for item in items:
        path = path_of(item) if existing else None
        if path is not None and path != before:
            before = path
            if (at := _on_disk(path)) is not None and at in existing:
                raise _is_input(existing[at])
        yield item


def identity(path: str | os.PathLike[str]) -> Identity:
    """Device and number of the file at a path; of one that is not there, its path without links."""
    return _on_disk(path) or os.path.realpath(path)


def _on_disk(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Device and number of the file at a path, if one is there."""
    try:
        status = os.stat(path)  # noqa: PTH116 -- paths may be text that pathlib would change
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


@dataclass(frozen=True, slots=True)
class NameFolding:
    """Which names a file system treats as one: those that differ in `case`, or in the Unicode `form` of a letter."""

    case: bool = False
    form: bool = False

    def __bool__(self) -> bool:
        return self.case or self.form

    def key(self, name: str) -> str:
        """A text that is equal for names that are one file."""
        if self.form:
            name = unicodedata.normalize("NFC", name)
        if self.case:
            name = name.casefold()
        return unicodedata.normalize("NFC", name) if self.form else name


def folding_of(folder: Path) -> NameFolding:
    """Which names are one in a folder, found out with a temporary file; none where that cannot be created."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".cedtag-\u00c9-", suffix=".part") as probe:
            name = Path(probe.name).name
            other_case = folder / name.swapcase()
            other_form = folder / unicodedata.normalize("NFD", name)
            return NameFolding(os.path.lexists(other_case), os.path.lexists(other_form))
    except OSError:
        return NameFolding()


def _is_written_as_it_stands(output: OutputPath) -> bool:
    """Whether it is a device or a pipe; OutputError for one that cannot take a stream."""
    if not is_special(output.path):
        return False
    try:
        mode = output.path.stat().st_mode
    except OSError:  # a descriptor that is not open: opening it reports so
        return True
    if output.is_own or output.is_folder or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise OutputError(f"{output.path}: is {file_kind(mode)}, not a file; name another `{output.parameter}`")
    return True


def _status(output: OutputPath) -> os.stat_result | None:
    """What is at the path; None when nothing is. OutputError when that cannot be found out."""
    try:
        return output.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"{output.path}: cannot write results there ({reason})") from error


def _check_apart(outputs: Sequence[OutputPath]) -> None:
    """InputError for two outputs that are one file, or of which one is to be a folder around the other."""
    for output in outputs:
        status = _status(output)
        if status is not None and stat.S_ISDIR(status.st_mode) and not output.is_folder:
            raise InputError(f"{output.path}: is a folder; name a file for `{output.parameter}`")
    if len(outputs) < 2:
        return
    taken: dict[Identity, OutputPath] = {}
    for output in outputs:
        other = taken.setdefault(identity(output.path), output)
        if other is not output:
            raise _is_same(output, other)
    places = {os.path.realpath(output.path): output for output in outputs}
    for place, output in places.items():
        for above in map(str, Path(place).parents):
            if above in places and not places[above].is_folder:
                raise _is_same(output, places[above])
    if len(outputs) <= 20:
        _check_spelling(outputs)


def _check_spelling(outputs: Sequence[OutputPath]) -> None:
    """InputError for two names that differ only in case or Unicode form, where the file system takes them for one."""
    alike = NameFolding(case=True, form=True)
    for one, other in combinations(outputs, 2):
        if one.path.parent.resolve() != other.path.parent.resolve():
            continue
        names = one.path.name, other.path.name
        if alike.key(names[0]) == alike.key(names[1]):
            folding = folding_of(one.path.parent)
            if folding.key(names[0]) == folding.key(names[1]):
                raise _is_same(other, one)


def _check_no_input(outputs: Sequence[OutputPath], inputs: Sequence[str], suffixes: Collection[str]) -> None:
    """InputError for an output that is one of the inputs, or an input in one of their folders."""
    existing: dict[Identity, OutputPath] = {}
    for output in outputs:
        if not output.is_folder and (status := _status(output)) is not None:
            existing[status.st_dev, status.st_ino] = output
    if not existing:
        return
    for path in inputs:
        if same := existing.get(identity("/dev/stdin" if path == "-" else path)):
            raise _is_input(same)
        folder = os.path.realpath(path)
        for output in existing.values():
            target = Path(os.path.realpath(output.path))
            if target.suffix.lower() in suffixes and Path(folder) in target.parents:
                raise _is_input(output)


def _check_writable(outputs: Sequence[OutputPath]) -> None:
    """OutputError for a place where no file can be created."""
    tried: set[Path] = set()
    for output in outputs:
        target = followed(output.path)
        place = target if output.is_folder else target.parent
        if place in tried:
            continue
        tried.add(place)
        with writing(output.path):
            if place.is_dir():
                _try(place / ".cedtag" if output.is_folder else target)
            else:
                _try(_nearest_folder(place) / target.name)


def _try(path: Path) -> None:
    """Create and remove the temporary file of a path."""
    try:
        with replacing(path):
            raise _Removed
    except _Removed:
        pass


def _nearest_folder(path: Path) -> Path:
    """The folder in which those that lead to a path would be made."""
    while not path.exists():
        path = path.parent
    return path


class _Removed(Exception):
    pass


def _is_same(output: OutputPath, other: OutputPath) -> InputError:
    both = " and ".join(f"`{name}`" for name in dict.fromkeys((other.parameter, output.parameter)))
    named = f" ({other.path})" if other.path != output.path else ""
    return InputError(f"{output.path}: {both} name the same file{named}; give each its own")


def _is_input(output: OutputPath) -> InputError:
    return InputError(
        f"{output.path}: this is an input, which is never written over; name another `{output.parameter}`"
    )
