"""A student learns the teachers' probabilities for the very views that they scored, or does not begin."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch

from cedtag.distill.block import block_bytes
from cedtag.distill.run import store_views
from cedtag.distill.settings import DistillStoreSettings, ViewSettings
from cedtag.distill.store import DistillStore
from cedtag.distill.stored_views import labels_of, load_views, read_stored
from cedtag.distill.student import train_student
from cedtag.distill.student_settings import StudentSettings, ViewChoice, student_recipe
from cedtag.distill.view_feed import Seen, ViewFeed
from cedtag.distill.views import Clip
from cedtag.errors import CedtagError, InputError
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.front_end import FrontEnd
from cedtag.model.network import CedForAudioClassification
from cedtag.training.clip_file import clip_file
from cedtag.training.run import TrainingCallbacks
from cedtag.training.settings import Start, TrainingFolder
from tests.hisses import write_hisses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

CLASSES = ("high", "low", "nothing")


class Brightness:
    """A teacher that tells low hisses from high ones by their spectrogram; it remembers what it was shown."""

    name, digest = "brightness", "b" * 64
    classes: tuple[str, ...] = CLASSES
    front_end: FrontEnd | None = FrontEnd()
    longest: int | None = None

    def __init__(self) -> None:
        self.shown: list[Tensor] = []

    def probabilities(self, waveforms: NDArray[np.float32], features: Tensor) -> Tensor:
        self.shown.append(features)
        high = (features[:, 32:].mean((1, 2)) - features[:, :32].mean((1, 2))).sigmoid()
        return torch.stack([high, 1 - high, high * 0 + 0.01], dim=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with recordings in `hisses/`, and `small.json`."""
    write_hisses(tmp_path)
    return tmp_path


@pytest.fixture
def teacher(data: Path) -> Brightness:
    """The teacher of the store in `store`, which holds two views of each clip."""
    teacher = Brightness()
    store_views(data / "hisses", [teacher], data / "store", DistillStoreSettings(views=ViewSettings(epochs=2, top_k=2)))
    return teacher


def settings(folder: Path, **views: Any) -> StudentSettings:
    return StudentSettings(
        views=ViewChoice(**views),
        start=Start(from_config=str(folder / "small.json")),
        recipe=student_recipe(epochs=4, batch_size=5),
    )


@pytest.fixture
def feed(data: Path, teacher: Brightness) -> Iterator[ViewFeed]:
    """The feed of all views of the store."""
    with clip_file(data, np.float16) as features, clip_file(data, np.int16) as targets:
        feed = ViewFeed(Seen(len(CLASSES), 2, 0), features, targets)
        stored = read_stored(DistillStore(data / "store"), data / "hisses")
        load_views(stored, CedFeatureExtractor.from_front_end(FrontEnd()), feed)
        yield feed


def test_the_student_is_shown_what_the_teacher_was(feed: ViewFeed, teacher: Brightness) -> None:
    shown = torch.cat(teacher.shown)
    for epoch in range(4):
        views, targets = feed.batch(range(12), epoch, np.random.default_rng(0))
        for view, target in zip(views, targets, strict=True):
            (place,) = [n for n, one in enumerate(shown) if torch.allclose(one[:, : view.shape[1]], view, atol=0.1)]
            scores = teacher.probabilities(np.zeros(0), shown[[place]])[0]
            kept = scores.argsort()[1:]
            torch.testing.assert_close(target[kept], scores[kept], atol=1e-3, rtol=0)
            assert (target > 0).sum() == 2  # the best two; every other class is 0


def test_stored_epochs_take_turns(feed: ViewFeed) -> None:
    first, second, third = (feed.batch([3], epoch, np.random.default_rng(0))[0] for epoch in range(3))
    assert torch.equal(first, third)
    assert not torch.equal(first, second)


