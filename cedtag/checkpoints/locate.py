"""From what the user calls a model to the files it is made of."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.names import CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_NAMES, WEIGHTS_PLACES
from cedtag.checkpoints.registry import REPO_BY_NAME
from cedtag.checkpoints.shards import weight_files
from cedtag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt")

_HUB_NAME = re.compile(r"(?P<repo>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w.-]*(/\w[\w.-]*)*))?", re.ASCII)
PACKAGED = {"demo": Path(__file__).parent.parent / "demo" / "checkpoint"}
_MODEL_NAMES = "tiny, mini, small, base, demo, owner/repo[@revision], a folder or a file of weights"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of one model; `commit` is the Hub's, where it comes from there."""

    name: str
    config: Path | None
    preprocessor: Path | None
    weights: Path
    commit: str | None

    @property
    def weight_files(self) -> list[Path]:
        """The files that hold the tensors: `weights`, or those that it is an index of."""
        return weight_files(self.weights)


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository on the Hub at a branch, tag or commit."""

    repo: str
    revision: str


def resolve(
    name: str,
    *,
    offline: bool = False,
    download: bool = True,
    cache_dir: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Checkpoint:
    """The files of the model `name`; `on_progress` is told how many bytes have come, if they must be downloaded.

    Nothing is when `offline`, which is said then, nor where `download` is False: what is asked about is this machine.
    """
    place = locate(name)
    if isinstance(place, HubName):
        found = hub.snapshot(
            place.repo,
            place.revision,
            offline=offline,
            download=download,
            cache_dir=cache_dir,
            on_progress=on_progress,
        )
        return Checkpoint(place.repo, found.config, found.preprocessor, found.weights, found.commit)
    local = _in_folder(place) if place.is_dir() else _beside(place)
    return replace(local, name=name) if name in PACKAGED else local


def resolve_pretrained(
    name: str | Path, revision: str | None, cache_dir: str | Path | None, *, local_files_only: bool
) -> Checkpoint:
    """The files of a model by the parameters that `from_pretrained` has in transformers; files have no revision."""
    name = str(name)
    if revision is not None and isinstance(place := locate(name), HubName):
        name = f"{place.repo}@{revision}"
    return resolve(name, offline=local_files_only, cache_dir=None if cache_dir is None else Path(cache_dir))


def files_at(name: str) -> Iterator[Path]:
    """The files that the model `name` is read from, where that names a folder or a file; some need not be there."""
    place = PACKAGED.get(name) or Path(os.path.expanduser(name))  # noqa: PTH111 -- as in `locate`
    if os.path.isdir(place):  # noqa: PTH112 -- no error for a name that is too long
        yield from (path for path in place.iterdir() if path.is_file())
    else:
        yield place
        yield from (place.parent / beside for beside in (CONFIG_NAME, PREPROCESSOR_NAME))


def locate(name: str) -> HubName | Path:
    """Where the model `name` is: a repository on the Hub, or a folder or file that exists.

    `tiny`, `ced-tiny` and the like always mean the published checkpoint, and `demo` the one in the package, whatever
    the working folder holds. Every other name is first a file or folder, if there is one, and then
    `owner/repo[@revision]`.
    """
    if name in PACKAGED:
        return PACKAGED[name]
    path = Path(os.path.expanduser(name))  # noqa: PTH111 -- that of Path raises an error for a user who has no home
    if name not in REPO_BY_NAME and (path.is_dir() or (path.suffix in WEIGHT_SUFFIXES and path.is_file())):
        return path
    parts = _HUB_NAME.fullmatch(name)
    if parts is None or path.suffix in WEIGHT_SUFFIXES:
        raise ModelError(f"{name}: no such file or folder, and no name of a model ({_MODEL_NAMES})")
    repo = REPO_BY_NAME.get(parts["repo"], parts["repo"])
    if "/" not in repo:
        raise _unknown(repo)
    return HubName(repo, parts["revision"] or "main")


def _in_folder(folder: Path) -> Checkpoint:
    """A plain folder: the usual names first, else the only file that can be weights, safetensors preferred."""
    for weights in WEIGHTS_PLACES:
        if (folder / weights).is_file():
            return _beside(folder / weights, name=str(folder))
    files = sorted(file for file in folder.iterdir() if file.suffix in WEIGHT_SUFFIXES and file.is_file())
    candidates = [file for file in files if file.suffix == ".safetensors"] or files
    if not candidates:
        raise ModelError(f"{folder}: holds no weights ({', '.join(WEIGHTS_NAMES)} or a .pt file)")
    if len(candidates) > 1:
        names = ", ".join(file.name for file in candidates)
        raise ModelError(f"{folder}: holds several files of weights ({names}); give the path of one of them")
    return _beside(candidates[0], name=str(folder))


def _beside(weights: Path, name: str = "") -> Checkpoint:
    config, preprocessor = weights.with_name(CONFIG_NAME), weights.with_name(PREPROCESSOR_NAME)
    return Checkpoint(
        name=name or str(weights),
        config=config if config.is_file() else None,
        preprocessor=preprocessor if preprocessor.is_file() else None,
        weights=weights,
        commit=None,
    )


def _unknown(name: str) -> ModelError:
    close = get_close_matches(name.lower(), [*REPO_BY_NAME, *PACKAGED], n=1)
    hint = f"; did you mean {close[0]}?" if close else f" ({_MODEL_NAMES})"
    return ModelError(f"{name}: no such model{hint}")
