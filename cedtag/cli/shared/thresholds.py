"""Options whose values are thresholds: for all classes, for one, or for those in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cedtag.labels.thresholds import read_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def threshold_fields(of_all: str, of_one: str) -> Callable[[Sequence[str]], Mapping[str, Any]]:
    """The function from values such as "0.2", "Speech=0.6" and "@file.csv" to the two parameters that they set."""

    def fields(specs: Sequence[str]) -> Mapping[str, Any]:
        usual, special = read_thresholds(specs, of_all)
        return {of_one: special} if usual is None else {of_all: usual, of_one: special}

    return fields