def test_other_views_have_the_stored_targets_and_are_new_each_time(feed: ViewFeed) -> None:
    feed.seen = replace(feed.seen, consistent=False)
    (one, same), (other, again) = (feed.batch([3], 0, np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(same, again)
    assert not torch.equal(one, other)


def test_labels_have_their_share_of_the_targets_of_clips_that_have_some(feed: ViewFeed) -> None:
    _, plain = feed.batch([0, 1], 0, np.random.default_rng(0))
    feed.seen, feed.labels = replace(feed.seen, labels_weight=0.25), [(2,), *[()] * 11]
    _, mixed = feed.batch([0, 1], 0, np.random.default_rng(0))
    torch.testing.assert_close(mixed[0], 0.75 * plain[0] + 0.25 * torch.tensor([0, 0, 1.0]))
    assert torch.equal(mixed[1], plain[1])


def test_the_entropy_of_the_targets_is_the_loss_of_a_perfect_student(feed: ViewFeed) -> None:
    targets = torch.cat([feed.batch(range(12), epoch, np.random.default_rng(0))[1] for epoch in range(2)])
    least = torch.nn.functional.binary_cross_entropy(targets, targets).item()
    assert feed.entropy() == pytest.approx(least, abs=1e-6)


def test_labels_are_those_of_what_a_clip_overlaps(data: Path) -> None:
    (data / "parts.csv").write_text(
        "file,labels,start,end\na.wav,low,0,1\na.wav,high;low,1,2\na.wav,nothing,3,4\n", encoding="utf-8"
    )
    soundfile.write(data / "a.wav", np.zeros(100), 16_000)
    clips = [Clip("a.wav", 8_000, 24_000), Clip("a.wav", 32_000, 48_000), Clip("b.wav", 0, 16_000)]
    assert labels_of(data / "parts.csv", clips, CLASSES) == [(0, 1), (), ()]
    with pytest.raises(InputError, match="has no label of any clip"):
        labels_of(data / "parts.csv", clips[1:], CLASSES)
    with pytest.raises(InputError, match="the label 'nothing' is no class of the store's teachers"):
        labels_of(data / "parts.csv", clips, CLASSES[:2])


def test_a_student_learns_its_teacher_without_labels(data: Path, teacher: Brightness) -> None:
    recipe = student_recipe(epochs=20, batch_size=6, lr=1e-2, warm_up_epochs=1, ema=0.8)
    history = train_student(data / "store", data / "mine", replace(settings(data), recipe=recipe))
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]
    student = CedForAudioClassification.from_pretrained(data / "mine")
    assert list(student.config.id2label.values()) == list(CLASSES)
    extractor = CedFeatureExtractor.from_pretrained(data / "mine")
    of_high, of_low = (
        student(**extractor(soundfile.read(data / f"hisses/{name}/0.wav")[0], sampling_rate=16_000)).probabilities[0]
        for name in ("high", "low")
    )
    assert of_high[0] > of_low[0] + 0.2
    assert of_low[1] > of_high[1] + 0.2


def test_the_card_names_teachers_store_and_figures(data: Path, teacher: Brightness) -> None:
    train_student(data / "store", data / "mine", settings(data), command="as before")
    card = (data / "mine/README.md").read_text(encoding="utf-8")
    for text in (
        "Distilled from 1 teacher (arXiv 2308.11957)",
        "2 views of each of 12 clips",
        "the best 2 classes, learned with the same views",
        f"| brightness | `{'b' * 64}` |",
        f"- `store`: {DistillStore(data / 'store').facts.digest}",
        "Trained for 4 epochs to a loss of",
        "    as before",
    ):
        assert text in card
    assert sorted(file.name for file in (data / "mine").iterdir()) == [
        "README.md", "config.json", "metrics.jsonl", "model.safetensors", "preprocessor_config.json"
    ]  # fmt: skip


class Killed(Exception):
    """Stands for a kill between two epochs."""


@pytest.mark.parametrize("killed_before", [2, 3, 4])
def test_a_training_that_was_killed_leaves_the_bytes_of_an_undisturbed_one(
    data: Path, teacher: Brightness, killed_before: int
) -> None:
    def kill(phase: str, epoch: int, epochs: int, steps: int) -> None:
        if epoch == killed_before:
            raise Killed

    output = TrainingFolder(data / "killed", save_every_s=0)
    with pytest.raises(Killed):
        train_student(data / "store", output, settings(data), TrainingCallbacks(on_begin=kill))
    train_student(data / "store", output, settings(data))
    train_student(data / "store", data / "whole", settings(data))
    for name in ("config.json", "metrics.jsonl", "model.safetensors", "preprocessor_config.json"):
        assert (data / "killed" / name).read_bytes() == (data / "whole" / name).read_bytes()


def test_recordings_are_found_where_they_were_stored_and_where_they_are_said_to_be(
    data: Path, teacher: Brightness
) -> None:
    digest = DistillStore(data / "store").facts.digest
    train_student(data / "store", data / "mine", settings(data))
    (data / "hisses").rename(data / "moved")
    train_student(data / "store", data / "other", settings(data, data=data / "moved"))
    one, other = ((data / name / "model.safetensors").read_bytes() for name in ("mine", "other"))
    assert one == other
    store_views(data / "moved", [teacher], data / "again", DistillStoreSettings(views=ViewSettings(epochs=2, top_k=2)))
    assert DistillStore(data / "again").facts.digest == digest


@pytest.mark.parametrize("change", [{"consistent": False}, {"labels_weight": 0.5}])
def test_another_choice_of_views_is_another_training(data: Path, teacher: Brightness, change: dict[str, Any]) -> None:
    train_student(data / "store", data / "mine", settings(data))
    train_student(data / "store", data / "other", settings(data, **change))
    one, other = ((data / name / "model.safetensors").read_bytes() for name in ("mine", "other"))
    assert one != other
    assert f"- `{next(iter(change))}`: {next(iter(change.values()))}" in (data / "other/README.md").read_text()


def refusal(data: Path, learned: StudentSettings | None = None) -> str:
    """The sentence with which a training does not begin."""
    with pytest.raises(CedtagError) as refused:
        train_student(data / "store", data / "mine", learned or settings(data))
    assert not (data / "mine/model.safetensors").exists()
    return str(refused.value)


def test_missing_recordings_are_counted_and_the_first_is_named(data: Path, teacher: Brightness) -> None:
    for name in ("high/3.wav", "low/0.wav"):
        (data / "hisses" / name).unlink()
    said = refusal(data)
    assert said.endswith(
        "hisses: 2 of 12 recordings of the store are not there, the first is high/3.wav; name the folder that they are "
        "in with `data`"
    )


def test_a_recording_of_another_size_or_content_is_refused(data: Path, teacher: Brightness) -> None:
    path = data / "hisses/low/2.wav"
    whole = path.read_bytes()
    changed = f"{path}: is another recording than the one whose clips were stored; restore it, or store it again"
    path.write_bytes(whole[:-2])
    assert refusal(data) == changed
    path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1, whole[-1]]))
    assert refusal(data) == changed


