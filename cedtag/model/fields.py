"""Checks of the fields of a config file; the error names the field and what was expected."""

from __future__ import annotations

import reprlib
from typing import NoReturn

from cedtag.errors import ModelError

# Far above every trained weight, and far below what lets products of layers grow beyond single precision.
LARGEST_WEIGHT = 1e9


def refuse(name: str, value: object, expected: str) -> NoReturn:
    """Raise the ModelError for a field whose value does not fit."""
    raise ModelError(f"{name} is {reprlib.repr(value)}, expected {expected}")


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        refuse(name, value, f"an integer from {low} to {high}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no number from `low` to `high`."""
    # Every comparison with NaN is false, so NaN is refused here too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        refuse(name, value, f"a number from {low:g} to {high:g}")
