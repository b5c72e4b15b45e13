"""What holds for all parts of a store: the settings that decide scores, the classes, the size of embeddings."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cedtag import __version__
from cedtag.errors import InputError
from cedtag.system.machine import processor_name
from cedtag.writers.run_info import classes_from_json, classes_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cedtag.labels.table import Label

LEAST = 0.05  # of the scores of columns: an event ends below half its onset, and 0.1 is a low one
# Between these, scores differ by less than 1e-5: they are told, and no reason to refuse.
MAKER = ("backend", "device", "batch-size")


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """The length of a column of tokens in `samples`, and the `least` score of a class in it that is stored."""

    samples: int
    least: float


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The settings of a run by option name, the classes of its model in order, and the length of embeddings.

    Settings that a later question may change (thresholds, classes, events) are none of them. `written_by` says which
    backend on which machine computed; parts of one store may come from several. `frames` are the columns of tokens, if
    the store holds their scores.
    """

    settings: Mapping[str, Any]
    labels: tuple[Label, ...]
    embedding_size: int | None
    written_by: Mapping[str, Any] = field(default_factory=dict)
    frames: FrameFacts | None = None

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return {
            "settings": dict(self.settings),
            "embedding": self.embedding_size,
            **({} if self.frames is None else {"frames": asdict(self.frames)}),
            "written_by": dict(self.written_by),
            "classes": classes_to_json(self.labels),
        }

    def differences(self, before: StoreFacts) -> list[str]:
        """One phrase per fact that was another before, such as "`window` was 10.0 and is now 5.0"."""
        names = dict.fromkeys([*before.settings, *self.settings])
        pairs = [(name, before.settings.get(name), self.settings.get(name)) for name in names]
        changed = [f"`{name}` was {was!s} and is now {now!s}" for name, was, now in pairs if was != now]
        if before.embedding_size != self.embedding_size:
            was, now = _length(before.embedding_size), _length(self.embedding_size)
            changed.append(f"`embeddings` was {was} and is now {now}")
        if before.frames != self.frames:
            was, now = ("off" if one is None else f"from {one.least:g}" for one in (before.frames, self.frames))
            changed.append(f"`frames` was {was} and is now {now}")
        if changed or classes_to_json(before.labels) == classes_to_json(self.labels):
            return changed
        return ["the classes of the model were others"]


def facts_from_dict(where: object, facts: Mapping[str, Any]) -> StoreFacts:
    """What `StoreFacts.to_dict` gave; InputError for anything else."""
    try:
        labels = classes_from_json(facts["classes"])
        size = None if facts["embedding"] is None else int(facts["embedding"])
        frames = FrameFacts(**facts["frames"]) if "frames" in facts else None
        return StoreFacts(dict(facts["settings"]), labels, size, dict(facts["written_by"]), frames)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: does not hold the facts of a store of scores ({error!r}); restore it") from error


def _length(size: int | None) -> str:
    return "off" if size is None else f"of length {size}"


def maker_words(maker: Mapping[str, Any]) -> str:
    """A backend and its machine, for people: `torch on cpu (AMD EPYC)`."""
    device = f" on {maker['device']}" if "device" in maker else ""
    processor = f" ({maker['processor']})" if "processor" in maker else ""
    return f"{maker.get('backend', 'an unknown backend')}{device}{processor}"


def written_by(scorer_settings: Mapping[str, Any]) -> dict[str, Any]:
    """Which backend computes here, on which processor, and with which version of cedtag."""
    made = {name: scorer_settings[name] for name in MAKER if name in scorer_settings}
    return {**made, "processor": processor_name(), "system": platform.system(), "version": __version__}
