"""The program that downloads one checkpoint into the cache of huggingface_hub; `cache` runs it and may end it.

It takes a `DownloadRequest` as JSON in its argument and answers with JSON on standard output: {"commit": ...} or
{"error": ...}.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from cedtag.checkpoints.cache import offline_hint, repo_folder
from cedtag.checkpoints.checksums import damage_of
from cedtag.checkpoints.names import CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_NAMES
from cedtag.system.atomic import replacing
from cedtag.system.processes import on_input_closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Every fault of the line is an HTTPError of the client's own HTTP library, which is httpx or httpx2 by its version.
TransportError: type[Exception] = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")

# The client keeps what came before a cut in whole chunks only: with its 10 MiB a poor line never gets anywhere.
constants.DOWNLOAD_CHUNK_SIZE = 256 * 1024


class Unusable(Exception):
    """The files can be downloaded, and are no good."""


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What to download where to, and how patiently; see `cedtag.checkpoints.cache.Timeouts`."""

    repo: str
    revision: str
    cache_dir: str
    answer_s: float
    pauses_s: Sequence[float]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception: the client then removes its temporary file
    # Nobody would miss this process, but others would wait for the client's lock.
    on_input_closed(lambda: os.kill(os.getpid(), signal.SIGTERM))
    request = DownloadRequest(**json.loads(sys.argv[1]))
    try:
        _reply(commit=fetch(request))
    except Unusable as error:
        _reply(error=str(error))
    except (TransportError, OSError, ValueError) as error:
        _reply(error=explain(error, request))


def fetch(request: DownloadRequest) -> str:
    """Bring every file of the commit that `request.revision` means into the cache, and return that commit."""
    with _time_limit(request):
        commit = _current_commit(request)
    _fetch_sound(request, commit, CONFIG_NAME)
    with suppress(RemoteEntryNotFoundError):
        _fetch_sound(request, commit, PREPROCESSOR_NAME)
    _fetch_weights(request, commit)
    if request.revision != commit:
        # Last, and by us, as the client only ever sees the commit: a branch never points at half a download.
        ref = repo_folder(request.repo, Path(request.cache_dir)) / "refs" / request.revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        with replacing(ref) as temporary:
            temporary.write_text(commit)
    return commit


def explain(error: Exception, request: DownloadRequest) -> str:
    """Why a download failed and what to do about it: the one place that knows the client's exceptions."""
    error = _cause(error)
    hub = constants.ENDPOINT
    match error:
        case GatedRepoError():
            return f"it is gated; accept its terms at {hub}/{request.repo} and set HF_TOKEN to a token of yours"
        case RepositoryNotFoundError():
            return f"{hub} has no such repository; check the name, or set HF_TOKEN if it is a private one"
        case RevisionNotFoundError():
            return f"it has no revision {request.revision}; see {hub}/{request.repo}/commits/main"
        case RemoteEntryNotFoundError():
            return f"it has no {CONFIG_NAME}, so it is no CED"
        case HFValidationError():
            return "that is no name of a repository"
        case HfHubHTTPError():
            return _explain_status(error.response.status_code)
        case FileMetadataError():
            return _not_the_hub()
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return "the disk is full; make room, or choose another one with --cache-dir"
        case OSError(errno=int()):
            return f"the cache cannot be used ({error.strerror}); choose another folder with --cache-dir"
    what = next(iter(str(error).rstrip(".").splitlines()), type(error).__name__)
    return f"{hub} cannot be reached ({what}); {offline_hint(request.repo)}"


def _explain_status(status: int) -> str:
    hub = constants.ENDPOINT
    if status in (401, 403):
        return f"{hub} refuses access (HTTP {status}); set HF_TOKEN to a valid token, or unset it"
    if status == 429:
        return f"{hub} has had too many requests from here (HTTP 429); try again later, or set HF_TOKEN"
    if status < 500:
        return _not_the_hub()
    return f"{hub} is in trouble (HTTP {status}); try again later"


def _not_the_hub() -> str:
    return (
        f"what answers at {constants.ENDPOINT} is not the Hub; "
        "check the proxy, the network's login page and HF_ENDPOINT"
    )


def _current_commit(request: DownloadRequest) -> str:
    url = hf_hub_url(request.repo, CONFIG_NAME, revision=request.revision)
    commit = get_hf_file_metadata(url, timeout=request.answer_s).commit_hash
    if commit is None:
        raise FileMetadataError("no commit")
    return commit


def _fetch_weights(request: DownloadRequest, commit: str) -> None:
    for name in WEIGHTS_NAMES:
        with suppress(RemoteEntryNotFoundError):
            return _fetch_sound(request, commit, name)
    raise Unusable(f"it has no weights ({' or '.join(WEIGHTS_NAMES)})")


def _fetch_sound(request: DownloadRequest, commit: str, name: str) -> None:
    """The client checks only the size of what it downloads, and only the existence of what it has."""
    for force in (False, True):
        file = _fetch(request, commit, name, force, request.pauses_s)
        damage = damage_of(file)
        if not damage:
            return
    file.resolve().unlink()  # so that no other program takes it from the cache
    raise Unusable(f"{name} {damage}, even after a second download; try again on another network")


def _fetch(request: DownloadRequest, commit: str, name: str, force: bool, pauses_s: Sequence[float]) -> Path:
    """The cached file, tried again after each pause when the line fails: the client gives up at a reset or a 5xx."""
    try:
        return Path(
            hf_hub_download(request.repo, name, revision=commit, cache_dir=request.cache_dir, force_download=force)
        )
    except (TransportError, OSError, ValueError) as error:
        if not pauses_s or not _may_pass(_cause(error)):
            raise
    time.sleep(pauses_s[0])
    return _fetch(request, commit, name, force, pauses_s[1:])


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500
    return isinstance(error, TransportError) or (isinstance(error, OSError) and error.errno is None)


def _cause(error: Exception) -> Exception:
    """The fault itself: the client wraps what it met on the way in "not found locally" or in a plain ValueError."""
    while isinstance(error.__cause__, Exception) and type(error) in (LocalEntryNotFoundError, ValueError):
        error = error.__cause__
    return error


@contextmanager
def _time_limit(request: DownloadRequest) -> Iterator[None]:
    """End this process with an answer when the block takes too long, wherever it is stuck."""

    def give_up() -> None:
        _reply(
            error=f"{constants.ENDPOINT} does not answer within {request.answer_s:g} s; {offline_hint(request.repo)}"
        )
        os._exit(1)

    timer = Timer(request.answer_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reply(**answer: str) -> None:
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
