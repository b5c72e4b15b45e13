"""The options that shape events, for every command that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import gathered, option
from cedtag.cli.shared.thresholds import threshold_fields
from cedtag.events.settings import EventSettings

if TYPE_CHECKING:
    from cedtag.cli.shared.options import OptionSpec


def _seconds(parameter: str, name: str, text: str) -> OptionSpec:
    return option(parameter, name, type=click.FloatRange(min=0), metavar="S", help=text)


event_options = gathered(
    "events",
    EventSettings,
    (
        "Events",
        [
            option(
                "onset",
                "--onset",
                also=("onsets",),
                parse=threshold_fields("onset", "onsets"),
                default=(),
                show_default=False,
                multiple=True,
                metavar="X",
                help="Score at which an event begins: X, LABEL=X for one class, @FILE.csv for many; repeatable.  "
                "[default: 0.5]",
            ),
            option(
                "offset",
                "--offset",
                also=("offsets",),
                parse=threshold_fields("offset", "offsets"),
                default=(),
                multiple=True,
                metavar="X",
                help="Score below which an event ends, in the same form.  [default: half the onset]",
            ),
            _seconds("min_duration_on_s", "--min-duration-on", "Drop events shorter than S seconds."),
            _seconds("min_duration_off_s", "--min-duration-off", "Fill gaps shorter than S seconds."),
            _seconds("pad_onset_s", "--pad-onset", "Move the start of events earlier by S seconds."),
            _seconds("pad_offset_s", "--pad-offset", "Move the end of events later by S seconds."),
        ],
    ),
)
