"""Ogg: the recordings that follow one another in a file, and which of their pages are missing or damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from cedtag.audio.containers.file_bytes import WINDOW_BYTES
from cedtag.audio.containers.ogg_codecs import codec_name
from cedtag.audio.containers.ogg_link import Link
from cedtag.audio.containers.ogg_pages import FIRST, Junk, Page, walk_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

    from cedtag.audio.containers.file_bytes import FileBytes

_MAX_GAPS_NAMED = 3
_MAX_FIRST_PAGES = 8
_LONGEST_START = 64  # bytes that show a page's stream, and its codec if it is the first


@dataclass(slots=True)
class Group:
    """Streams that begin together and run side by side, by their serial numbers; None for what is no sound."""

    streams: dict[int, Link | None] = field(default_factory=dict)

    @property
    def links(self) -> list[Link]:
        return [link for link in self.streams.values() if link is not None]


@dataclass(slots=True)
class OggChain:
    """The recordings in a file, in order, and what was found between their pages."""

    groups: list[Group] = field(default_factory=list)
    unknown_pages: int = 0
    damaged_pages: int = 0
    junk_bytes: int = 0
    trailing_bytes: int = 0
    cut_bytes: int = 0
    is_end_damaged: bool = False

    @property
    def links(self) -> list[Link]:
        """The streams of sound, in order."""
        return [link for group in self.groups for link in group.links]

    @property
    def is_separable(self) -> bool:
        """Whether each recording is one known stream of sound, which can be read without what is beside it."""
        readable = all(link.codec is not None for link in self.links)
        return bool(self.links) and readable and all(len(group.links) == 1 for group in self.groups)

    @property
    def is_plain(self) -> bool:
        """Whether it is one recording in which nothing is missing, except perhaps at its end."""
        runs = [run for link in self.links for run in link.runs]
        return len(self.groups) == len(runs) == 1 and not (runs[0].after_junk and runs[0].lost_pages)

    @property
    def _has_other_streams(self) -> bool:
        return any(None in group.streams.values() for group in self.groups)

    def problems(self) -> tuple[str, ...]:
        """Return what is missing, and where."""
        return tuple(self._problems())

    def warnings(self) -> tuple[str, ...]:
        """Return what is odd, but loses no sound."""
        found = []
        if self.damaged_pages and self._has_other_streams and not any(self._gaps()):
            found.append(f"damaged pages that hold no sound: {self.damaged_pages}")
        elif self.junk_bytes and not self.damaged_pages:
            found.append(f"{self.junk_bytes} bytes between its pages are no audio")
        if self.trailing_bytes:
            found.append(f"{self.trailing_bytes} bytes after the audio are something else")
        return tuple(found)

    def _problems(self) -> Iterator[str]:
        lost_pages = sum(link.num_lost_pages for link in self.links)
        if lost_pages:
            gaps = list(self._gaps()) if self.is_separable else []
            named = ", ".join(f"{length_s:.2f} s at {at_s:.2f} s" for at_s, length_s in gaps[:_MAX_GAPS_NAMED])
            more = f" and {len(gaps) - _MAX_GAPS_NAMED} more" if len(gaps) > _MAX_GAPS_NAMED else ""
            silence = f"; silence in their place: {named}{more}" if gaps else ""
            yield f"pages that are missing or damaged: {lost_pages}{silence}"
        elif self.damaged_pages and not self._has_other_streams:
            yield f"damaged pages: {self.damaged_pages}"
        if self.unknown_pages:
            yield f"{self.unknown_pages} pages belong to a recording whose first page is missing or damaged"
        if unread := [link.name for link in self.links if link.codec is None]:
            yield f"the headers of a {unread[0]} stream are damaged or incomplete"
        if self.cut_bytes:
            yield f"its last page is cut off (by {self.cut_bytes} bytes)"
        elif self.is_end_damaged:
            yield "its last page is damaged"
        elif any(not link.is_ended for link in self.links):
            yield "has no end-of-stream mark, so its end may be missing"

    def _gaps(self) -> Iterator[tuple[float, float]]:
        """Yield where sound is missing, and how much: seconds."""
        begin_s = 0.0
        for link in self.links:
            if link.codec is None:
                continue
            rate_hz, places = link.codec.rate_hz, link.places()
            for place in places:
                if place.start > place.after:
                    yield begin_s + place.after / rate_hz, (place.start - place.after) / rate_hz
            begin_s += max((place.stop for place in places), default=0) / rate_hz


def read_chain(file: FileBytes) -> OggChain:
    """Return what the pages of a file are."""
    chain, in_headers = OggChain(), False
    for found in walk_pages(file):
        if isinstance(found, Junk):
            _note_junk(chain, found, file)
            continue
        if _is_first(found):
            if not in_headers:
                chain.groups.append(Group())
            body = file.at(found.body_offset, found.stop - found.body_offset)
            name = codec_name(body)
            chain.groups[-1].streams[found.serial] = Link(name, found.serial) if name else None
        in_headers = _is_first(found)
        _take_page(chain, found, file)
    return chain


def _take_page(chain: OggChain, page: Page, file: FileBytes) -> None:
    streams = chain.groups[-1].streams if chain.groups else {}
    if page.serial not in streams:
        chain.unknown_pages += 1
    elif (link := streams[page.serial]) is not None:
        link.page(page, file)


def _note_junk(chain: OggChain, junk: Junk, file: FileBytes) -> None:
    if junk.stop == file.size and not junk.num_pages:
        chain.trailing_bytes = 0 if file.is_zero(junk.offset, junk.stop) else junk.stop - junk.offset
        return
    chain.damaged_pages += junk.num_pages
    if junk.stop < file.size:
        chain.junk_bytes += junk.stop - junk.offset
    else:
        chain.damaged_pages -= 1
        chain.cut_bytes, chain.is_end_damaged = junk.cut_bytes, True
    for group in chain.groups[-1:]:
        for link in group.links:
            link.junk()


def is_vorbis_alone(file: FileBytes) -> bool:
    """Return whether the streams of sound in a file are Vorbis, and only one at a time.

    Only its beginning and its end are read where there is but one recording.
    """
    first = [page for page in islice(walk_pages(file), _MAX_FIRST_PAGES) if _is_first(page)]
    names = [codec_name(file.at(page.body_offset, _LONGEST_START)) for page in first]
    later = _later_codecs(file, {page.serial for page in first})
    return names.count("Vorbis") == 1 and {*names, *later} <= {"Vorbis", None}


def _later_codecs(file: FileBytes, first: set[int]) -> Iterator[str | None]:
    """Yield the codecs of the streams that begin after the `first` ones end, backwards."""
    stop = file.size
    while stop > 0:
        start = max(0, stop - WINDOW_BYTES)
        data = file.at(start, stop - start + _LONGEST_START)
        at = stop - start
        while (at := data.rfind(b"OggS\0", 0, at)) >= 0:
            if int.from_bytes(data[at + 14 : at + 18], "little") in first:
                return
            if data[at + 5 : at + 6] == b"\x02":
                yield codec_name(data[at + 28 : at + _LONGEST_START])
        stop = start


def _is_first(found: Page | Junk) -> TypeGuard[Page]:
    return isinstance(found, Page) and bool(found.flags & FIRST)
