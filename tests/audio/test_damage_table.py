"""The table in docs/inputs.md says which damage is noticed: what it promises is so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.damage import CHECKED, FORMATS, KINDS, recording, unnoticed
from cedtag.audio import Decoders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("av")

DOCS = (Path(__file__).parents[2] / "docs/inputs.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


def promised(name: str) -> dict[str, str]:
    """What a row of the table says, by kind of damage."""
    (row,) = [line for line in DOCS.splitlines() if line.startswith(f"| {name} |")]
    return dict(zip(KINDS, row.strip("| ").split(" | ")[1:], strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_cut_off_noticeably(tmp_path: Path, decoders: Decoders, name: str) -> None:
    assert promised(name)["cut"] == "yes"
    assert unnoticed(decoders, recording(tmp_path, name), "cut") == 0


@pytest.mark.parametrize("kind", ["zeroed", "flipped", "garbage"])
@pytest.mark.parametrize("name", CHECKED)
def test_formats_with_checksums_show_all_damage(tmp_path: Path, decoders: Decoders, name: str, kind: str) -> None:
    assert promised(name)[kind] == "yes"
    assert unnoticed(decoders, recording(tmp_path, name), kind) == 0
