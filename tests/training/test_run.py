"""A training learns, repeats, survives a kill, and gives a sentence as the reason why it cannot go on."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from cedtag.errors import InputError, ModelError, OutputError
from cedtag.model.config import CedConfig
from cedtag.training import losses, run
from cedtag.training.clips import Clips, CropFeed
from cedtag.training.loop import Trainer, learning_rate, score, train_step
from cedtag.training.run import TrainingCallbacks, TrainingPlan, train
from cedtag.training.settings import ModelFit, Recipe, Teachers
from cedtag.training.start import freeze_encoder, new_model, set_input_norm, with_head
from cedtag.training.state import LOG_NAME, STATE_NAME, load_state
from cedtag.training.teacher import MAP_CHANNELS, ConvTeacher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.model.network import CedForAudioClassification

pytestmark = pytest.mark.slow

CLASSES = ("low", "high")
CONFIG = CedConfig(embed_dim=24, num_heads=3, depth=1, drop_rate=0.1, drop_path_rate=0.1, outputdim=2)
RECIPE = Recipe(epochs=3, batch_size=4, warm_up_epochs=1)
FIT = ModelFit(lr=1e-3, window_frames=1008)
CROP_FRAMES = (16, 32)
IDENTITY = {"lr": 1e-3, "seed": 0}
ONE_TEACHER = Teachers(1, RECIPE.epochs)


class Killed(Exception):
    """Stands for a kill between two epochs."""


def bands(count: int, seed: int = 0) -> Clips:
    """Clips with power in their low or their high mel bins."""
    generator = torch.Generator().manual_seed(seed)
    features = []
    for index in range(count):
        clip = torch.rand(64, 40, generator=generator) * 10 - 60
        clip[32 * (index % 2) : 32 * (index % 2) + 32] += 40
        features.append(clip.half())
    return Clips(features, torch.eye(2)[torch.arange(count) % 2])


def feed(count: int, seed: int = 0) -> CropFeed:
    return CropFeed(bands(count, seed), RECIPE.augment, CROP_FRAMES)


def model(seed: int = 0) -> CedForAudioClassification:
    return new_model(CONFIG, CLASSES, seed)


def plan(folder: Path, **changes: Any) -> TrainingPlan:
    return replace(TrainingPlan(folder, RECIPE, FIT, feed(12), IDENTITY, save_every_s=0), **changes)


def kept_nowhere(better: nn.Module) -> None:
    """For trainings whose log alone matters."""


def weights_of(
    plan: TrainingPlan, on_begin: Callable[[str, int, int, int], None] = lambda *_: None
) -> dict[str, torch.Tensor]:
    """What a run leaves as its best model."""
    best = plan.folder / "best.pt"
    train(model(), plan, lambda better: torch.save(better.state_dict(), best), TrainingCallbacks(on_begin=on_begin))
    return dict(torch.load(best))


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("killed_after", "num_teachers"), [(1, 0), (2, 0), (2, 1), (3, 1), (4, 1)])
def test_a_run_that_is_killed_and_resumed_gives_the_weights_of_an_undisturbed_one(
    tmp_path: Path, killed_after: int, num_teachers: int
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    undisturbed = weights_of(plan(here, teachers=Teachers(num_teachers, RECIPE.epochs), valid=bands(6, 1)))
    epochs = 0

    def kill(phase: str, epoch: int, of: int, steps: int) -> None:
        nonlocal epochs
        epochs += 1
        if epochs > killed_after:
            raise Killed

    with pytest.raises(Killed):
        weights_of(plan(there, teachers=Teachers(num_teachers, RECIPE.epochs), valid=bands(6, 1)), kill)
    resumed = weights_of(plan(there, teachers=Teachers(num_teachers, RECIPE.epochs), valid=bands(6, 1)))
    assert_same(undisturbed, resumed)
    assert (here / LOG_NAME).read_bytes() == (there / LOG_NAME).read_bytes()


def test_equal_seeds_repeat_and_others_differ(tmp_path: Path) -> None:
    first, again = (weights_of(plan(tmp_path / str(i), valid=None)) for i in made(tmp_path, 0, 1))
    assert_same(first, again)
    (other_folder,) = made(tmp_path, 2)
    other = weights_of(plan(tmp_path / str(other_folder), recipe=replace(RECIPE, seed=1)))
    assert not torch.equal(first["outputlayer.1.weight"], other["outputlayer.1.weight"])


def made(root: Path, *names: int) -> list[int]:
    for name in names:
        (root / str(name)).mkdir()
    return list(names)


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_training_learns_to_tell_two_bands_apart(tmp_path: Path, loss: str) -> None:
    recipe, fit = replace(RECIPE, epochs=12, loss=loss, ema=0.9), replace(FIT, lr=3e-3)
    new = model()
    set_input_norm(new.encoder.init_bn, bands(12).features)
    history = train(new, plan(tmp_path, recipe=recipe, fit=fit, valid=bands(8, 1)), kept_nowhere)
    assert history[-1]["valid accuracy"] == 1
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_best_epoch_is_kept_and_patience_ends_the_training(tmp_path: Path) -> None:
    kept: list[int] = []
    now = 0

    def begin(phase: str, epoch: int, of: int, steps: int) -> None:
        nonlocal now
        now = epoch

    changes = {"recipe": replace(RECIPE, epochs=50), "fit": replace(FIT, lr=1e-9), "patience": 2}
    callbacks = TrainingCallbacks(on_begin=begin)
    history = train(model(), plan(tmp_path, valid=bands(8, 1), **changes), lambda _: kept.append(now), callbacks)
    assert kept[-1] == run.best_epoch(history)
    assert len(history) == run.best_epoch(history) + 2 < 50


def test_other_settings_do_not_take_up_a_state(tmp_path: Path) -> None:
    train(model(), plan(tmp_path), kept_nowhere)
    with pytest.raises(InputError, match=r"`lr` was 0\.001 and is now 0\.1"):
        load_state(tmp_path, {"lr": 0.1, "seed": 0})
    (tmp_path / STATE_NAME).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ModelError, match="damaged; remove it to train from the start"):
        load_state(tmp_path, IDENTITY)


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(tmp_path: Path) -> None:
    broken = model()
    with torch.no_grad():
        broken.outputlayer[1].bias[0] = torch.nan  # type: ignore[operator]
    with pytest.raises(ModelError, match=r"the loss is nan in epoch 1: .* learning rate \(`lr`\) below 0\.001"):
        train(broken, plan(tmp_path), kept_nowhere)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_last_state_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs = 0
    save = torch.save

    def full_later(state: object, file: Any) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 2:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, file)

    monkeypatch.setattr(torch, "save", full_later)
    with pytest.raises(OutputError, match=r"No space left on device.*run the same again"):
        train(model(), plan(tmp_path), kept_nowhere)
    assert sorted(file.name for file in tmp_path.iterdir()) == [LOG_NAME, STATE_NAME]
    state = load_state(tmp_path, IDENTITY)
    assert state is not None
    assert [row["epoch"] for row in state.history] == [1]


def test_validation_without_a_measure_is_refused(tmp_path: Path) -> None:
    same = Clips(bands(4).features, torch.ones(4, 2))
    with pytest.raises(InputError, match="nothing can be measured"):
        train(model(), plan(tmp_path, valid=same), kept_nowhere)


def test_a_frozen_encoder_does_not_move_and_its_statistics_neither() -> None:
    probe = model()
    freeze_encoder(probe)
    before = {name: tensor.clone() for name, tensor in probe.encoder.state_dict().items()}
    head = probe.outputlayer[1].weight.clone()  # type: ignore[operator]
    Trainer(probe, RECIPE, FIT).run_epoch(feed(12))
    assert_same(before, dict(probe.encoder.state_dict()))
    assert not torch.equal(head, probe.outputlayer[1].weight)


def test_a_new_head_keeps_the_encoder_and_equal_labels_keep_the_head() -> None:
    old = model(seed=1)
    assert with_head(old, CLASSES, seed=0) is old
    new = with_head(old, ("a", "b", "c"), seed=0)
    assert new.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert new.outputlayer[1].weight.shape == (3, 24)
    assert_same(dict(old.encoder.state_dict()), dict(new.encoder.state_dict()))


def test_a_new_head_keeps_the_rows_of_the_classes_that_the_checkpoint_knows() -> None:
    old = model(seed=1)
    new = with_head(old, ("other", CLASSES[1]), seed=0)
    before, after = old.outputlayer.state_dict(), new.outputlayer.state_dict()
    assert torch.equal(after["1.weight"][1], before["1.weight"][1])
    assert torch.equal(after["1.bias"][1], before["1.bias"][1])
    assert not torch.equal(after["1.weight"][0], before["1.weight"][0])
    assert torch.equal(after["0.weight"], before["0.weight"])


def test_the_input_norm_starts_at_the_datas_statistics() -> None:
    norm = nn.BatchNorm1d(64)
    clips = bands(4).features
    set_input_norm(norm, clips)
    features = torch.cat([clip.float() for clip in clips], dim=1)
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, features.mean(1), atol=1e-3, rtol=0)


def test_steps_follow_the_plain_pytorch_loop() -> None:
    """Without dropout, teachers and averages a step is what anybody would write."""
    config = replace(CONFIG, drop_rate=0.0, drop_path_rate=0.0)
    ours, plain = new_model(config, CLASSES, 0).train(), new_model(config, CLASSES, 0).train()
    trainer = Trainer(ours, replace(RECIPE, weight_decay=0.0), FIT)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=FIT.lr, betas=(0.9, 0.98), weight_decay=0.0)
    # The first step of AdamW is the same for any betas.
    for seed in range(3):
        features, targets = torch.stack(bands(4, seed).features).float(), bands(4).targets
        loss = train_step(trainer, features, targets)
        output = plain(features, targets)
        assert output.loss is not None
        optimizer.zero_grad()
        output.loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        assert loss == pytest.approx(output.loss.item())
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor)


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    shares = [learning_rate(step, warm_up=10, total=100) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == max(shares[9:12])
    assert shares[11:] == sorted(shares[11:], reverse=True)
    assert shares[-1] < 0.001


def test_distillation_lies_between_labels_and_teachers() -> None:
    logits, targets, taught = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    only_labels = losses.distillation_loss(logits, targets, taught, losses.binary, 0.0)
    only_teachers = losses.distillation_loss(logits, targets, taught, losses.binary, 1.0)
    assert only_labels == losses.binary(logits, targets)
    assert only_teachers == losses.binary(logits, taught)
    torch.testing.assert_close(
        losses.distillation_loss(logits, targets, taught, losses.binary, 0.25),
        0.75 * only_labels + 0.25 * only_teachers,
    )


def test_hints_are_right_when_every_place_is_guessed_up_to_its_scale() -> None:
    seen = torch.randn(2, MAP_CHANNELS, 4, 3)
    channels_last = seen.movedim(1, -1)
    mean, std = channels_last.mean(-1, keepdim=True), channels_last.std(-1, keepdim=True, correction=0)
    guessed = ((channels_last - mean) / std).movedim(-1, 1)
    assert losses.hint_loss(guessed, 3 * seen + 1).item() == pytest.approx(0, abs=1e-4)
    assert losses.hint_loss(guessed.flip(3), seen) > 0.5


def test_a_model_learns_what_its_teacher_sees_where(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=20, distill_weight=0.0)
    losses_of = {
        weight: [
            row["loss"] for row in train(model(), hinted_plan(tmp_path / str(weight), recipe, weight), kept_nowhere)
        ]
        for weight in (0.0, 1.0)
    }
    hints = [with_hints - without for without, with_hints in zip(*losses_of.values(), strict=True)]
    assert hints[-1] < 0.8 * hints[RECIPE.epochs]


def hinted_plan(folder: Path, recipe: Recipe, weight: float) -> TrainingPlan:
    folder.mkdir()
    changes = {"recipe": replace(recipe, hint_weight=weight), "fit": replace(FIT, lr=3e-3)}
    return plan(folder, teachers=ONE_TEACHER, **changes)


def test_long_clips_score_the_highest_of_their_windows() -> None:
    tagger = model().eval()
    low, high = bands(2).features
    clips = Clips([torch.cat([low[:, :32], high[:, :32]], dim=1)], torch.ones(1, 2))
    parts = Clips([low[:, :32], high[:, :32]], torch.ones(2, 2))
    assert score(tagger, clips, 32).tolist() == [score(tagger, parts, 32).max(0).tolist()]


@pytest.mark.parametrize("tagger", [model(), ConvTeacher(64, 2)])
def test_the_rest_of_a_long_clip_is_left_out_where_it_is_shorter_than_a_patch(tagger: nn.Module) -> None:
    (clip,) = bands(1).features
    whole, cut = (Clips([clip[:, :frames]], torch.ones(1, 2)) for frames in (39, 32))
    assert (score(tagger.eval(), whole, 32) == score(tagger.eval(), cut, 32)).all()


def test_every_teacher_starts_from_other_weights(tmp_path: Path) -> None:
    train(model(), plan(tmp_path, teachers=Teachers(2, 1)), kept_nowhere)
    state = load_state(tmp_path, IDENTITY)
    assert state is not None
    first, second = (weights["stages.0.0.weight"] for weights in state.teachers)
    assert not torch.equal(first, second)


def test_rare_classes_are_drawn_as_often_as_common_ones() -> None:
    clips = Clips(bands(4).features, torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]]))
    weights = clips.sampling_weights()
    assert weights.sum() == pytest.approx(1)
    assert weights[3] == pytest.approx(weights[:3].sum())


@pytest.mark.parametrize("frames", [16, 17, 100])
def test_a_teacher_takes_any_number_of_frames_and_shows_a_place_for_each_patch(frames: int) -> None:
    logits, seen = ConvTeacher(64, 3).eval().forward_features(torch.zeros(2, 64, frames))
    assert logits.shape == (2, 3)
    assert seen.shape == (2, MAP_CHANNELS, 4, -(-frames // 16))
