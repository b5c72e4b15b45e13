"""One recording in an Ogg file: its headers, and the runs of pages in which nothing is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.audio.containers.ogg_codecs import Codec, are_complete, read_codec
from cedtag.audio.containers.ogg_pages import CONTINUED, LAST, NO_GRANULE, Page, page_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_HEAD_BYTES = 16  # of a packet: enough for the number of its samples
_MAX_HEADER_BYTES = 1 << 26  # covers are headers, too
# A page holds 255 packets at most, and none of them lasts for more than a fraction of a second.
_LONGEST_PAGE_S = 60


@dataclass(slots=True)
class Run:
    """Pages that follow one another without a gap; `extents` are where they begin and stop in the file.

    `begin` and `end` are granules: those of the first sample that a decoder gives, and of the end of the last one.
    `first_page` comes before them: the sound on the page that ends the headers.
    """

    extents: list[tuple[int, int]]
    lost_pages: int = 0
    after_junk: bool = False
    begin: int | None = None
    end: int = 0
    first_page: bytes = b""
    heads: list[bytes] = field(default_factory=list)  # of complete packets, until `begin` is known
    pending: bytes | None = None  # the head of a packet that goes on in the next page

    def append(self, offset: int, stop: int) -> None:
        """Add a page."""
        if self.extents and self.extents[-1][1] == offset:
            offset, _ = self.extents.pop()
        self.extents.append((offset, stop))


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its recording the samples of a run belong; before them, nothing is known of what comes after `after`.

    A decoder leaves out the codec's delay if the run `is_beginning`.
    """

    run: Run
    after: int
    start: int
    stop: int
    is_beginning: bool


class Link:
    """One recording of a chain, built page by page."""

    def __init__(self, name: str, serial: int) -> None:
        self.name = name
        self.serial = serial
        self.headers: list[bytes] = []
        self.codec: Codec | None = None
        self.runs: list[Run] = []
        self.is_ended = False
        self.has_empty_end = False  # a last packet without a byte, which FFmpeg takes for damage
        self._next_number = 0
        self._header = b""  # the beginning of one that is not complete
        self._is_broken = False
        self._after_junk = False

    def junk(self) -> None:
        """Note that something else stands between its pages."""
        self._after_junk = True

    def page(self, page: Page, file: FileBytes) -> None:
        """Take the next page of the stream."""
        expected, self._next_number = self._next_number, page.number + 1
        lost_pages = page.number - expected if page.number > expected else int(page.number < expected)
        if self.codec is None:
            self._is_broken |= lost_pages > 0
            if self._is_broken:
                return
            self._read_headers(page, file.at(page.body_offset, page.stop - page.body_offset))
            return
        if lost_pages or not self.runs:
            self.runs.append(Run([], lost_pages, self._after_junk))
        run = self.runs[-1]
        self._extend(run, page, file.at(page.body_offset, page.stop - page.body_offset) if run.begin is None else b"")

    @property
    def num_lost_pages(self) -> int:
        """How many pages are missing, without those before a stream that was recorded from its middle."""
        lost = sum(run.lost_pages for run in self.runs)
        return lost - self.runs[0].lost_pages if self.runs and not self._is_cut(self.runs[0]) else lost

    def places(self) -> list[Place]:
        """Return where the samples of its runs belong, in order."""
        places: list[Place] = []
        delay = self.codec.delay if self.codec is not None else 0
        base, at = self._base(), 0
        for run in self.runs:
            if run.begin is None:
                continue
            is_beginning = run.begin <= base
            start = 0 if is_beginning else run.begin - base - delay
            stop = run.end - base - delay
            if not self._is_plausible(start - at, run):
                start, stop = at, at + stop - start
            if stop > max(start, at):
                places.append(Place(run, at, start, stop, is_beginning))
                at = stop
        return places

    def _base(self) -> int:
        """The granule at which it begins: 0 where its first pages are missing.

        A stream that was recorded from its middle begins where it begins.
        """
        run = next((run for run in self.runs if run.begin is not None), None)
        if run is None or run.begin is None:
            return 0
        if run.begin <= 0:  # Speex counts without the delay of its encoder, which decoders keep
            return run.begin if self.name == "Speex" else 0
        is_cut = run is not self.runs[0] or self._is_cut(run)
        return 0 if is_cut and self._is_plausible(run.begin, run) else run.begin

    def _is_cut(self, run: Run) -> bool:
        """Whether the pages before the first run were there once: something else stands in their place."""
        return run.after_junk and run.lost_pages > 0

    def _is_plausible(self, gap: int, run: Run) -> bool:
        """Whether so many samples may be missing (if negative: be there twice) before a run."""
        longest_s = _LONGEST_PAGE_S * (1 + run.lost_pages)
        return self.codec is not None and abs(gap) <= longest_s * self.codec.rate_hz

    def _read_headers(self, page: Page, body: bytes) -> None:
        """Collect the header packets of a page; what stands behind the last one is sound."""
        for begin, stop, num_segments, is_end in _parts(page.lacing):
            self._header += body[begin:stop]
            self._is_broken |= len(self._header) > _MAX_HEADER_BYTES
            if not is_end:
                return
            self.headers.append(self._header)
            self._header = b""
            if are_complete(self.name, self.headers):
                self.codec = read_codec(self.name, self.headers)
                self._is_broken = self.codec is None
                if num_segments < len(page.lacing):
                    self._begin_among_headers(page, page.lacing[num_segments:], body[stop:])
                return

    def _begin_among_headers(self, page: Page, lacing: bytes, sound: bytes) -> None:
        """Begin the first run with what stands behind the headers on their last page."""
        flags = page.flags & LAST
        run = Run([], first_page=page_bytes(flags, page.granule, self.serial, page.number, lacing, sound))
        self.runs.append(run)
        self._extend(run, page._replace(lacing=lacing, flags=flags), sound)
        run.extents = []

    def _extend(self, run: Run, page: Page, body: bytes) -> None:
        self._after_junk = False
        self.is_ended = bool(page.flags & LAST)
        self.has_empty_end = page.lacing == b"\0" and page.granule != NO_GRANULE
        if not self.has_empty_end:
            run.append(page.offset, page.stop)
        if run.begin is None:
            self._find_begin(run, page, body)
        if page.granule != NO_GRANULE:
            run.end = page.granule

    def _find_begin(self, run: Run, page: Page, body: bytes) -> None:
        for begin, stop, _, is_end in _parts(page.lacing):
            if begin > 0 or not page.flags & CONTINUED:
                run.pending = body[begin:stop][:_HEAD_BYTES]
            if is_end and run.pending is not None:
                run.heads.append(run.pending)
                run.pending = None
        if page.granule != NO_GRANULE and run.heads and self.codec is not None:
            run.begin = page.granule - self.codec.num_samples(run.heads)
            run.heads = []


def _parts(lacing: bytes) -> Iterator[tuple[int, int, int, bool]]:
    """Yield where in a page its packets begin and stop, the number of segments up to there, and whether they end."""
    begin = at = size = 0
    for number, size in enumerate(lacing, 1):
        at += size
        if size < 255:
            yield begin, at, number, True
            begin = at
    if size == 255:
        yield begin, at, len(lacing), False
