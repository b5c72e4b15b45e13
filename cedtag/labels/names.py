"""Names of classes in another language, from a table of the user's."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cedtag.labels.table import Label

COLUMNS = "the columns mid or label, and name"


def read_label_names(file: str) -> dict[str, str]:
    """The names in a CSV or TSV file by MID or English name, in lower case.

    Its columns are `mid` or `label` (or both), and `name`. InputError for a file that cannot be read as such.
    """
    path = Path(file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            delimiter = "\t" if "\t" in lines.readline() else ","
            lines.seek(0)
            return _names(path, csv.DictReader(lines, delimiter=delimiter))
    except FileNotFoundError as error:
        raise InputError(
            f"`label_names` {file}: no such file; cedtag has English names alone, so give a CSV file with {COLUMNS}"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise InputError(f"`label_names` {file}: cannot be read ({error}); give a CSV file with {COLUMNS}") from error


def _names(path: Path, rows: Iterable[dict[str, str | None]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        keys = [(row.get(column) or "").strip().casefold() for column in ("mid", "label")]
        name = " ".join((row.get("name") or "").split())
        if not any(keys) or not name:
            raise InputError(f"`label_names` {path}: line {number} needs {COLUMNS}")
        names |= {key: name for key in keys if key}
    if not names:
        raise InputError(f"`label_names` {path}: holds no name; write {COLUMNS}")
    return names


def renamed(labels: Sequence[Label], names: Mapping[str, str]) -> tuple[Label, ...]:
    """The labels with these names, by MID or else English name; the others keep theirs.

    InputError where two of them would have one name.
    """
    found = tuple(
        replace(one, name=names.get(one.mid.casefold()) or names.get(one.name.casefold()) or one.name) for one in labels
    )
    seen: dict[str, Label] = {}
    for before, after in zip(labels, found, strict=True):
        other = seen.setdefault(after.name, before)
        if after.name != before.name and other != before:
            raise InputError(
                f"`label_names`: {other.name} and {before.name} are both called {after.name}; give each its own name"
            )
    return found
