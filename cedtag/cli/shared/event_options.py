"""The options that shape events, for every command that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import option, options_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.events.settings import EventSettings
    from cedtag.labels.table import Label


def _seconds(name: str, text: str) -> tuple[tuple[str, ...], dict[str, object]]:
    return option(name, type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="S", help=text)


event_options = options_in(
    "Events",
    option(
        "--onset",
        multiple=True,
        metavar="X",
        help="Score with which an event begins: X, LABEL=X for one class, @FILE.csv for many; repeatable.  "
        "[default: 0.5]",
    ),
    option(
        "--offset",
        multiple=True,
        metavar="X",
        help="Score below which it ends, said the same way.  [default: half the onset]",
    ),
    _seconds("--min-duration-on", "Leave out events shorter than this, in seconds."),
    _seconds("--min-duration-off", "Fill gaps shorter than this, in seconds."),
    _seconds("--pad-onset", "Begin events earlier by so many seconds."),
    _seconds("--pad-offset", "End events later by so many seconds."),
)

refine_option = options_in(
    "Events",
    option(
        "--refine",
        type=click.FloatRange(min=0.16),
        metavar="S",
        help="Score windows in which something begins or ends again, in ones of S seconds every S/2.",
    ),
)


def event_settings(
    onset: Sequence[str],
    offset: Sequence[str],
    min_duration_on: float,
    min_duration_off: float,
    pad_onset: float,
    pad_offset: float,
    *,
    known: Sequence[Label],
) -> EventSettings:
    """The settings that these options mean; `known` are the labels that can be named."""
    from cedtag.events.settings import DEFAULT_ONSET, EventSettings
    from cedtag.labels.thresholds import read_thresholds

    usual_onset, onsets = read_thresholds(onset, known, "--onset")
    usual_offset, offsets = read_thresholds(offset, known, "--offset")
    return EventSettings(
        DEFAULT_ONSET if usual_onset is None else usual_onset,
        usual_offset,
        min_duration_on,
        min_duration_off,
        pad_onset,
        pad_offset,
        onsets,
        offsets,
    )
