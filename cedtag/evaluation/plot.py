"""A picture: precision over recall of every class and, where every clip has one label, who is taken for whom."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import CedtagError, InputError, OutputError
from cedtag.evaluation import metrics

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.evaluation.scores import Judged

SUFFIXES = (".png", ".svg", ".pdf")
MAX_NAMED_CLASSES = 40


def check_plot_file(file: Path) -> None:
    """Refuse what cannot be drawn before an hour of scoring."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"--plot {file}: the name must end in {', '.join(SUFFIXES)}")
    _matplotlib("figure")


def draw(judged: Judged, file: Path) -> None:
    """Write the picture to `file`; its suffix says the format."""
    present = np.flatnonzero(metrics.judged(judged.truth))
    single = metrics.is_single_label(judged.truth)
    figure = _matplotlib("figure").Figure(figsize=(15 if single else 8, 7), layout="constrained")
    axes = figure.subplots(1, 2 if single else 1, squeeze=False)[0]
    _draw_precision_recall(axes[0], judged, present)
    if single:
        _draw_confusion(axes[1], judged, np.flatnonzero(judged.truth.any(0)))
    try:
        figure.savefig(file)
    except OSError as error:
        raise OutputError(f"--plot {file}: cannot be written ({error.strerror})") from error


def _draw_precision_recall(axes: Any, judged: Judged, classes: np.ndarray[Any, Any]) -> None:
    once = np.ones((1, len(judged.truth)))
    for column in classes:
        truth, scores = judged.truth[:, column], judged.scores[:, column]
        precision, recall, _ = metrics.precision_recall(truth, scores)
        ap = metrics.average_precision(truth, scores, once)[0]
        axes.step(recall, precision, where="post", label=f"{judged.classes[column]} ({ap:.2f})", linewidth=1.2)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Precision and recall (AP)")
    if len(classes) <= MAX_NAMED_CLASSES:
        axes.legend(fontsize="x-small", loc="lower left")


def _draw_confusion(axes: Any, judged: Judged, classes: np.ndarray[Any, Any]) -> None:
    counts = metrics.confusion(judged.truth[:, classes], judged.scores[:, classes])
    names = [judged.classes[column] for column in classes]
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="answered", ylabel="true", title="Best class among those that occur")
    if len(names) <= MAX_NAMED_CLASSES:
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize="small")
        axes.set_yticks(range(len(names)), names, fontsize="small")
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if 2 * count > counts.max() else "black"
            axes.text(column, row, count or "", ha="center", va="center", color=colour, fontsize="small")


def _matplotlib(module: str) -> Any:
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise CedtagError("--plot needs matplotlib: pip install 'cedtag[train]'") from error
