"""The options of a student's training, gathered into the values that the library takes."""

from __future__ import annotations

from pathlib import Path

import click

from cedtag.cli.finetune.options import OPTIMISER, SEED, compute_options, start_options
from cedtag.cli.shared.options import bundled, gathered, model_options, option
from cedtag.distill.student_settings import StudentSettings, ViewChoice, student_recipe

_view_options = gathered(
    "views",
    ViewChoice,
    (
        "Data",
        [
            option(
                "data",
                "--data",
                type=click.Path(exists=True, path_type=Path),
                metavar="DATA",
                help="The recordings: their folder or manifest, where they are now.  [default: where they were]",
            ),
            option(
                "consistent",
                "--consistent/--no-consistent",
                help="Learn the views that the teachers scored, or to compare, others.  [default: consistent]",
                show_default=False,
            ),
            option(
                "labels_weight",
                "--labels-weight",
                type=click.FloatRange(0, 1),
                metavar="X",
                help="Weight of the labels in the data; the teachers' probabilities have the rest.",
            ),
        ],
    ),
)

_recipe_options = gathered("recipe", student_recipe, ("Training", [*OPTIMISER, SEED]))

student_options = bundled(
    "settings", StudentSettings, model_options, start_options, _view_options, _recipe_options, compute_options
)
