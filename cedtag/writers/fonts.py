"""Fonts for texts in any script: one that is installed and has the characters, or else the numbers of these."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)

USUAL = "sans-serif"
_OF_MANY_SCRIPTS = ("CJK", "Noto Sans", "Unicode", "WenQuanYi", "Gothic", "Hei", "DejaVu", "STIXGeneral")
_SHOWS_BOXES = "Last Resort"


def families_for(texts: Iterable[str]) -> tuple[list[str], frozenset[str]]:
    """The families that show these texts together, the usual one first, and the characters that none of all has."""
    lacking = frozenset[str]().union(*texts)
    lacking = frozenset(char for char in lacking if not char.isascii()) - _characters(
        findfont(FontProperties(family=[USUAL]))
    )
    families = [USUAL]
    for name, file in _installed() if lacking else ():
        if found := lacking & _characters(file):
            families.append(name)
            lacking -= found
        if not lacking:
            break
    if lacking:
        logger.warning(
            "no installed font has %s; the picture shows their numbers; install one that has, such as Noto Sans CJK",
            " ".join(sorted(lacking)[:10]),
        )
    return families, lacking


def spelled(text: str, lacking: frozenset[str]) -> str:
    """The text with the numbers of characters that cannot be shown, as in `\\u9ce5`."""
    return "".join(char.encode("unicode_escape").decode() if char in lacking else char for char in text)


def _installed() -> Sequence[tuple[str, str]]:
    """Name and file of upright fonts, those of many scripts first."""
    fonts = [font for font in fontManager.ttflist if font.style == "normal" and _SHOWS_BOXES not in font.name]

    def rank(name: str) -> int:
        return next((place for place, part in enumerate(_OF_MANY_SCRIPTS) if part in name), len(_OF_MANY_SCRIPTS))

    files = {font.name: font.fname for font in fonts}
    return sorted(files.items(), key=lambda one: (rank(one[0]), one[0]))


@cache
def _characters(file: str) -> frozenset[str]:
    return frozenset(map(chr, FT2Font(file).get_charmap()))
