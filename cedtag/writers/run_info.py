"""What a writer is told of the run whose results it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cedtag import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cedtag.events.settings import EventSettings
    from cedtag.labels.table import Label

SCHEMA = "cedtag/1"


@dataclass(frozen=True, slots=True)
class RunInfo:
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
