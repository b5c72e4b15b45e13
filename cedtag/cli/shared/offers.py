"""What is offered for the values of options and arguments: models, devices, classes, time zones, and paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.checkpoints.locate import PACKAGED
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.cli.shared.shells import paths, starting

if TYPE_CHECKING:
    from collections.abc import Callable

    import click
    from click.shell_completion import CompletionItem

    Offer = Callable[[click.Context, str], list[CompletionItem[str]]]


def models(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Names of models, those in the cache too, and paths."""
    return [*model_names(context, incomplete), *paths(incomplete)]


def model_names(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Names of models: the published ones, the one in the package, and those in the cache."""
    names = [*(one.name for one in KNOWN_CHECKPOINTS), *PACKAGED, *_cached(context.params.get("cache_dir"))]
    return starting(incomplete, *dict.fromkeys(names))


def _cached(folder: Path | None) -> list[str]:
    """The repositories in the cache, by the names of its folders, without loading huggingface_hub."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    cache = Path(folder or os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    found = Path(os.path.expanduser(cache)).glob("models--*--*/")  # noqa: PTH111 -- no error without a home
    return sorted(one.name.removeprefix("models--").replace("--", "/") for one in found)


def labels(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Names of the classes of the chosen model."""
    return starting(incomplete, *_names(context))


def thresholds(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """A file after @, or the classes, with the equals sign that the score follows."""
    if incomplete.startswith("@"):
        return paths(incomplete)
    return starting(incomplete, *(f"{name}=" for name in _names(context))) if incomplete else []


def _names(context: click.Context) -> list[str]:
    from cedtag.labels.table import audioset

    name = context.params.get("model") or ""
    place = PACKAGED.get(name) or Path(name)
    own = _names_in(place / "config.json") if name else []
    return own or [one.name for one in audioset()]


def _names_in(config: Path) -> list[str]:
    import json

    try:
        found = json.loads(config.read_bytes())["id2label"].values()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return []
    return [name for name in found if isinstance(name, str)]


def devices(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Names of devices."""
    return starting(incomplete, "auto", "cpu", "cuda", "cuda:0", "mps")


def zones(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Names of time zones."""
    from zoneinfo import available_timezones

    return starting(incomplete, *sorted(available_timezones()))


def start_times(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Where start times come from."""
    return starting(incomplete, "auto", "name", "metadata")


def channels(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """How channels are scored."""
    return starting(incomplete, "mix", "each", "1", "2")


def encodings(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Formats of headerless PCM."""
    return starting(incomplete, "s16le,16000,1", "s16le,44100,2", "s16le,48000,1", "f32le,16000,1")


def files(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Paths of files and folders."""
    return paths(incomplete)


def folders(context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """Paths of folders."""
    return paths(incomplete, folders=True)


# What the help calls a value -> what is offered for it.
BY_METAVAR: dict[str, Offer] = {
    "NAME": models,
    "L": labels,
    "X": thresholds,
    "DEVICE": devices,
    "ZONE": zones,
    "HOW": start_times,
    "FORMAT": encodings,
    "PATH": files,
    "FILE": files,
    "FILE.csv": files,
    "SIZE|FILE": models,
    "DIR": folders,
    "FOLDER": folders,
}
BY_NAME: dict[str, Offer] = {"channel": channels}
