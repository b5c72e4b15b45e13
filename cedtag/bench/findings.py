"""What was found of a machine, as values."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

WINDOW_S = 10
MODEL = "model"  # the name of the figure for features and model alone


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds per window, and what the limit took just before and after: the mean of both."""

    seconds: float
    limit_s: float

    @property
    def share(self) -> float:
        """The share of the limit's speed, in percent; a machine that drifts hardly changes it."""
        return 100 * self.limit_s / self.seconds


@dataclass(frozen=True, slots=True)
class WayFindings:
    """One way to score: its options, the seconds to the first row, and figures by what was scored."""

    name: str
    options: tuple[str, ...]
    first_row_s: float
    figures: dict[str, list[Figure]]

    @property
    def limit_ms(self) -> float:
        return 1e3 * median(figure.limit_s for taken in self.figures.values() for figure in taken)

    def ms(self, what: str) -> float:
        """The median of what was measured, per 10 s of audio."""
        return 1e3 * median(figure.seconds for figure in self.figures[what])

    def share(self, what: str) -> float:
        """The median share of the limit in percent."""
        return median(figure.share for figure in self.figures[what])

    @property
    def files_ms(self) -> float:
        """The mean over all kinds of files."""
        kinds = [self.ms(what) for what in self.figures if what != MODEL]
        return sum(kinds) / len(kinds)


@dataclass(frozen=True, slots=True)
class Findings:
    """A machine, a model, and how fast each way is.

    `decoding` are seconds per window by kind of file, without a model. `notes` are sentences: what was left out, and
    why figures may be doubted.
    """

    processor: str
    packages: str
    model: str
    decoding: dict[str, list[float]]
    ways: tuple[WayFindings, ...]
    notes: tuple[str, ...]

    def decoding_ms(self, kind: str) -> float:
        """The median of what decoding alone took."""
        return 1e3 * median(self.decoding[kind])

    @property
    def fastest(self) -> WayFindings:
        """The way that scores files fastest."""
        return min(self.ways, key=lambda way: way.files_ms)

    @property
    def fastest_fp32(self) -> WayFindings:
        """The fastest of those whose scores are the same everywhere."""
        return min((way for way in self.ways if "fp32" in way.options), key=lambda way: way.files_ms)

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        named = {name: getattr(self, name) for name in ("processor", "packages", "model", "notes")}
        decoding = {kind: round(self.decoding_ms(kind), 3) for kind in self.decoding}
        ways = [_way(way) for way in self.ways]
        fastest = {"all": self.fastest.options, "fp32": self.fastest_fp32.options}
        return {**named, "decoding_ms": decoding, "ways": ways, "fastest": fastest}


def _way(way: WayFindings) -> dict[str, Any]:
    figures = {
        what: {
            "ms": round(way.ms(what), 3),
            "realtime": round(WINDOW_S * 1e3 / way.ms(what), 1),
            "share": round(way.share(what), 1),
        }
        for what in way.figures
    }
    return {
        "name": way.name,
        "options": way.options,
        "limit_ms": round(way.limit_ms, 3),
        "first_row_s": round(way.first_row_s, 2),
        "figures": figures,
    }