def test_a_store_that_was_made_with_another_seed_than_it_says_is_refused(data: Path, teacher: Brightness) -> None:
    """All that names the seed is altered, so the checksums alone can tell."""
    store = DistillStore(data / "store")
    altered = replace(store.facts, seed=1)
    blocks = [(part, store.block(part)) for part in store.parts]
    header = json.loads((data / "store/store.json").read_text())
    (data / "store/store.json").write_text(json.dumps(header | {"seed": 1}))
    for part, block in blocks:
        part.write_bytes(block_bytes(block, store=altered.digest, seed=1, epochs=2, top_k=2))
    assert "from 0 s on is not the one that the teachers scored" in refusal(data)


def test_a_store_that_lacks_a_part_is_refused(data: Path, teacher: Brightness) -> None:
    DistillStore(data / "store").parts[0].unlink()
    assert "store: 1 of 1 parts are not there yet; go on with storing, or copy" in refusal(data)


def test_a_store_of_another_version_is_refused(data: Path, teacher: Brightness) -> None:
    header = json.loads((data / "store/store.json").read_text())
    (data / "store/store.json").write_text(json.dumps(header | {"format": 99}))
    assert "another version of cedtag made this store" in refusal(data)


def test_a_model_that_hears_otherwise_or_takes_shorter_clips_is_refused(data: Path, teacher: Brightness) -> None:
    config = json.loads((data / "small.json").read_text())
    (data / "small.json").write_text(json.dumps(config | {"f_max": 7000}))
    assert "has another front end than the teachers of" in refusal(data)
    (data / "small.json").write_text(json.dumps(config | {"target_length": 200}))
    assert "holds clips of up to 10 s, and" in refusal(data)


def test_a_training_never_writes_over_what_it_reads(data: Path, teacher: Brightness) -> None:
    with pytest.raises(CedtagError, match=r"store: is not empty"):
        train_student(data / "store", data / "store", settings(data))
    before = (data / "small.json").read_bytes()
    (data / "mine").mkdir()
    (data / "mine/config.json").write_bytes(before)
    with pytest.raises(CedtagError):
        train_student(
            data / "store",
            TrainingFolder(data / "mine", overwrite=True),
            replace(settings(data), start=Start(from_config=str(data / "mine/config.json"))),
        )
    assert (data / "mine/config.json").read_bytes() == before
