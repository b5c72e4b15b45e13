"""Folders of parts under one header: what every store is, whatever its parts hold.

A part appears whole or not at all, under a name that no other part has, and is not changed. So a run that was killed
goes on from the parts that are there, and folders of one header become one when the parts are copied together.
"""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any

from cedtag.errors import InputError, OutputError
from cedtag.system.atomic import take_lock, writing, writing_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

HEADER = "store.json"
FORMAT = 1  # of the header and of every part
LOCK = ".lock"
SUFFIX = ".parquet"


class PartFolder:
    """A folder that this process may add parts to; no other one may, until it is closed. Made by `open_part_folder`."""

    def __init__(self, path: Path, facts: dict[str, Any], lock: int) -> None:
        self.path, self.facts = path, facts
        self._lock = lock

    def __enter__(self) -> PartFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def writing_part(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """The file of a part, `table/name.parquet`, which is on the disk before it has its name."""
        return writing_whole(self.path / name)

    def parts(self, table: str) -> list[Path]:
        """The parts of a table, by their names."""
        return parts_of(self.path, table)


def open_part_folder(
    path: Path, kind: str, facts: dict[str, Any], differences: Callable[[dict[str, Any]], list[str]]
) -> PartFolder:
    """Open a folder of this kind to add parts, or start one with these facts; locked until it is closed.

    `differences` says in what the facts of earlier parts differ, for people. OutputError where they do, where something
    else is there, and while another process writes it.
    """
    with writing(path):
        _check_free(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        if not take_lock(lock):
            raise OutputError(f"{path}: another command is writing this store; wait for it, or name another")
        before = _started(path, kind, facts)
        if changed := differences(before):
            raise OutputError(
                f"{path}: this store was made with other settings ({'; '.join(changed)}); "
                "use the same settings, or another folder"
            )
    except BaseException:
        os.close(lock)
        raise
    return PartFolder(path, before, lock)


def _started(path: Path, kind: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of the store at a path, which begins with these where the folder is empty."""
    if (path / HEADER).exists():
        return read_facts(path, kind)
    with writing(path), writing_whole(path / HEADER) as out:
        header = {"store": kind, "format": FORMAT, **facts}
        out.write(json.dumps(header, allow_nan=False, indent=1).encode() + b"\n")
    return facts


def _check_free(path: Path) -> None:
    """OutputError for a folder that holds other files and no store."""
    if not path.is_dir() or (path / HEADER).exists():
        return
    if others := [other.name for other in path.iterdir() if not other.name.startswith(".")]:
        raise OutputError(f"{path}: holds other files ({min(others)}) and no store; name a new folder for it")


def is_store(path: Path, kind: str | None = None) -> bool:
    """Whether there is a folder of parts, of this kind if one is named; its version may be another."""
    try:
        found = _header(path).get("store")
    except InputError:
        return False
    return isinstance(found, str) and kind in (None, found)


def read_facts(path: Path, kind: str) -> dict[str, Any]:
    """What the header of a store says; InputError where there is none, or one of another kind or version."""
    facts = _header(path)
    found, version = facts.pop("store", None), facts.pop("format", None)
    if found != kind:
        raise InputError(f"{path}: this is a store of {found}, and not of {kind}; name another folder")
    if version != FORMAT:
        raise InputError(f"{path}: another version of cedtag made this store; use that one, or make it again")
    return facts


def parts_of(path: Path, table: str) -> list[Path]:
    """The parts of a table of the store at a path, by their names."""
    return sorted(_parts(path / table))


def _parts(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (part for part in folder.iterdir() if part.suffix == SUFFIX and not part.name.startswith("."))


def _header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads((path / HEADER).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: there is no store here; name the folder that holds {HEADER}") from None
    except OSError as error:
        raise InputError(f"{path / HEADER}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or "store" not in header:
        raise InputError(f"{path / HEADER}: is damaged, or is not the header of a store; restore the file")
    return header
