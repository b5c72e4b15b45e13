"""The hashes of a commit's files in the Hub's list of files, which do not depend on how a file is delivered."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants, get_session
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from cedtag.checkpoints.answers import TransportError
from cedtag.checkpoints.checksums import is_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LIST_BYTES = 20_000_000


def hashes_in_list(repo: str, commit: str, timeout_s: float) -> dict[str, str]:
    """The hash of each file by name, sha256 for large files and git's sha1 for small ones; nothing without a list.

    Mirrors of the Hub need not have one.
    """
    for path in (f"tree/{commit}", f"revision/{commit}?blobs=true"):
        with suppress(TransportError, ValueError, RecursionError):
            if found := dict(_hashes(_answer(f"{constants.ENDPOINT}/api/models/{repo}/{path}", timeout_s))):
                return found
    return {}


def _answer(url: str, timeout_s: float) -> Any:
    with get_session().stream("GET", url, headers=build_hf_headers(), timeout=timeout_s) as response:
        return json.loads(response.read()) if response.status_code == 200 else None


def _hashes(answer: Any) -> Iterator[tuple[str, str]]:
    """Names and hashes in either form of the list: a tree, or the siblings of a revision."""
    entries = answer.get("siblings") if isinstance(answer, dict) else answer
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        name = entry.get("path", entry.get("rfilename"))
        large = entry.get("lfs")
        stated = (
            [large.get("oid"), large.get("sha256")]
            if isinstance(large, dict)
            else [entry.get("oid"), entry.get("blobId")]
        )
        if isinstance(name, str) and (found := next(filter(is_hash, stated), None)):
            yield name, found
