"""What made a set of results: the model and every option that changes a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cedtag import __version__
from cedtag.labels.table import Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cedtag.events.detect import EventSettings

SCHEMA = "cedtag/1"


@dataclass(frozen=True, slots=True)
class Run:
    """The settings of a run by option name (JSON values), the classes that can appear, and how rows are laid out.

    Two runs with equal settings give equal rows; `layout`, "long" or "wide", only arranges them, and `events` says how
    the events are made of them that are shown in their place.
    """

    settings: Mapping[str, Any]
    labels: tuple[Label, ...]
    layout: str = "long"
    events: EventSettings | None = None

    def to_dict(self) -> dict[str, Any]:
        """The metadata that stands at the head of JSON results and of the journal."""
        settings = {"schema": SCHEMA, "version": __version__, "settings": dict(self.settings)}
        return settings if self.events is None else settings | {"events": self.events.to_dict()}


def labels_to_json(labels: tuple[Label, ...]) -> list[list[Any]]:
    return [[label.index, label.mid, label.name] for label in labels]


def labels_from_json(rows: list[list[Any]]) -> tuple[Label, ...]:
    return tuple(Label(*row) for row in rows)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase per setting that differs, such as "--window was 10.0 and is now 5.0"."""
    names = [*before, *(name for name in now if name not in before)]
    return [
        f"--{name} was {before.get(name)!s} and is now {now.get(name)!s}"
        for name in names
        if before.get(name) != now.get(name)
    ]
