"""Text that is safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with control characters and undecodable bytes spelled out (`\x1b`), as a terminal may be shown it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
