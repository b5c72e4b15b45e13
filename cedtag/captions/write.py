"""Writing captions: the sounds of one recording, on their own or between the lines of a film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.captions.place import captions
from cedtag.captions.subtitle_file import empty_subtitles, read_subtitles
from cedtag.errors import InputError
from cedtag.records import SoundEvent
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.captions.place import Captions
    from cedtag.captions.subtitle_file import Subtitles
    from cedtag.records import Result, Source

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """Where captions go, "-" for standard output, and the `subtitles` whose lines stay in them.

    Their format is that of the subtitles, or else "srt" or "vtt".
    """

    to: str = STDOUT
    subtitles: str | None = None
    caption_format: str | None = None
    overwrite: bool = False

    def check(self, path: str) -> None:
        """InputError or OutputError for a place that may not be written, or subtitles in another format."""
        named = [path] if self.subtitles is None else [path, self.subtitles]
        if self.to != STDOUT:
            check_outputs([OutputPath(Path(self.to), "to")], named, overwrite=self.overwrite)
        self.opened()

    def opened(self) -> Subtitles:
        """The subtitles to which cues are added."""
        suffix = Path(self.to).suffix.lower().removeprefix(".")
        wanted = self.caption_format or (suffix if suffix in ("srt", "vtt") else None)
        if self.subtitles is None:
            return empty_subtitles(is_vtt=wanted == "vtt")
        found = read_subtitles(Path(self.subtitles))
        kind = "vtt" if found.is_vtt else "srt"
        if wanted not in (None, kind):
            raise InputError(
                f"{self.subtitles}: is {kind}, and its lines stay as they are; captions cannot be {wanted}"
            )
        return found


def make_captions(events: Iterable[Result], settings: CaptionSettings, *, all_classes: bool) -> tuple[bytes, Captions]:
    """The file with its captions, and these; InputError for events of several recordings."""
    subtitles = settings.opened()
    lines = [(cue.start, cue.stop) for cue in subtitles.cues]
    found = captions(_of_one(events), lines, all_classes=all_classes)
    return subtitles.with_cues(found.cues), found


def write_captions(content: bytes, to: str) -> None:
    """Write the file, whole or not at all."""
    path = Path(to)
    with writing(path), writing_whole(path) as out:
        out.write(content)


def _of_one(results: Iterable[Result]) -> Iterator[SoundEvent]:
    first: Source | None = None
    for result in results:
        first = first or result.source
        if result.source.name != first.name:
            raise InputError(
                f"{result.source.name}: captions are those of one recording, and there is {first.name} already; "
                "make results of one recording"
            )
        if isinstance(result, SoundEvent):
            yield result
