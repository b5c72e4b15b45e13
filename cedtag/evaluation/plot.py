"""A figure: precision over recall of each class and, where every clip has one label, the confusion matrix."""

from __future__ import annotations

import io
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError, MissingPackageError
from cedtag.evaluation import metrics
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.extras import missing

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.evaluation.scores import Predictions

SUFFIXES = (".png", ".svg", ".pdf")
MAX_NAMED_CLASSES = 40


def check_plot_file(file: Path) -> None:
    """InputError or MissingPackageError where the figure cannot be drawn, before an hour of scoring."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"`plot` {file}: the name must end in {', '.join(SUFFIXES)}")
    _matplotlib(".figure")


def draw_predictions(predictions: Predictions, file: Path) -> None:
    """Write the figure to `file`, in the format of its suffix."""
    matplotlib = _matplotlib()
    from cedtag.writers.fonts import families_for, spelled

    families, lacking = families_for(predictions.classes)
    names = tuple(spelled(name, lacking) for name in predictions.classes)
    with matplotlib.rc_context({"font.family": families}):
        _draw(replace(predictions, classes=names), file)


def _draw(predictions: Predictions, file: Path) -> None:
    classes = np.flatnonzero(metrics.has_both_labels(predictions.truth))
    single = metrics.is_single_label(predictions.truth)
    figure = _matplotlib(".figure").Figure(figsize=(15 if single else 8, 7), layout="constrained")
    axes = figure.subplots(1, 2 if single else 1, squeeze=False)[0]
    _draw_precision_recall(axes[0], predictions, classes)
    if single:
        _draw_confusion(axes[1], predictions, np.flatnonzero(predictions.truth.any(0)))
    drawn = io.BytesIO()  # matplotlib asks where it is in a file, which a pipe cannot tell
    figure.savefig(drawn, format=file.suffix.lower().removeprefix("."))
    with writing(file), writing_whole(file) as out:
        out.write(drawn.getbuffer())


def _draw_precision_recall(axes: Any, predictions: Predictions, classes: np.ndarray[Any, Any]) -> None:
    once = metrics.each_once(predictions.truth)
    for column in classes:
        truth, scores = predictions.truth[:, column], predictions.scores[:, column]
        precision, recall, _ = metrics.precision_recall(truth, scores)
        ap = metrics.average_precision(truth, scores, once)[0]
        axes.step(recall, precision, where="post", label=f"{predictions.classes[column]} ({ap:.2f})", linewidth=1.2)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Precision and recall (AP)")
    if 0 < len(classes) <= MAX_NAMED_CLASSES:
        axes.legend(fontsize="x-small", loc="lower left")


def _draw_confusion(axes: Any, predictions: Predictions, classes: np.ndarray[Any, Any]) -> None:
    counts = metrics.confusion(predictions.truth[:, classes], predictions.scores[:, classes])
    names = [predictions.classes[column] for column in classes]
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="answered", ylabel="true", title="Best class among those that occur")
    if len(names) <= MAX_NAMED_CLASSES:
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize="small")
        axes.set_yticks(range(len(names)), names, fontsize="small")
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if 2 * count > counts.max() else "black"
            axes.text(column, row, count or "", ha="center", va="center", color=colour, fontsize="small")


def _matplotlib(module: str = "") -> Any:
    try:
        return import_module(f"matplotlib{module}")
    except ImportError as error:
        raise MissingPackageError(missing("`plot` needs matplotlib", "plot")) from error
