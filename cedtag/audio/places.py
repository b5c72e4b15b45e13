"""Recordings that a table names: files, members of archives, and objects that are read over the network."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cedtag.audio import members
from cedtag.audio.archives import local
from cedtag.errors import AudioError
from cedtag.system import remote
from cedtag.system.shortages import is_shortage


def placed(path: str, folder: str | os.PathLike[str]) -> str:
    """The path of a recording that is named below a folder; a URL is one everywhere."""
    return path if remote.is_url(path) else str(Path(folder) / path)


def is_elsewhere(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL, also one whose slashes `pathlib` has made one of."""
    text = os.fspath(path)
    return remote.is_url(text) or remote.is_url(text.replace(":/", "://", 1))


def may_be_there(path: str) -> bool:
    """Whether a recording can be at a path: of a member its archive is looked for, and objects are taken to be."""
    parts = members.split(path)
    path = path if parts is None else parts[0]
    return remote.is_url(path) or os.path.isfile(path)  # noqa: PTH113 -- no error for a name that is too long


def state_of(path: str) -> tuple[int, int]:
    """The size of a recording in bytes, and a number that changes when it does; AudioError where it cannot be seen."""
    try:
        if (parts := members.split(path)) is not None:
            return _states(*_archive_state(parts[0]))[parts[1].removeprefix("./")]
        if remote.is_url(path):
            found = remote.head(path)
            return found.size, found.stamp
        status = os.stat(path)  # noqa: PTH116 -- paths may hold bytes that are not UTF-8
    except remote.RemoteError as error:
        raise AudioError(f"{path}: {error}", stage="read") from error
    except KeyError:
        raise AudioError(f"{path}: there is no such file in that archive", stage="open") from None
    except members.DAMAGE as error:
        if is_shortage(error):
            raise
        raise AudioError(f"{path}: cannot be read ({members.said(error)})", stage="read") from error
    return status.st_size, status.st_mtime_ns


def _archive_state(path: str) -> tuple[str, int, int]:
    status = os.stat(local(path))  # noqa: PTH116 -- paths may hold bytes that are not UTF-8
    return path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)  # 200 bytes a member
def _states(path: str, _size: int, _mtime_ns: int) -> dict[str, tuple[int, int]]:
    """The sizes and numbers of the members of an archive in one state."""
    found = (member for member in members.members(path) if not member.refusal)
    return {member.name: (member.size, member.stamp) for member in found}
