"""One step and one epoch. Every epoch has its own random seed, so a resumed run equals an uninterrupted one."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cedtag.errors import ModelError
from cedtag.model.network import CedForAudioClassification
from cedtag.training import losses
from cedtag.training.feed import batches, num_batches
from cedtag.training.teacher import FEWEST_FRAMES, MAP_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.model.config import CedConfig
    from cedtag.training.clips import Clips
    from cedtag.training.feed import Feed
    from cedtag.training.settings import ModelFit, Recipe
    from cedtag.training.teacher import ConvTeacher

GRADIENT_NORM = 1.0
EMA_WARM_UP_STEPS = 20
_STATEFUL = ("model", "average", "hints", "optimizer", "scaler")


class Trainer:
    """A model in training: its weights, their moving average, the optimizer, and the numbers of epochs and steps done.

    A model with teachers must be a CED. `hints` map its hidden states to the feature map of each teacher.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, fit: ModelFit, teachers: Sequence[ConvTeacher] = ()) -> None:
        self.model = model
        self.recipe, self.fit = recipe, fit
        self.teachers = [teacher.eval() for teacher in teachers]
        self.average = copy.deepcopy(model).eval()
        self.hints = _hints(model, len(teachers), recipe.seed)
        parameters = [p for p in [*model.parameters(), *self.hints.parameters()] if p.requires_grad]
        self.optimizer = torch.optim.AdamW(_groups(parameters, recipe.weight_decay), lr=fit.lr, betas=(0.9, 0.98))
        self.scaler = torch.amp.GradScaler(device_of(model).type, enabled=fit.precision == "fp16")
        self.epoch = 0
        self.steps = 0

    def state(self) -> dict[str, Any]:
        """Everything from which the next epoch follows."""
        parts = {name: getattr(self, name).state_dict() for name in _STATEFUL}
        return {**parts, "epoch": self.epoch, "steps": self.steps}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.steps = state["epoch"], state["steps"]

    def run_epoch(self, feed: Feed, on_step: Callable[[], object] = lambda: None) -> float:
        """Train on each clip once, or on as many that are sampled to balance the classes; the mean loss of a clip."""
        recipe = self.recipe
        torch.manual_seed(int(np.random.default_rng([recipe.seed, self.epoch]).integers(2**63)))
        # Frozen parts keep their statistics, too.
        for part in self.model.children():
            part.train(any(parameter.requires_grad for parameter in part.parameters()))
        steps, total = num_batches(feed, recipe), 0.0
        for features, targets in batches(feed, recipe, self.epoch):
            factor = learning_rate(self.steps, steps * recipe.warm_up_epochs, steps * recipe.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = self.fit.lr * factor
            loss = train_step(self, features, targets)
            if not math.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss} in epoch {self.epoch + 1}: the training diverged; "
                    f"start again with a learning rate (`lr`) below {self.fit.lr:g}"
                )
            total += loss * len(features)
            on_step()
        self.epoch += 1
        return total / len(feed)


def learning_rate(step: int, warm_up: float, total: int) -> float:
    """The factor of the learning rate: a linear warm-up, times half a period of a cosine down to 0."""
    return min(1.0, (step + 1) / max(1.0, warm_up)) * (0.5 + 0.5 * math.cos(math.pi * step / total))


def train_step(trainer: Trainer, features: Tensor, targets: Tensor) -> float:
    """Update the weights once by the gradient of the loss of this batch; the loss."""
    recipe, device = trainer.recipe, device_of(trainer.model)
    features, targets = features.to(device), targets.to(device)
    loss_of = losses.LOSSES[recipe.loss]
    with autocast(device, trainer.fit.precision):
        if trainer.teachers:
            loss = taught_loss(trainer, features, targets)
        else:
            loss = loss_of(logits_of(trainer.model, features), targets)
    trainer.optimizer.zero_grad()
    torch.autograd.backward(trainer.scaler.scale(loss))
    trainer.scaler.unscale_(trainer.optimizer)
    nn.utils.clip_grad_norm_((p for p in trainer.model.parameters() if p.requires_grad), GRADIENT_NORM)
    trainer.scaler.step(trainer.optimizer)
    trainer.scaler.update()
    trainer.steps += 1
    update_average(trainer.average, trainer.model, recipe.ema, trainer.steps)
    return loss.item()


