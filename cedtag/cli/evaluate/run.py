"""What `cedtag evaluate` does, once it is known what was asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.locate import resolve
from cedtag.cli.shared.options import window_and_hop
from cedtag.errors import OutputError
from cedtag.evaluation import metrics, plot, report
from cedtag.evaluation.scores import score_examples, scores_of_rows
from cedtag.inputs.manifest import read_examples, require_audio, select_folds
from cedtag.system.atomic import replacing
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.cli.evaluate import Options
    from cedtag.evaluation.scores import Judged
    from cedtag.inputs.manifest import Example


def evaluate(options: Options) -> None:
    """Judge what was asked for and write what was found."""
    metrics.require_scikit_learn()
    if options.plot:
        plot.check_plot_file(options.plot)
    examples = select_folds(read_examples(options.data, options.audio), options.folds)
    judged, about = _judged(options, examples)
    classes = metrics.measure_classes(judged.truth, judged.scores, list(judged.classes))
    measures = metrics.measure_all(judged.truth, judged.scores, options.bootstrap)
    found = report.Report(about, len(examples), measures, classes, judged.notes)
    _write(options.output, report.FORMATS[_format(options)](found))
    if options.thresholds:
        _write(str(options.thresholds), report.thresholds_csv(classes))
    if options.plot:
        plot.draw(judged, options.plot)


def _judged(options: Options, examples: Sequence[Example]) -> tuple[Judged, dict[str, object]]:
    """The scores beside the truth, and what they are scores of."""
    about: dict[str, object] = {"data": str(options.data), "folds": list(options.folds)}
    if options.scores:
        return scores_of_rows(examples, options.scores), {**about, "scores": str(options.scores)}
    from cedtag.scoring.torch_scorer import load_torch_scorer

    require_audio(options.data, examples)
    hub.configure(offline=options.offline, cache_dir=Path(options.cache_dir) if options.cache_dir else None)
    checkpoint = resolve(options.model)
    scorer = load_torch_scorer(checkpoint, options.device, options.precision)
    window, _ = window_and_hop(options.window, None, None, scorer.shortest_window, scorer.longest_window)
    wanted = options.progress if options.progress is not None else sys.stderr.isatty()
    with tqdm(total=len(examples), desc="scoring", disable=options.quiet or not wanted, leave=False) as bar:
        judged = score_examples(
            examples,
            scorer,
            window=window,
            jobs=options.jobs or usable_cpus(),
            skip_unknown=options.skip_unknown,
            on_clip=bar.update,
        )
    return judged, {**about, "model": checkpoint.name, "commit": checkpoint.commit}


def _format(options: Options) -> str:
    suffix = Path(options.output).suffix.lower().removeprefix(".")
    return options.format or (suffix if suffix in report.FORMATS else "table")


def _write(place: str, text: str) -> None:
    if place == "-":
        click.echo(text, nl=False)
        return
    file = Path(place)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{file}: cannot be written ({error.strerror})") from error
