"""Files of one unit after another (frames, tags, chunks): what is between them, and whether the last is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes

# So many bytes after the last unit may be anything, so many zeros (or a hundredth of the file) padding.
_HARMLESS_BYTES, _HARMLESS_ZEROS = 1024, 4096
_LONGEST_HEADER = 16


@dataclass(frozen=True, slots=True)
class Units:
    """One kind of unit.

    `size` returns the length of the one at an offset, 0 where none begins; after damage the next one is looked for by
    `sync`, which matches no more than `sync_bytes`.
    """

    noun: str
    size: Callable[[FileBytes, int], int]
    sync: re.Pattern[bytes]
    sync_bytes: int


@dataclass(slots=True)
class Walk:
    """What a walk found: `holes` are the (start, stop) of what is no unit, `end` is behind the last whole unit."""

    start: int
    end: int
    num_units: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    cut: tuple[int, int | None] | None = None  # bytes of the last unit that are there, and that should be


def walk(
    file: FileBytes, units: Units, start: int, stop: int, visit: Callable[[int, int], object] | None = None
) -> Walk:
    """Walk the units in [start, stop); `visit` gets offset and length of each that is whole."""
    found = Walk(start, start)
    offset = start
    while offset < stop:
        size = units.size(file, offset)
        if size and offset + size <= stop:
            if visit is not None:
                visit(offset, size)
            found.num_units += 1
            offset = found.end = offset + size
            continue
        if not size and stop - offset < _LONGEST_HEADER and units.sync.match(file.at(offset, units.sync_bytes)):
            found.cut = (stop - offset, None)
            break
        resumed = _resume(file, units, offset + 1, stop)
        if resumed < 0:
            found.cut = (stop - offset, size) if size else None
            break
        found.holes.append((offset, resumed))
        offset = resumed
    return found


def _resume(file: FileBytes, units: Units, offset: int, stop: int) -> int:
    """Return where two whole units follow one another again, or one that ends where the file does; -1 if nowhere."""
    while (offset := file.search(units.sync, units.sync_bytes, offset, stop)) >= 0:
        end = offset + units.size(file, offset)
        if end > offset and (end == stop or (end < stop and units.size(file, end))):
            return offset
        offset += 1
    return -1


def findings_of(
    file: FileBytes,
    units: Units,
    found: Walk,
    when: Callable[[int], str] | None = None,
    *,
    is_complete: bool = False,
) -> Findings:
    """Put what a walk found into words.

    `when` returns the time of an offset where the container shows it. Where it states its end, and that `is_complete`,
    what follows is no part of the recording.
    """
    if not found.num_units:
        return Findings((f"has no whole {units.noun}",))
    when = when or (lambda offset: f"at byte {offset}")
    problems, warnings, holes = [], [], found.holes
    if holes and holes[0][0] == found.start:  # a stream that was recorded from its middle
        warnings.append(f"its first {holes[0][1] - found.start} bytes are no {units.noun}s, or a cut one")
        holes = holes[1:]
    if holes:
        num_bytes = sum(stop - start for start, stop in holes)
        where = f"in {len(holes)} places, first" if len(holes) > 1 else "in one place,"
        said = f"{num_bytes} bytes are no {units.noun}s, and others may be missing"
        problems.append(f"is damaged {where} {when(holes[0][0])}: {said}")
    if found.cut is not None:
        there, stated = found.cut
        of_all = f"of {stated} bytes are there" if stated else "bytes of it are there"
        problems.append(f"its last {units.noun} is cut off ({there} {of_all})")
    elif rest := file.size - found.end:
        is_zero = file.is_zero(found.end, file.size)
        said = f"its last {rest} bytes are {'zeros' if is_zero else f'no {units.noun}s'}"
        harmless = max(_HARMLESS_ZEROS, file.size // 100) if is_zero else _HARMLESS_BYTES
        if rest > harmless and not is_complete:
            problems.append(f"{said} ({when(found.end)})")
        elif not is_zero:
            warnings.append(said)
    return Findings(tuple(problems), tuple(warnings))


def inspect_units(file: FileBytes, units: Units, start: int = 0) -> Findings:
    """Walk a file of nothing but such units: none may be cut or damaged."""
    return findings_of(file, units, walk(file, units, start, file.size))
