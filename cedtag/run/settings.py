"""The settings that decide what a run gives, and how those of two runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase per setting that differs, such as "--window was 10.0 and is now 5.0"."""
    names = [*before, *(name for name in now if name not in before)]
    return [
        f"--{name} was {before.get(name)!s} and is now {now.get(name)!s}"
        for name in names
        if before.get(name) != now.get(name)
    ]