def taught_loss(trainer: Trainer, features: Tensor, targets: Tensor) -> Tensor:
    """The loss of a CED against labels, its teachers' posteriors and their feature maps."""
    recipe, patch = trainer.recipe, config_of(trainer.model).patch_size
    rows, columns = features.shape[1] // patch, features.shape[2] // patch
    with torch.no_grad():
        taught = [teacher.forward_features(features[..., : columns * patch]) for teacher in trainer.teachers]
        posteriors = torch.stack([losses.posteriors(logits.float(), recipe.loss) for logits, _ in taught]).mean(0)
    output = trainer.model(features)
    loss_of = losses.LOSSES[recipe.loss]
    loss = losses.distillation_loss(output.logits.float(), targets, posteriors, loss_of, recipe.distill_weight)
    for hint, (_, teacher_map) in zip(trainer.hints, taught, strict=True):
        student_map = hint(output.last_hidden_state).transpose(1, 2).unflatten(2, (rows, columns))
        pooled = functional.adaptive_avg_pool2d(teacher_map, (rows, columns))  # no change where patches are 16 wide
        loss = loss + recipe.hint_weight / len(taught) * losses.hint_loss(student_map.float(), pooled.float())
    return loss


def logits_of(model: nn.Module, features: Tensor) -> Tensor:
    """A CED's logits, or the plain output of any other module."""
    output = model(features)
    return (output if torch.is_tensor(output) else output.logits).float()


@torch.no_grad()
def score(model: nn.Module, clips: Clips, window_frames: int, loss: str = "bce") -> NDArray[np.float64]:
    """The posteriors `(clips, classes)` of whole clips; of clips longer than a window, the highest of any window."""
    device = device_of(model)
    fewest = model.config.patch_size if isinstance(model, CedForAudioClassification) else FEWEST_FRAMES
    scores = []
    for clip in clips.features:
        first, *rest = torch.split(clip.float(), window_frames, dim=-1)
        windows = [first, *(window for window in rest if window.shape[-1] >= fewest)]
        of_windows = [losses.posteriors(logits_of(model, window[None].to(device)), loss)[0] for window in windows]
        scores.append(torch.stack(of_windows).amax(0).cpu())
    return np.asarray(torch.stack(scores).double().numpy())


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, steps: int) -> None:
    """Move the average towards the model's weights and buffers, faster in the first steps."""
    step_size = 1 - min(decay, steps / (steps + EMA_WARM_UP_STEPS))
    for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, step_size)
        else:
            old.copy_(new)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context that computes in this precision; in "fp32" it changes nothing."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=precision != "fp32")


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's weights."""
    return next(model.parameters()).device


def _hints(model: nn.Module, num_teachers: int, seed: int) -> nn.ModuleList:
    """A linear layer from a CED's hidden states to the feature map of each teacher."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hints = [nn.Linear(config_of(model).embed_dim, MAP_CHANNELS) for _ in range(num_teachers)]
    return nn.ModuleList(hints).to(device_of(model))


def config_of(model: nn.Module) -> CedConfig:
    """The config of a model that can have teachers."""
    assert isinstance(model, CedForAudioClassification), "only a CED has teachers"
    return model.config


def _groups(parameters: Sequence[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay is for matrices: neither biases nor norms nor position embeddings shrink."""
    matrices = [p for p in parameters if p.ndim > 1 and p.shape[0] > 1]
    others = [p for p in parameters if not (p.ndim > 1 and p.shape[0] > 1)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
