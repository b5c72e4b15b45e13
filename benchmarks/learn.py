"""Measure `cedtag learn` on ESC-10: `python -m benchmarks.learn ESC10 CHECKPOINT --fold FOLD`.

ESC10 is a folder with a sub-folder for each class, the recordings named as in ESC-50, the fold first. CHECKPOINT was
trained without FOLD: `python -m cedtag.demo.make_checkpoint ESC10 WORK --leave-out FOLD`.

First, a head from eight clips a class of the other folds against `cedtag finetune` on the same clips, both judged on
the fold. Then the labels that it takes to learn each class to a given average precision, asked for by margin sampling
and by chance.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.evaluation.metrics import accuracy, average_precision, each_once, macro_map
from cedtag.inputs.manifest import canonical
from cedtag.learning.checkpoint import load_base
from cedtag.learning.logistic import Examples, fit, scale_of
from cedtag.learning.suggest import least_sure
from cedtag.scoring.embedding_head import normalised
from cedtag.store import open_store
from cedtag.store.column import open_column
from cedtag.store.schema import EMBEDDING
from cedtag.tagger import Tagger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.learning.logistic import Scale

PER_CLASS = 8
# Of `finetune`: so few clips need more and smaller steps than its defaults, which a new head hardly leaves chance with.
EPOCHS, TUNING_LR = 40, 3e-4
FIRST, AT_ONCE, MOST = 2, 4, 60  # labels of each answer to begin with, labels of each round, labels in all


@dataclass(frozen=True)
class Clips:
    """Features `(n, d)` of clips of one window, their classes, folds and paths."""

    features: NDArray[np.float64]
    classes: NDArray[np.str_]
    folds: NDArray[np.str_]
    paths: list[str]
    scale: Scale


@click.command(help=__doc__)
@click.argument("esc10", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.option("--fold", required=True, help="The fold that CHECKPOINT was not trained on.")
@click.option("--seeds", default=10, show_default=True, help="Draws of labels.")
@click.option("--trainings", default=3, show_default=True, help="Draws that `finetune` is compared on; 0: none.")
@click.option("--target", default=0.9, show_default=True, help="Average precision that is to be reached.")
def main(esc10: Path, checkpoint: Path, fold: str, seeds: int, trainings: int, target: float) -> None:
    with TemporaryDirectory() as temporary:
        clips = embedded(esc10, checkpoint, Path(temporary) / "store")
        for seed in range(trainings):
            compare(clips, checkpoint, fold, seed, Path(temporary) / f"finetuned-{seed}")
    wins = 0
    for seed in range(seeds):
        needed = {
            how: labels_needed(clips, fold, seed, target, by_margin=how == "margin") for how in ("margin", "chance")
        }
        wins += needed["margin"] < needed["chance"]
        click.echo(f"seed {seed}: labels a class by margin {needed['margin']:.1f}, by chance {needed['chance']:.1f}")
    click.echo(f"margin sampling needs fewer labels in {wins} of {seeds} seeds")


def embedded(esc10: Path, checkpoint: Path, store: Path) -> Clips:
    """The clips as the features that `learn` uses, from a store."""
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import RunSettings

    tagger = Tagger.from_pretrained(str(checkpoint))
    tagger.run([str(esc10)], Destination(store=str(store)), settings=RunSettings())
    opened = open_store(store)
    paths = {one.id: one.outcome.source.name for one in opened.stored()}
    with open_column(opened) as column:
        rows = np.concatenate(column.parts)
    base = load_base(tagger.model.checkpoint, "learned", only=True)
    features = normalised(rows[EMBEDDING].astype(np.float64), base.norm_weight, base.norm_bias)
    of_row = [paths[id] for id in rows["id"].tolist()]
    classes = np.array([canonical(Path(path).parent.name) for path in of_row])
    return Clips(features, classes, np.array([Path(path).name[0] for path in of_row]), of_row, scale_of(features))


def compare(clips: Clips, checkpoint: Path, fold: str, seed: int, folder: Path) -> None:
    """Print how a head and a fine-tuned model, from the same clips, do on the fold."""
    rng = np.random.default_rng(seed)
    names = np.unique(clips.classes)
    drawn = [
        rng.permutation(np.flatnonzero((clips.classes == name) & (clips.folds != fold)))[:PER_CLASS] for name in names
    ]
    chosen, test = np.concatenate(drawn), np.flatnonzero(clips.folds == fold)
    truth = (clips.classes[test, None] == names).astype(np.float64)
    heads = [fit(_examples(clips, chosen, name), clips.scale).probabilities(clips.features[test]) for name in names]
    for what, scores in (
        ("head", np.stack(heads, 1)),
        (
            "finetune",
            finetuned([clips.paths[n] for n in chosen], [clips.paths[n] for n in test], checkpoint, seed, folder),
        ),
    ):
        once = each_once(truth)
        value, right = float(macro_map(truth, scores, once)[0]), float(accuracy(truth, scores, once)[0])
        click.echo(f"draw {seed}, {PER_CLASS} clips a class, {what}: mAP {value:.3f}, accuracy {right:.3f}")


def finetuned(train: list[str], test: list[str], checkpoint: Path, seed: int, folder: Path) -> NDArray[np.float64]:
    """The scores `(clips, classes)` of test clips by a model that `finetune` made of the training clips."""
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.training.finetune import finetune
    from cedtag.training.settings import Recipe, TrainingSettings

    manifest = folder.with_suffix(".csv")
    with manifest.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("file", "labels"), *((path, Path(path).parent.name) for path in train)])
    recipe = Recipe(seed=seed, epochs=EPOCHS, batch_size=PER_CLASS, lr=TUNING_LR)
    finetune(manifest, folder, TrainingSettings(choice=ModelChoice(str(checkpoint)), recipe=recipe))
    tagger = Tagger.from_pretrained(str(folder))
    order = np.argsort([label.name for label in tagger.labels])
    return np.stack([tagger.scores(path).scores.max(0)[order] for path in test]).astype(np.float64)


def labels_needed(clips: Clips, fold: str, seed: int, target: float, *, by_margin: bool) -> float:
    """The mean number of labels over classes until the average precision on the fold is reached; at most `MOST`."""
    pool, test = np.flatnonzero(clips.folds != fold), np.flatnonzero(clips.folds == fold)
    return float(
        np.mean([_needed(clips, pool, test, str(name), seed, target, by_margin) for name in np.unique(clips.classes)])
    )


def _needed(
    clips: Clips, pool: NDArray[np.int64], test: NDArray[np.int64], name: str, seed: int, target: float, by_margin: bool
) -> int:
    rng = np.random.default_rng([seed, *name.encode()])
    is_yes = clips.classes == name
    labels = [int(n) for answer in (is_yes, ~is_yes) for n in rng.permutation(pool[answer[pool]])[:FIRST]]
    while True:
        fitted = fit(_examples(clips, np.array(labels), name), clips.scale)
        scores, truth = fitted.probabilities(clips.features[test]), is_yes[test].astype(np.float64)
        if len(labels) >= MOST or average_precision(truth, scores, each_once(truth[:, None]))[0] >= target:
            return len(labels)
        rest = np.setdiff1d(pool, labels)
        if by_margin:
            rest = rest[least_sure(fitted.probabilities(clips.features[rest]), np.arange(len(rest)), AT_ONCE)]
        labels += [int(n) for n in (rest if by_margin else rng.permutation(rest)[:AT_ONCE])]


def _examples(clips: Clips, rows: NDArray[np.int64], name: str) -> Examples:
    return Examples(clips.features[rows], clips.classes[rows] == name, rows)


if __name__ == "__main__":
    main()
