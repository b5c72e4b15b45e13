"""The files of a checkpoint on the Hub: from huggingface_hub's cache without any request, else downloaded.

No file is handed out before its content had, once, the hash that the Hub states for it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.checkpoints.checksums import damage_of
from cedtag.checkpoints.endpoint import client_constants
from cedtag.checkpoints.names import CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_PLACES
from cedtag.checkpoints.shards import is_index, weight_files
from cedtag.errors import ModelError
from cedtag.system.telemetry import OPT_OUTS

if TYPE_CHECKING:
    from collections.abc import Callable


logger = logging.getLogger(__name__)

_POLL_S = 0.1
_DOWNLOADER = "import sys; sys.path[:] = {path!r}; from cedtag.checkpoints.download_worker import main; main()"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit of a Hub repository in the cache, complete; some repositories have no preprocessor file."""

    commit: str
    config: Path
    preprocessor: Path | None
    weights: Path

    @property
    def files(self) -> list[Path]:
        shards = weight_files(self.weights) if is_index(self.weights) else []
        return [file for file in (self.config, self.preprocessor, self.weights, *shards) if file]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a download may be silent. There is no limit on the whole: a slow line may take its hour."""

    answer_s: float = 8.0  # until the Hub first answers
    stall_s: float = 30.0  # between one byte and the next
    pauses_s: tuple[float, ...] = (1.0, 3.0)  # before each new try after a fault on the way


TIMEOUTS = Timeouts()


def configure(*, offline: bool = False, cache_dir: Path | None = None) -> None:
    """Set what huggingface_hub reads once, when it is imported; call it before anything imports that."""
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    if cache_dir:
        os.environ["HF_HUB_CACHE"] = str(cache_dir.absolute())


def snapshot(
    repo: str,
    revision: str = "main",
    *,
    offline: bool = False,
    download: bool = True,
    cache_dir: Path | None = None,
    refresh: bool = False,
    patience: Timeouts = TIMEOUTS,
    on_progress: Callable[[int], None] | None = None,
) -> Snapshot:
    """The sound files of `repo` at `revision`, downloaded only if they are not in the cache.

    Where `download` is False, none is tried. A branch stays at the commit that was cached for it, unless `refresh` asks
    the Hub where it is now. `on_progress` is told, now and then, how many bytes have come.
    """
    constants = client_constants()
    offline = offline or constants.HF_HUB_OFFLINE
    folder = repo_folder(repo, cache_dir or Path(constants.HF_HUB_CACHE))
    found = cached(repo, revision, cache_dir)
    if found is None:
        reason = f"is {'only partly' if folder.is_dir() else 'not'} in the cache {folder.parent}"
    elif refresh and not offline and revision != found.commit:
        reason = "is asked for anew"
    else:
        damage = next(filter(None, map(damage_of, found.files)), "")
        if not damage:
            return found
        reason, revision = damage, found.commit
    if offline:
        raise ModelError(f"{repo} {reason}, and offline nothing is downloaded; {offline_hint(repo)}")

    if not download:
        raise ModelError(f"{repo} {reason}; `cedtag models download {repo}` fetches it")
    commit = _downloaded(repo, revision, folder, reason, patience, on_progress)
    if (found := cached(repo, commit, cache_dir)) is None:
        raise ModelError(f"{repo}: files vanished from the cache {folder.parent} after the download; try again")
    return found


def _downloaded(
    repo: str,
    revision: str,
    folder: Path,
    reason: str,
    patience: Timeouts,
    on_progress: Callable[[int], None] | None,
) -> str:
    """Download a snapshot, for this `reason`; its commit."""
    answer = _download(repo, revision, folder, patience, on_progress)
    if "commit" not in answer:
        raise ModelError(f"{repo} {reason} and cannot be downloaded: {answer['error']}")
    if answer.get("unchecked"):
        logger.warning(
            "%s: the server states no hash of %s, so nothing could be checked; compare with a download from elsewhere",
            repo,
            answer["unchecked"],
        )
    return str(answer["commit"])


def cached(repo: str, revision: str, cache_dir: Path | None = None) -> Snapshot | None:
    """What the cache holds for `revision`, None when a file is missing; asks nobody and checks no content."""
    client_constants()
    try:
        return _cached(repo, revision, cache_dir)
    except UnicodeDecodeError:  # a branch whose commit cannot be read
        return None
    except OSError as error:
        raise ModelError(
            f"{repo}: the cache cannot be read ({error.filename}: {error.strerror}); remove that, or choose another "
            "cache with --cache-dir"
        ) from error


def _cached(repo: str, revision: str, cache_dir: Path | None) -> Snapshot | None:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repo, CONFIG_NAME, cache_dir, revision)
    if not isinstance(config, str):
        return None
    commit = Path(config).parent.name
    preprocessor = try_to_load_from_cache(repo, PREPROCESSOR_NAME, cache_dir, commit)
    weights = [try_to_load_from_cache(repo, name, cache_dir, commit) for name in WEIGHTS_PLACES]
    best = next((path for path in weights if isinstance(path, str)), None)
    # None says "never asked for"; a file that the repository does not have is remembered as another value.
    if best is None or preprocessor is None or not _has_all_weights(Path(best)):
        return None
    return Snapshot(commit, Path(config), Path(preprocessor) if isinstance(preprocessor, str) else None, Path(best))


def _has_all_weights(weights: Path) -> bool:
    try:
        return all(map(Path.is_file, weight_files(weights)))
    except ModelError:  # a damaged index, which is downloaded again
        return False


def cached_commits(repo: str) -> list[str]:
    """The commits of a repository of which the cache holds anything."""
    snapshots = repo_folder(repo, Path(client_constants().HF_HUB_CACHE)) / "snapshots"
    return sorted(folder.name for folder in snapshots.glob("*"))


def repo_folder(repo: str, cache_dir: Path) -> Path:
    """Where huggingface_hub keeps a repository: `blobs/HASH`, `snapshots/COMMIT/FILE` and `refs/BRANCH`."""
    return cache_dir / f"models--{repo.replace('/', '--')}"


def bytes_in(folder: Path) -> int:
    """The size of the files in a folder, which may be downloaded at this moment; 0 without the folder."""
    size = 0
    for file in folder.glob("*"):
        with suppress(OSError):  # a temporary file that was renamed meanwhile
            size += file.stat().st_size
    return size


def offline_hint(repo: str) -> str:
    """What helps where the Hub is out of reach."""
    return (
        f"connect to the network and run `cedtag models download {repo}`, or run it with --output FOLDER on another "
        "machine, copy FOLDER here and use it with -m FOLDER, or try out the small model in the package with -m demo"
    )


def _download(
    repo: str, revision: str, folder: Path, patience: Timeouts, on_progress: Callable[[int], None] | None
) -> dict[str, str]:
    """Have the files fetched by a process of its own, and return its answer: their "commit", or the "error".

    The client can hang where nothing in this process could interrupt it: in the system's name resolution, behind a
    lock whose holder is stopped, in the hour that a busy server asks it to sleep. A thread stuck there would keep the
    client's lock and leave its temporary file; a process can be ended at any time, by Ctrl-C too. It costs half a
    second, once per download. Progress is what the folder of blobs gains, so that waiting for another process which
    downloads the same file is no stall.
    """
    order = {
        "repo": repo,
        "revision": revision,
        "cache_dir": str(folder.parent),
        "answer_s": patience.answer_s,
        "pauses_s": patience.pauses_s,
    }
    # -I: a file called json.py in the folder where the user happens to stand must not be imported.
    isolated = ["-I", "-X", f"utf8={sys.flags.utf8_mode}"]  # where the variable that set it does not count
    command = [sys.executable, *isolated, "-c", _DOWNLOADER.format(path=sys.path), json.dumps(order)]
    # In a session of its own a Ctrl-C of the terminal reaches us alone, and we end it in order.
    downloader = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), start_new_session=True
    )
    # The downloader ends when its input is closed, at the latest with this process; `communicate` would close it now.
    lifeline, downloader.stdin = downloader.stdin, None
    try:
        return _answer(downloader, folder / "blobs", patience.stall_s, on_progress)
    finally:
        _end(downloader)
        if lifeline:
            lifeline.close()


def _answer(
    downloader: subprocess.Popen[bytes], blobs: Path, stall_s: float, on_progress: Callable[[int], None] | None
) -> dict[str, str]:
    start = size = bytes_in(blobs)
    moved = time.monotonic()
    while time.monotonic() - moved < stall_s:
        output = _output_within(_POLL_S, downloader)
        if output is not None:
            return dict(json.loads(output or '{"error": "the download was ended from outside"}'))
        if (now := bytes_in(blobs)) != size:
            size, moved = now, time.monotonic()
            if on_progress:
                on_progress(max(size - start, 0))
    return {"error": f"no data has come for {stall_s:g} s; try again later"}


def _output_within(seconds: float, process: subprocess.Popen[bytes]) -> bytes | None:
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it so that it can remove its temporary file; kill it when it is stuck."""
    process.terminate()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def _environment() -> dict[str, str]:
    # Plain HTTP unless the user says otherwise: it resumes a cut download and shows its progress on the disk.
    defaults = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_VERBOSITY": "error"}
    return defaults | os.environ | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"} | OPT_OUTS
