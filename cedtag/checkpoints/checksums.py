"""Whether a file in huggingface_hub's cache is what the Hub states; the client itself looks only at its size.

A link in the cache leads to a blob, whose name is the Hub's hash of its content: sha256 for weights, git's sha1 for
small files. Where there are no links, or where a server names blobs otherwise, the hashes stand in a list of ours,
`.cedtag/COMMIT.json` in the folder of the repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.system.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_LIST_BYTES = 10_000


def is_hash(text: object) -> bool:
    """Whether a text can be the Hub's hash of a file or of a commit: 40 or 64 hexadecimal digits."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def stated_hashes(file: Path) -> set[str]:
    """The hashes that the Hub stated for a cached file when it was downloaded; none where that is not known."""
    blob = file.readlink().name if file.is_symlink() else ""
    listed = _listed(file).get(file.name, ())
    return {text for text in (blob, *(listed if isinstance(listed, list) else ())) if is_hash(text)}


def damage_of(file: Path, stated: Collection[str] | None = None, *, again: bool = False) -> str:
    """How a cached file differs from the hashes that the Hub states, "" when it does not or when none is known.

    A file that was found sound once, and has not changed its size and time since, is hashed `again` only on demand.
    """
    hashes = stated_hashes(file) if stated is None else set(stated)
    if not hashes or (not again and _was_sound(file, hashes)):
        return ""
    for one in sorted(hashes):
        try:
            actual = _digest(file, sha256=len(one) == 64)
        except OSError as error:
            return f"cannot be read ({file}: {error.strerror})"
        if actual != one:
            _forget(file, hashes)
            return f"is damaged ({file}: the hash is {actual}, the Hub states {one})"
    _remember_sound(file, hashes)
    return ""


def keep_hashes(repo_folder: Path, commit: str, hashes: Mapping[str, Collection[str]]) -> None:
    """Write down what the Hub stated for the files of a commit, for `stated_hashes`."""
    path = _list_of(repo_folder, commit)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: sorted(stated) for name, stated in hashes.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _list_of(repo_folder: Path, commit: str) -> Path:
    return repo_folder / ".cedtag" / f"{commit}.json"


def _listed(file: Path) -> dict[str, object]:
    snapshot = file.parent
    # OSError: no such list. ValueError: a damaged list holds no hashes.
    with suppress(OSError, ValueError, RecursionError), _list_of(snapshot.parent.parent, snapshot.name).open() as text:
        content = json.loads(text.read(_MAX_LIST_BYTES))
        return content if isinstance(content, dict) else {}
    return {}


def _digest(file: Path, *, sha256: bool) -> str:
    digest = hashlib.sha256() if sha256 else hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _was_sound(file: Path, hashes: Collection[str]) -> bool:
    with suppress(OSError, RuntimeError):
        return _mark_of(file, hashes).exists()
    return False


def _remember_sound(file: Path, hashes: Collection[str]) -> None:
    # Only saves the time to hash again: where it cannot be written, nothing is lost.
    with suppress(OSError, RuntimeError):
        mark = _mark_of(file, hashes)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _forget(file: Path, hashes: Collection[str]) -> None:
    with suppress(OSError, RuntimeError):
        _mark_of(file, hashes).unlink(missing_ok=True)


def _mark_of(file: Path, hashes: Collection[str]) -> Path:
    """An empty file that stands for `file` as it is now; one each, so that processes need not agree on a list."""
    state = file.stat()
    identity = f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ino}\0{' '.join(sorted(hashes))}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "cedtag" / "verified" / hashlib.sha256(os.fsencode(identity)).hexdigest()
