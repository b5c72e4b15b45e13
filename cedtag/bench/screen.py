"""What was found, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.bench.findings import MODEL, WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cedtag.bench.findings import Findings, WayFindings

_NAME, _CELL = 16, 7


def screen(found: Findings) -> Iterator[str]:
    """The lines: the machine, three tables with a row per way, what to type, and notes."""
    yield found.processor
    yield found.packages
    kinds = tuple(found.decoding)
    columns = (MODEL, *kinds)
    yield f"{found.model}; start: seconds to the first row of a file of 10 s"
    yield _row("ms per 10 s", "limit", *columns, "start")
    yield _row("decoding alone", "", "", *(f"{found.decoding_ms(kind):.1f}" for kind in kinds))
    for way in found.ways:
        figures = (f"{way.ms(what):.1f}" for what in columns)
        yield _row(way.name, f"{way.limit_ms:.1f}", *figures, f"{way.first_row_s:.1f}")
    yield from _table("x realtime", found, columns, lambda way, what: 1e3 * WINDOW_S / way.ms(what))
    yield from _table("% of the limit", found, columns, lambda way, what: way.share(what))
    yield f"fastest          cedtag FILES {' '.join(found.fastest.options)}"
    if found.fastest is not found.fastest_fp32:
        yield f"fastest in fp32  cedtag FILES {' '.join(found.fastest_fp32.options)}"
    yield from (f"note: {note}" for note in found.notes)


def _table(
    title: str, found: Findings, columns: tuple[str, ...], value: Callable[[WayFindings, str], float]
) -> Iterator[str]:
    yield ""
    yield _row(title, "", *columns)
    for way in found.ways:
        yield _row(way.name, "", *(f"{value(way, what):.0f}" for what in columns))


def _row(name: str, *cells: str) -> str:
    return (f"{name:<{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)).rstrip()
