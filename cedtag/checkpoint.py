"""From what the user calls a model to the files it is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cedtag.errors import ModelError
from cedtag.registry import REPO_BY_NAME

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt")

_ON_THE_HUB = re.compile(r"(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of one model; `commit` is the Hub's, where it comes from there."""

    name: str
    config: Path | None
    preprocessor: Path | None
    weights: Path
    commit: str | None


def resolve(name: str, *, offline: bool = False, cache_dir: Path | None = None) -> Checkpoint:
    """The files of the model `name`, downloaded if need be.

    `tiny`, `ced-tiny` and the like always mean the published checkpoint, whatever the working folder holds. Every other
    name is first a file or folder, if there is one, and then `owner/repo[@revision]` on the Hub.
    """
    path = Path(name).expanduser()
    if name not in REPO_BY_NAME:
        if path.is_dir():
            return _in_folder(path)
        if path.suffix in WEIGHT_SUFFIXES and path.is_file():
            return _beside(path)
    raise _unknown(name)


def _in_folder(folder: Path) -> Checkpoint:
    """A plain folder: the usual names first, else the only file that can be weights, safetensors preferred."""
    for weights in WEIGHTS:
        if (folder / weights).is_file():
            return _beside(folder / weights, name=str(folder))
    files = sorted(file for file in folder.iterdir() if file.suffix in WEIGHT_SUFFIXES and file.is_file())
    candidates = [file for file in files if file.suffix == ".safetensors"] or files
    if not candidates:
        raise ModelError(f"{folder}: holds no weights ({', '.join(WEIGHTS)} or a .pt file)")
    if len(candidates) > 1:
        names = ", ".join(file.name for file in candidates)
        raise ModelError(f"{folder}: holds several files of weights ({names}); give the path of one of them")
    return _beside(candidates[0], name=str(folder))


def _beside(weights: Path, name: str = "") -> Checkpoint:
    config, preprocessor = weights.with_name(CONFIG), weights.with_name(PREPROCESSOR)
    return Checkpoint(
        name=name or str(weights),
        config=config if config.is_file() else None,
        preprocessor=preprocessor if preprocessor.is_file() else None,
        weights=weights,
        commit=None,
    )


def _unknown(name: str) -> ModelError:
    if Path(name).suffix in WEIGHT_SUFFIXES or name.startswith((".", "/", "~")):
        return ModelError(f"{name}: no such file or folder")
    close = get_close_matches(name.lower(), REPO_BY_NAME, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(REPO_BY_NAME)}"
    return ModelError(f"{name}: no such model; {hint} A model can also be owner/repo[@revision], a folder or a file.")
