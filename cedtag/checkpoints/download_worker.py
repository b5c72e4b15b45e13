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

from cedtag.checkpoints.answers import AnswerCheck, InvalidURL, TransportError, Unusable
from cedtag.checkpoints.cache import offline_hint, repo_folder
from cedtag.checkpoints.checksums import damage_of, is_hash, keep_hashes, stated_hashes
from cedtag.checkpoints.endpoint import without_credentials
from cedtag.checkpoints.file_list import MAX_LIST_BYTES, hashes_in_list
from cedtag.checkpoints.names import CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_NAMES, WEIGHTS_PLACES, max_bytes
from cedtag.checkpoints.shards import is_index, shard_names
from cedtag.errors import ModelError
from cedtag.system.atomic import replacing
from cedtag.system.processes import on_input_closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The client keeps what came before a cut in whole chunks only: with its 10 MiB a poor line never gets anywhere.
constants.DOWNLOAD_CHUNK_SIZE = 256 * 1024


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
    check = AnswerCheck()
    try:
        _install(check)
        _reply(**Download(request, check).run())
    except (Unusable, ModelError) as error:
        _reply(error=without_credentials(str(error)))
    except (TransportError, InvalidURL, OSError, ValueError) as error:
        _reply(error=without_credentials(explain(error, request, answered=check.answered)))


def _install(check: AnswerCheck) -> None:
    """Make the client, which reads the variables of proxies and certificates."""
    try:
        check.install()
    except (ImportError, OSError, ValueError, InvalidURL) as error:
        raise Unusable(
            f"the settings of proxies and certificates cannot be used ({error}); "
            "check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE"
        ) from error


class Download:
    """Brings every file of one commit into the cache, each checked against all hashes that are stated for it."""

    def __init__(self, request: DownloadRequest, check: AnswerCheck) -> None:
        self._request, self._check = request, check
        self._folder = repo_folder(request.repo, Path(request.cache_dir))
        self._commit = ""
        self._listed: dict[str, str] = {}
        self._stated: dict[str, set[str]] = {}

    def run(self) -> dict[str, str]:
        """The commit that the request means, and the names of files for which no hash is stated, in "unchecked"."""
        with _time_limit(self._request):
            self._commit = _current_commit(self._request)
        self._check.expect(MAX_LIST_BYTES)
        self._listed = hashes_in_list(self._request.repo, self._commit, self._request.answer_s)
        self._fetch_sound(CONFIG_NAME)
        with suppress(RemoteEntryNotFoundError):
            self._fetch_sound(PREPROCESSOR_NAME)
        self._fetch_weights()
        keep_hashes(self._folder, self._commit, self._stated)
        self._point_branch()
        return {
            "commit": self._commit,
            "unchecked": ", ".join(name for name, known in self._stated.items() if not known),
        }

    def _fetch_weights(self) -> None:
        for name in WEIGHTS_PLACES:
            with suppress(RemoteEntryNotFoundError):
                weights = self._fetch_sound(name)
                break
        else:
            raise Unusable(f"it has no weights ({' or '.join(WEIGHTS_NAMES)})")
        for shard in shard_names(weights) if is_index(weights) else ():
            self._fetch_sound(shard)

    def _fetch_sound(self, name: str) -> Path:
        """The place of a file whose content was checked.

        The client checks only the size of what it downloads, and only the existence of what it has.
        """
        damage, file = "", self._folder
        for force in (False, True):
            self._check.expect(max_bytes(name))
            file = _fetch(self._request, self._commit, name, force, self._request.pauses_s)
            self._pin(file, name)
            stated = {self._check.stated, self._listed.get(name, "")} | stated_hashes(file)
            self._stated[name] = set(filter(is_hash, stated))
            if not (damage := damage_of(file, self._stated[name])):
                return file
            if not file.is_symlink():
                file.unlink()  # in a cache without links the client would keep it
        file.resolve().unlink(missing_ok=True)  # so that no other program takes it from the cache
        raise Unusable(f"{name} {damage}, even after a second download; try again on another network")

    def _pin(self, file: Path, name: str) -> None:
        """Refuse a file that is not where the cache has its place, or that links to anywhere but a blob there."""
        content = file.parent / file.readlink() if file.is_symlink() else file
        places = [self._folder / "snapshots" / self._commit, self._folder / "blobs"]
        if file.parent != places[0] or content.parent.resolve() not in [place.resolve() for place in places]:
            raise Unusable(f"{name} is not in its place in the cache, but in {content}; remove {file}")

    def _point_branch(self) -> None:
        """Last, and by us, as the client only ever sees the commit: a branch never points at half a download."""
        if self._request.revision == self._commit:
            return
        ref = self._folder / "refs" / self._request.revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        with replacing(ref) as temporary:
            temporary.write_text(self._commit)


def explain(error: Exception, request: DownloadRequest, *, answered: bool = False) -> str:
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
    if answered:
        return f"{hub} has answered, but the download failed ({what}); try again later, or on another network"
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
        hub = without_credentials(constants.ENDPOINT)
        _reply(error=f"{hub} does not answer within {request.answer_s:g} s; {offline_hint(request.repo)}")
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
