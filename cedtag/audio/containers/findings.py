"""The result of inspecting a file's structure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Findings:
    """`problems`: audio is missing or was altered. `warnings`: odd, but no audio is lost."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
