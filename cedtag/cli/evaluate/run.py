"""What `cedtag evaluate` does with a model: load it, and show how the evaluation goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cedtag.checkpoints import cache
from cedtag.cli.shared.console import download_bar
from cedtag.cli.shared.data import RecordingsReport
from cedtag.cli.shared.progress import progress_bar, show_actors
from cedtag.evaluation.run import evaluate
from cedtag.inputs.manifest import require_audio
from cedtag.tagger import Tagger

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.evaluation.run import Evaluation
    from cedtag.evaluation.settings import EvaluationSettings
    from cedtag.inputs.manifest import LabelledData
    from cedtag.scoring import Compute


def evaluate_model(
    data: LabelledData, choice: ModelChoice, compute: Compute, settings: EvaluationSettings, logging: Logging
) -> tuple[Evaluation, int]:
    """The evaluation of the chosen model, and the exit code."""
    require_audio(data.path, data.examples)  # before a model is downloaded
    cache.configure(offline=choice.offline, cache_dir=choice.cache_dir)
    with download_bar(choice.model) as on_progress:
        tagger = Tagger.load(choice, compute, on_progress=on_progress)
    report = RecordingsReport(quiet=logging.quiet)
    with progress_bar(logging, "scoring", len(data.examples)) as bar:
        on_actors = partial(show_actors, bar)
        evaluation = evaluate(data, tagger.model, settings, bar.update, report.add, on_actors=on_actors)
    return evaluation, report.conclude(data.path)
