"""What somebody may have meant with a first word that is neither a command nor a path."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Words of other programs -> what follows `cedtag` here.
_ELSEWHERE = {
    **dict.fromkeys(("list", "ls"), ("labels", "models list")),
    **dict.fromkeys(("info", "show"), ("models info NAME", "doctor")),
    **dict.fromkeys(("transcribe", "analyze", "analyse", "predict", "classify", "run", "infer", "process"), ("PATH",)),
    **dict.fromkeys(("download", "pull", "fetch", "install"), ("models download NAME",)),
    **dict.fromkeys(("remove", "delete", "rm"), ("models rm NAME",)),
    **dict.fromkeys(("classes", "ontology", "categories"), ("labels",)),
    **dict.fromkeys(("find", "search"), ("labels --find TEXT",)),
    **dict.fromkeys(("train", "fit"), ("finetune",)),
    **dict.fromkeys(("eval", "score", "benchmark"), ("evaluate",)),
    **dict.fromkeys(("check", "diagnose", "status", "test", "config"), ("doctor",)),
    **dict.fromkeys(("export", "format"), ("convert",)),
    **dict.fromkeys(("cut", "clip", "clips", "split"), ("extract",)),
    **dict.fromkeys(("join", "combine"), ("merge",)),
    **dict.fromkeys(("plot", "html", "visualize", "browse"), ("report",)),
    **dict.fromkeys(("detect", "segments"), ("events",)),
    **dict.fromkeys(("example", "sample", "try"), ("demo",)),
    "version": ("--version",),
    "help": ("--help",),
}
_WORD = re.compile("[A-Za-z][A-Za-z_-]*")


def is_absent_word(text: str) -> bool:
    """Whether this could be the name of a command, and there is no file or folder of this name."""
    return _WORD.fullmatch(text) is not None and not os.path.lexists(text)


def suggestions_for(word: str, commands: Iterable[str]) -> tuple[str, ...]:
    """The command lines, without the name of the program, that a word may stand for; empty where none is near."""
    known = {name: (name,) for name in commands}
    near = get_close_matches(word.lower(), [*known, *_ELSEWHERE], n=1, cutoff=0.7)
    return (known | _ELSEWHERE)[near[0]] if near else ()
