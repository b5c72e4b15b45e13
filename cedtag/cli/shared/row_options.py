"""What rows can be narrowed by, when they are made and when they are written already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import option
from cedtag.cli.shared.thresholds import threshold_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cedtag.cli.shared.options import OptionSpec

row_options = [
    option(
        "top_k",
        "-k",
        "--top-k",
        type=click.IntRange(min=0),
        metavar="N",
        help="Tags per window; 0 for all.  [default: 5, with --events all]",
    ),
    option(
        "threshold",
        "-t",
        "--threshold",
        "--min-conf",
        also=("thresholds",),
        parse=threshold_fields("threshold", "thresholds"),
        default=(),
        multiple=True,
        metavar="X",
        help="Minimum score: X, LABEL=X for one class, @FILE.csv for many; repeatable.  "
        "[default: 0.1, with --events the lowest offset]",
    ),
    option("labels", "--labels", metavar="L", help="Only this class (name, MID or index); repeatable."),
    option("exclude", "--exclude", metavar="L", help="Not this class; repeatable."),
    option("group", "--group", help="--labels and --exclude mean a node of the ontology and all nodes below it."),
    option(
        "depth",
        "--level",
        type=click.IntRange(min=1),
        metavar="N",
        help="Put classes in their groups at this depth of the ontology.",
    ),
    option(
        "where",
        "--where",
        metavar="CONDITION",
        help="Only windows for which the condition holds: 'Siren > 0.3 and not Music > 0.5'.",
    ),
]


def without_defaults(options: Iterable[OptionSpec]) -> list[OptionSpec]:
    """The options for rows that are written, where the defaults are what the rows hold."""
    return [
        replace(spec, settings={**spec.settings, "help": spec.settings["help"].partition("  [default")[0]})
        for spec in options
    ]
