"""The small JSON files of a checkpoint, which may be damaged or hostile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from cedtag.checkpoints.names import MAX_JSON_BYTES
from cedtag.errors import ModelError
from cedtag.system.atomic import replacing
from cedtag.system.special_files import followed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_json_object(path: Path) -> dict[str, object]:
    """The JSON object in a small file. Damaged, huge, deeply nested and non-finite ones are a ModelError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise ModelError("larger than 1 MB, so no config file; download the checkpoint again")
        values = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})") from error
    # ValueError: malformed JSON or UTF-8, NaN, a number of 5000 digits. RecursionError: 100,000 open brackets.
    except (ValueError, RecursionError) as error:
        raise ModelError("not a JSON file that can be read; download the checkpoint again") from error
    if not isinstance(values, dict):
        raise ModelError("not a JSON object; download the checkpoint again")
    return values


def write_json_object(path: Path, values: Mapping[str, object]) -> None:
    """Write `values` to `path` whole or not at all; a symbolic link stays, and its target is replaced."""
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
