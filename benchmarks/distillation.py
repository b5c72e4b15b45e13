"""What a student learns from labels, and from stored probabilities: `python -m benchmarks.distillation ESC10 WORK`.

ESC10 is the folder that `cedtag.demo.make_checkpoint` takes. One fold is held out, and a small CED is trained on the
others in several ways, for the same number of steps; teachers are convolutional networks that were trained on the same
folds with labels. A student that learns from a store sees no label.

    labels        the labels of all clips
    third         the labels of a third of the clips
    clean         probabilities of whole clips, learned with views of them
    inconsistent  probabilities of stored views, learned with other views
    consistent    probabilities of stored views, learned with the same views

Each finished run is a line of WORK/runs.jsonl, so the same command goes on after an interruption; `--table` prints the
table of what is there. Seed i is trained on rotation i first, then on the others. Intervals are Student's t, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats

from cedtag.audio import open_recording
from cedtag.demo.make_checkpoint import ESC10_CLASSES, esc10_rows
from cedtag.distill.view_feed import Seen, ViewFeed
from cedtag.distill.views import Clip, draw_view
from cedtag.evaluation import metrics
from cedtag.model.config import CedConfig
from cedtag.model.features import CedFeatureExtractor
from cedtag.records import Source
from cedtag.system.atomic import writing_whole
from cedtag.training.clip_file import clip_file
from cedtag.training.clips import Clips, CropFeed
from cedtag.training.feed import num_batches
from cedtag.training.loop import Trainer, score
from cedtag.training.settings import TEACHER_LR, Augment, ModelFit, Recipe
from cedtag.training.start import crop_frames, new_model, set_input_norm
from cedtag.training.teacher import ConvTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.training.feed import Feed

CLASSES = tuple(ESC10_CLASSES.values())
STUDENT = CedConfig(embed_dim=64, num_heads=2, depth=3, outputdim=len(CLASSES), drop_path_rate=0.1)
TEACHERS = Recipe(epochs=60, batch_size=16, ema=0.995, warm_up_epochs=5, augment=Augment(crop_s=(1.28, 4.5)))
STUDENTS = Recipe(batch_size=16, ema=0.995)
LR = 1e-3
# The comparisons that decide come first.
CONDITIONS = {
    "consistent, 3 teachers": ("consistent", 3),
    "inconsistent, 3 teachers": ("inconsistent", 3),
    "labels of a third": ("third", 0),
    "labels": ("labels", 0),
    "clean, 3 teachers": ("clean", 3),
    "consistent, 1 teacher": ("consistent", 1),
    "inconsistent, 1 teacher": ("inconsistent", 1),
    "clean, 1 teacher": ("clean", 1),
}
HELD_OUT = ("4", "1", "2", "3")
MEASURES = ("mAP", "accuracy", "cross-entropy", "agreement")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of ESC-10: where it is, what it sounds like, and in which fold it is."""

    clip: Clip
    samples: NDArray[np.float32]
    label: int
    fold: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc10", type=Path)
    parser.add_argument("work", type=Path, help="folder for the teachers and the finished runs")
    parser.add_argument("--folds", nargs="+", choices=HELD_OUT, default=list(HELD_OUT), help="held out, each in turn")
    parser.add_argument("--seeds", type=int, default=5, help="of each fold")
    parser.add_argument("--steps", type=int, default=2000, help="of each student")
    parser.add_argument("--epochs", type=int, default=10, help="stored, of each clip")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--table", action="store_true", help="train nothing, print the table")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        run_all(arguments)
    print(table_of([row for row in finished(arguments.work) if fits(row, arguments)]))  # noqa: T201


def fits(row: dict[str, Any], arguments: argparse.Namespace) -> bool:
    """Whether a finished run is one of those that are asked for."""
    is_named = row["fold"] in arguments.folds and row["condition"] in arguments.conditions
    is_alike = (row["steps"], row["epochs"]) == (arguments.steps, arguments.epochs)
    return is_named and is_alike and row["seed"] < arguments.seeds


def finished(work: Path) -> list[dict[str, Any]]:
    """The runs that are done; a torn last line is none."""
    file = work / "runs.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run_all(arguments: argparse.Namespace) -> None:
    """Train what is not yet done, and append a line for each run."""
    torch.set_num_threads(1)
    recordings = read_esc10(arguments.esc10)
    for fold, seed in in_order(arguments.folds, arguments.seeds):
        done = {row["condition"] for row in finished(arguments.work) if fits(row, arguments)
                and (row["fold"], row["seed"]) == (fold, seed)}  # fmt: skip
        wanted = [condition for condition in arguments.conditions if condition not in done]
        if not wanted:
            continue
        with Bench(recordings, fold, arguments.work, arguments.epochs) as bench:
            for condition in wanted:
                row = {"fold": fold, "seed": seed, "condition": condition, "steps": arguments.steps}
                row |= {"epochs": arguments.epochs, **bench.measure(condition, seed, arguments.steps)}
                with (arguments.work / "runs.jsonl").open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)  # noqa: T201


