"""Whether a file in huggingface_hub's cache is what the Hub states; the client itself looks only at its size."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path


def damage_of(file: Path) -> str:
    """How a cached file differs from what the Hub states, "" when it does not.

    A link in the cache leads to a blob, whose name is the Hub's hash of its content: sha256 for weights, git's sha1 for
    small files. Where the file system has no symbolic links that name is lost, and nothing can be checked.
    """
    stated = file.readlink().name if file.is_symlink() else ""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", stated) or _was_sound(file):
        return ""
    digest = hashlib.sha256() if len(stated) == 64 else hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != stated:
        return f"is damaged ({file}: the hash is {digest.hexdigest()}, the Hub states {stated})"
    _remember_sound(file)
    return ""


def _was_sound(file: Path) -> bool:
    with suppress(OSError, RuntimeError):
        return _mark_of(file).exists()
    return False


def _remember_sound(file: Path) -> None:
    # Only saves the time to hash again: where it cannot be written, nothing is lost.
    with suppress(OSError, RuntimeError):
        mark = _mark_of(file)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark_of(file: Path) -> Path:
    """An empty file that stands for `file` as it is now; one each, so that processes need not agree on a list."""
    state = file.stat()
    identity = f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ino}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "cedtag" / "verified" / hashlib.sha256(os.fsencode(identity)).hexdigest()
