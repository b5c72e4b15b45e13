"""What is put on the disk, and when."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def record_syncs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, state: Callable[[], object]
) -> list[tuple[str, object]]:
    """From now on, for every file in `folder` and for "." itself that is synced: its name, and `state` at that time."""
    synced: list[tuple[str, object]] = []

    def fsync(descriptor: int) -> None:
        names = {path.stat().st_ino: path.name for path in folder.iterdir()} | {folder.stat().st_ino: "."}
        synced.append((names[os.fstat(descriptor).st_ino], state()))

    monkeypatch.setattr(os, "fsync", fsync)
    return synced
