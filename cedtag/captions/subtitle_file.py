"""Files of subtitles, SubRip and WebVTT, to which cues are added without a change to those that are there."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.records import SAMPLES_PER_MS
from cedtag.writers.subtitles import subtitle_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMING = re.compile(rf"(?<![^\r\n])[ \t\ufeff]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?![^ \t\r\n])")
_NUMBER = re.compile(r"[ \t\ufeff]*(\d+)[ \t]*")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Cue:
    """A text that is shown from `start` to `stop`, in milliseconds."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A cue of a file: when it is shown, and where it begins in the text."""

    start: int
    stop: int
    at: int
    number: int | None


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The text of a file with its cues in the order of the file; `encoding` is the one that gives back its bytes."""

    text: str
    encoding: str
    is_vtt: bool
    cues: tuple[Placed, ...]

    @property
    def newline(self) -> str:
        """The end of lines that the file has."""
        found = re.search(r"\r\n|\n|\r", self.text)
        return found[0] if found else "\n"

    def with_cues(self, new: Sequence[Cue]) -> bytes:
        """The file with new cues, each before the first that is later. No byte of the file changes."""
        pieces, done = [], 0
        number = max((cue.number or 0 for cue in self.cues), default=0)
        is_numbered = not self.is_vtt and (not self.cues or number > 0)
        for cue in sorted(new, key=lambda cue: cue.start):
            at = max(done, next((placed.at for placed in self.cues if placed.start >= cue.start), len(self.text)))
            pieces.append(self.text[done:at])
            number, done = number + 1, at
            pieces.append(self._separator("".join(pieces[-2:])))
            pieces.append(self._block(cue, number if is_numbered else None))
        pieces.append(self.text[done:])
        return "".join(pieces).encode(self.encoding, "replace" if self.encoding == "latin-1" else "surrogateescape")

    def _separator(self, before: str) -> str:
        """What is missing to end a cue: the line, or the blank line."""
        if not before.strip("\ufeff"):
            return ""
        lines = before.replace("\r\n", "\n").replace("\r", "\n")
        return self.newline * (0 if lines.endswith("\n\n") else 1 if lines.endswith("\n") else 2)

    def _block(self, cue: Cue, number: int | None) -> str:
        point, text = (".", escape(cue.text, quote=False)) if self.is_vtt else (",", cue.text)
        start, stop = (subtitle_time(time * SAMPLES_PER_MS, point) for time in (cue.start, cue.stop))
        lines = [*([] if number is None else [str(number)]), f"{start} --> {stop}", text, "", ""]
        return self.newline.join(lines)


def empty_subtitles(*, is_vtt: bool) -> Subtitles:
    """A file without cues."""
    return Subtitles("WEBVTT\n\n" if is_vtt else "", "utf-8", is_vtt, ())


def read_subtitles(path: Path) -> Subtitles:
    """The subtitles in a file, which may be empty; InputError for one that holds anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    text, encoding = _decoded(content)
    if not text.strip("\ufeff \t\r\n") and path.suffix.lower() == ".vtt":
        return empty_subtitles(is_vtt=True)
    is_vtt = text.lstrip("\ufeff").startswith("WEBVTT")
    cues = tuple(_cues(text, is_vtt=is_vtt))
    if not cues and not is_vtt and text.strip("\ufeff \t\r\n"):
        raise InputError(f"{path}: no line with the times of a cue was found; name a file in SubRip (.srt) or WebVTT")
    return Subtitles(text, encoding, is_vtt, cues)


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, with its byte order mark, and the encoding from which it gives its bytes back."""
    bom = next((encoding for mark, encoding in _BOMS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(bom)
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"
    return text, bom


def _cues(text: str, *, is_vtt: bool) -> Iterator[Placed]:
    for found in _TIMING.finditer(text):
        start, stop = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:])
        at, number = _beginning(text, found.start(), is_vtt=is_vtt)
        yield Placed(min(start, stop), max(start, stop), at, number)


def _milliseconds(fields: Sequence[str | None]) -> int:
    hours, minutes, seconds, fraction = (field or "0" for field in fields)
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _beginning(text: str, timing: int, *, is_vtt: bool) -> tuple[int, int | None]:
    """Where the cue with the times at a place begins: at its number or name, if the line before is one."""
    before = text[:timing].removesuffix("\n").removesuffix("\r")
    if len(before) == timing:
        return timing, None
    at = max(before.rfind("\n"), before.rfind("\r")) + 1
    if number := _NUMBER.fullmatch(before, at):
        return at, int(number[1])
    is_named = (
        is_vtt and before[at:].strip() and (at == 0 or re.search(r"(\r\n|\n|\r)[ \t]*(\r\n|\n|\r)$", before[:at]))
    )
    is_head = before[at:].lstrip("\ufeff").startswith(("WEBVTT", "NOTE"))
    return (at if is_named and not is_head else timing), None
