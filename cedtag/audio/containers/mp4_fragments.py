"""Fragmented MP4 (live recordings, segments of streams): whether each fragment follows the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.mp4_boxes import Box, boxes, inside, sound_tracks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

# Flags of `tfhd` and `trun`: which fields are there, and how long those before a duration are.
_DEFAULT_DURATION = 8
_OWN_DURATIONS = 0x100
_SLACK_S = 0.05


def missing_fragments(file: FileBytes) -> list[str]:
    """Return, in words, where the numbers of fragments and the time of sound have a gap at once."""
    timescales = {_track_id(file, track): _timescale(file, track) for track in sound_tracks(file)}
    defaults = dict(_default_durations(file))
    expected: dict[int, int] = {}
    gaps: list[float] = []
    number = None
    for moof in boxes(file, 0, file.size):
        if moof.kind != b"moof":
            continue
        last, number = number, next((file.uint32(box.start + 4) for box in inside(file, moof, b"mfhd")), None)
        jumps = last is not None and number is not None and number > last + 1
        for track, start, duration in _runs(file, moof, defaults):
            timescale = timescales.get(track, 0)
            if jumps and timescale and start - expected.get(track, start) > _SLACK_S * timescale:
                gaps.append(expected[track] / timescale)
            expected[track] = start + duration
    return [f"fragments are missing in {len(gaps)} places, first at {gaps[0]:.2f} s"] if gaps else []


def _runs(file: FileBytes, moof: Box, defaults: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield track, time and duration of each track's part of a fragment, where they are stated."""
    for traf in inside(file, moof, b"traf"):
        parts = {box.kind: box for box in inside(file, traf)}
        if b"tfhd" not in parts or b"tfdt" not in parts:
            continue
        header, stamp = parts[b"tfhd"].start, parts[b"tfdt"].start
        flags, track = file.uint32(header), file.uint32(header + 4)
        if flags & _DEFAULT_DURATION:
            each = file.uint32(header + 8 + 8 * (flags & 1) + 4 * (flags >> 1 & 1))
        else:
            each = defaults.get(track, 0)
        start = int.from_bytes(file.at(stamp + 4, 8 if file.at(stamp, 1) == b"\1" else 4), "big")
        yield track, start, sum(_duration(file, run, each) for run in inside(file, traf, b"trun"))


def _duration(file: FileBytes, run: Box, each: int) -> int:
    flags, count = file.uint32(run.start) & 0xFFFFFF, file.uint32(run.start + 4)
    if not flags & _OWN_DURATIONS:
        return count * each
    at = run.start + 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
    stride = 4 * (flags >> 8 & 15).bit_count()
    table = file.at(at, min(count * stride, max(0, run.stop - at)))
    return sum(int.from_bytes(table[place : place + 4], "big") for place in range(0, len(table), stride))


def _default_durations(file: FileBytes) -> Iterator[tuple[int, int]]:
    for moov in boxes(file, 0, file.size):
        if moov.kind == b"moov":
            for box in inside(file, moov, b"mvex", b"trex"):
                yield file.uint32(box.start + 4), file.uint32(box.start + 12)


def _track_id(file: FileBytes, track: Box) -> int:
    """Read a header whose version decides how long the dates before the number are; the same with the timescale."""
    return next((_after_dates(file, box) for box in inside(file, track, b"tkhd")), 0)


def _timescale(file: FileBytes, track: Box) -> int:
    return next((_after_dates(file, box) for box in inside(file, track, b"mdia", b"mdhd")), 0)


def _after_dates(file: FileBytes, box: Box) -> int:
    return file.uint32(box.start + (20 if file.at(box.start, 1) == b"\1" else 12))