def in_order(folds: Sequence[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Every fold with every seed; first one fold for each seed, which is another for consecutive ones."""
    for rotation in range(len(folds)):
        for seed in range(seeds):
            yield folds[(seed + rotation) % len(folds)], seed


def read_esc10(folder: Path) -> list[Recording]:
    found = []
    for path, label, fold in esc10_rows(folder):
        with open_recording(Source(path, path, path)) as recording:
            samples = np.concatenate(list(recording.blocks()))
        name = Path(path).relative_to(folder.absolute()).as_posix()
        found.append(Recording(Clip(name, 0, len(samples)), samples, CLASSES.index(label), fold))
    return found


class Bench:
    """One fold held out: the teachers of the others, what they say of views, and students to be measured."""

    def __init__(self, recordings: Sequence[Recording], fold: str, work: Path, epochs: int) -> None:
        self.train = [one for one in recordings if one.fold != fold]
        self.held = [one for one in recordings if one.fold == fold]
        self.epochs, self._fold, self._work = epochs, fold, work
        self._extractor = CedFeatureExtractor.from_front_end(STUDENT.front_end)
        self._open = ExitStack()

    def __enter__(self) -> Bench:
        self.features = self._open.enter_context(clip_file(self._work, np.float16))
        self.targets = self._open.enter_context(clip_file(self._work, np.int16))
        self.clips, self.valid = self._clips(self.train), self._clips(self.held)
        self.teachers = [self._teacher(number) for number in range(3)]
        self.clean = [self.features.append(clip[None].numpy()) for clip in self.clips.features]
        spectra = [self._spectra(one) for one in self.train]
        self.views = [self.features.append(of_one.numpy()) for of_one in spectra]
        self.said_of_views = self._said_of_views(spectra)
        self.said_of_clean = self._said([clip[None].float() for clip in self.clips.features])
        self.said_of_held = self._said([clip[None].float() for clip in self.valid.features])[:, :, 0]
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def measure(self, condition: str, seed: int, steps: int) -> dict[str, float]:
        """Train a student in this way; its measures on the held-out fold."""
        way, num_teachers = CONDITIONS[condition]
        feed = self._feed(way, num_teachers, seed)
        recipe = replace(STUDENTS, seed=seed)
        recipe = replace(recipe, epochs=math.ceil(steps / num_batches(feed, recipe)))
        student = new_model(STUDENT, CLASSES, seed)
        set_input_norm(student.encoder.init_bn, feed.first_views())
        trainer = Trainer(student, replace(recipe, warm_up_epochs=recipe.epochs / 20), self._fit(LR))
        while trainer.epoch < recipe.epochs:
            loss = trainer.run_epoch(feed)
        scores = score(trainer.average, self.valid, STUDENT.target_length)
        return {"loss": loss, **self._measures(scores)}

    def _measures(self, scores: NDArray[np.float64]) -> dict[str, float]:
        truth = self.valid.targets.double().numpy()
        found = {one.name: one.value for one in metrics.measure_all(truth, scores, resamples=0)}
        measures = {"mAP": found["mAP"], "accuracy": found["accuracy"]}
        taught, own = self.said_of_held.mean(0), np.clip(scores, 1e-7, 1 - 1e-7)
        measures["cross-entropy"] = float(-(taught * np.log(own) + (1 - taught) * np.log(1 - own)).mean())
        measures["agreement"] = float((scores.argmax(1) == taught.argmax(1)).mean())
        return measures

    def _feed(self, way: str, num_teachers: int, seed: int) -> ViewFeed:
        """The clips, and what is learned of them."""
        is_of_views = way in ("consistent", "inconsistent")
        seen = Seen(len(CLASSES), self.epochs if is_of_views else 1, 0, consistent=way == "consistent")
        feed = ViewFeed(seen, self.features, self.targets)
        used = range(len(self.train)) if way != "third" else self._third(seed)
        for place in used:
            if num_teachers == 0:
                values = self.clips.targets[place][None].float().numpy()
            else:
                said = self.said_of_views if is_of_views else self.said_of_clean
                values = said[:num_teachers, place].mean(0)
            best = np.tile(np.arange(len(CLASSES), dtype=np.int16), (len(values), 1)), values.astype(np.float16)
            feed.put(self.train[place].clip, (self.views if is_of_views else self.clean)[place], best)
        return feed

    def _third(self, seed: int) -> list[int]:
        """A third of the clips of every class."""
        rng = np.random.default_rng(seed)
        of_class = [[n for n, one in enumerate(self.train) if one.label == label] for label in range(len(CLASSES))]
        return sorted(int(place) for own in of_class for place in rng.permutation(own)[: len(own) // 3])

    def _clips(self, recordings: Sequence[Recording]) -> Clips:
        targets = torch.eye(len(CLASSES))[torch.tensor([one.label for one in recordings])]
        return Clips([self._log_mel(one.samples) for one in recordings], targets)

    def _log_mel(self, samples: NDArray[np.float32]) -> Tensor:
        return self._extractor.log_mel(torch.from_numpy(samples)[None])[0].half()

    def _spectra(self, one: Recording) -> Tensor:
        views = [draw_view(0, one.clip, epoch) for epoch in range(self.epochs)]
        return torch.stack([self._log_mel(view.shifted(one.samples)) for view in views])

    def _said_of_views(self, spectra: Sequence[Tensor]) -> NDArray[np.float32]:
        """What the teachers say of the masked views: asked now, or in an earlier run."""
        file = self._work / f"views-without-{self._fold}-{self.epochs}.npy"
        if not file.exists():
            masked = [self._masked(one.clip, of_one) for one, of_one in zip(self.train, spectra, strict=True)]
            with writing_whole(file) as out:
                np.save(out, self._said(masked))
        return np.asarray(np.load(file))

    def _masked(self, clip: Clip, spectra: Tensor) -> Tensor:
        views = [draw_view(0, clip, epoch) for epoch in range(self.epochs)]
        return torch.stack([view.masked(spectrum.float()) for view, spectrum in zip(views, spectra, strict=True)])

    @torch.inference_mode()
    def _said(self, clips: Sequence[Tensor]) -> NDArray[np.float32]:
        """The probabilities `(teachers, clips, views, classes)`."""
        return np.stack([[teacher(views).sigmoid().numpy() for views in clips] for teacher in self.teachers])

    def _teacher(self, number: int) -> ConvTeacher:
        """A teacher trained on these folds: now, or in an earlier run."""
        file = self._work / f"teacher-without-{self._fold}-{number}.pt"
        torch.manual_seed(number)
        teacher = ConvTeacher(STUDENT.n_mels, len(CLASSES))
        if not file.exists():
            frames = crop_frames(TEACHERS.augment.crop_s, STUDENT)
            trainer = Trainer(teacher, replace(TEACHERS, seed=number), self._fit(TEACHER_LR))
            feed: Feed = CropFeed(self.clips, TEACHERS.augment, frames)
            while trainer.epoch < TEACHERS.epochs:
                trainer.run_epoch(feed)
            with writing_whole(file) as out:
                torch.save(trainer.average.state_dict(), out)
        teacher.load_state_dict(torch.load(file))
        return teacher.eval()

    def _fit(self, lr: float) -> ModelFit:
        return ModelFit(lr, STUDENT.target_length)


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """Means and intervals of every condition in Markdown, and what consistent views are better by."""
    lines = [f"| learned from | runs | {' | '.join(MEASURES)} |", "|---" * (len(MEASURES) + 2) + "|"]
    for condition in CONDITIONS:
        own = [row for row in rows if row["condition"] == condition]
        if own:
            cells = (interval([row[name] for row in own]) for name in MEASURES)
            lines.append(f"| {condition} | {len(own)} | {' | '.join(cells)} |")
    for condition in list(CONDITIONS)[1:]:
        lines += differences(rows, condition)
    return "\n".join(lines)


def differences(rows: Sequence[dict[str, Any]], other: str) -> list[str]:
    """By how much consistent views of as many teachers differ from another way, over equal folds and seeds."""
    best = "consistent, 1 teacher" if other.endswith("1 teacher") else "consistent, 3 teachers"
    found = {(row["fold"], row["seed"], row["condition"]): row for row in rows}
    pairs = [(row, found[fold, seed, other]) for (fold, seed, condition), row in found.items()
             if condition == best and (fold, seed, other) in found]  # fmt: skip
    if other == best or not pairs:
        return []
    gains = {name: [one[name] - another[name] for one, another in pairs] for name in MEASURES}
    seeds = sorted({row["seed"] for row, _ in pairs})
    of_seed = {name: [np.mean([gain for gain, (row, _) in zip(gains[name], pairs, strict=True) if row["seed"] == seed])
                      for seed in seeds] for name in ("mAP", "agreement")}  # fmt: skip
    wins = ", ".join(f"{name} in {sum(gain > 0 for gain in own)} of {len(own)} seeds" for name, own in of_seed.items())
    cells = " | ".join(interval(gain, "+") for gain in gains.values())
    return [f"| {best} - {other} (better: {wins}) | {len(pairs)} | {cells} |"]


def interval(values: Sequence[float], sign: str = "") -> str:
    """The mean, and half of the 95 % interval of it."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:{sign}.3f}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return f"{mean:{sign}.3f} ± {half:.3f}"


if __name__ == "__main__":
    main()
