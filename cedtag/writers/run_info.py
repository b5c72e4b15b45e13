"""The facts about a run that its results carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cedtag import __version__
from cedtag.labels.table import Label, audioset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cedtag.events.settings import EventSettings

SCHEMA = "cedtag/1"
AUDIOSET = "AudioSet"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The settings of a run by option name (JSON values), the classes that can appear, and how rows are laid out.

    Two runs with equal settings give equal rows; `layout`, "long", "wide" or "file", only arranges them, and `events`
    holds the settings of the events that are written in place of rows. Some formats need more: the frames per second of
    the timeline to which markers belong, and the `position` of the recorder, latitude and longitude in degrees.
    `bom` is whether tables begin with a byte order mark.
    """

    settings: Mapping[str, Any]
    labels: tuple[Label, ...]
    layout: str = "long"
    events: EventSettings | None = None
    frame_rate: str | None = None
    position: str | None = None
    bom: bool = False

    @property
    def arrangement(self) -> dict[str, Any]:
        """What arranges the rows in a file, and changes none of them."""
        named = {"frame-rate": self.frame_rate, "position": self.position, "bom": self.bom}
        return {"layout": self.layout, **{name: value for name, value in named.items() if value}}

    def to_dict(self) -> dict[str, Any]:
        """The settings of the run, and how its events are made."""
        settings = {"schema": SCHEMA, "version": __version__, "settings": dict(self.settings)}
        if self.layout == "file":  # which cannot be read back as rows
            settings["layout"] = self.layout
        return settings if self.events is None else settings | {"events": self.events.to_dict()}

    def head(self) -> dict[str, Any]:
        """The metadata at the head of json and jsonl, with the classes that can appear, in the order of the model."""
        return self.to_dict() | ({"classes": classes_to_json(self.labels)} if self.labels else {})


def classes_to_json(labels: Sequence[Label]) -> object:
    """`[index, mid, name]` of each class, or "AudioSet" for all of its classes, which would fill every small file."""
    rows = [[label.index, label.mid, label.name] for label in labels]
    return AUDIOSET if rows == [[one.index, one.mid, one.name] for one in audioset()] else rows


def classes_from_json(classes: str | Sequence[tuple[int, str, str]]) -> tuple[Label, ...]:
    """The classes that `classes_to_json` wrote."""
    if isinstance(classes, str):
        return tuple(Label(one.index, one.mid, one.name) for one in audioset())
    return tuple(Label(int(index), str(mid), str(name)) for index, mid, name in classes)
