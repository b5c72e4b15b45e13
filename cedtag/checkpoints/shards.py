"""Weights in several files: an index names the file of each tensor, as transformers writes them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from cedtag.checkpoints.names import MAX_JSON_BYTES
from cedtag.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_INDEX_SUFFIX = ".index.json"
_SHARD_NAME = re.compile(r"\w[\w.-]{0,200}\.(safetensors|bin)", re.ASCII)
_MAX_SHARDS = 1000


def weight_files(weights: Path) -> list[Path]:
    """The files that hold the tensors: those that an index names, which lie beside it, or the file itself."""
    return [weights.with_name(name) for name in shard_names(weights)] if is_index(weights) else [weights]


def is_index(weights: Path) -> bool:
    """Whether a file of weights only names others."""
    return weights.name.endswith(_INDEX_SUFFIX)


def shard_names(index: Path) -> list[str]:
    """The names of the files in an index, sorted; a ModelError for what is no index of files in its own folder."""
    try:
        with index.open("rb") as file:
            content = json.loads(file.read(MAX_JSON_BYTES))
        names = sorted(set(content["weight_map"].values()))
    except OSError as error:
        raise ModelError(f"{index}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index}: is no index of weights; download it again") from error
    if not 0 < len(names) <= _MAX_SHARDS or not all(_SHARD_NAME.fullmatch(str(name)) for name in names):
        raise ModelError(f"{index}: names files that are no weights beside it; download it again")
    return names
