"""The model that a training starts from: random weights or a checkpoint, with the classes of the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from cedtag.checkpoints.locate import files_at, resolve
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.errors import InputError
from cedtag.inputs.manifest import canonical
from cedtag.model.config import CedConfig
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.network import CedForAudioClassification
from cedtag.model.preprocessor import front_end_of
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.training.losses import PROBLEM_TYPES
from cedtag.training.settings import SCRATCH_LR, TUNING_LR, ModelFit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from cedtag.training.settings import TrainingSettings


_LAST_LAYER = "1."  # of the head; before it is a norm


@dataclass(frozen=True, slots=True)
class StartingModel:
    """A model on its device, its feature extractor, what both come from, and what they make of the settings."""

    model: CedForAudioClassification
    extractor: CedFeatureExtractor
    origin: str
    fit: ModelFit


def config_named(name: str) -> CedConfig:
    """The architecture of a published size (`tiny`, ...), or the one in a `config.json`."""
    sizes = {known.name.removeprefix("ced-"): known for known in KNOWN_CHECKPOINTS}
    if name in sizes:
        known = sizes[name]
        return CedConfig(embed_dim=known.embed_dim, num_heads=known.num_heads, depth=known.depth)
    if not Path(name).is_file():
        raise InputError(f"`from_config` {name}: no such file; give {', '.join(sizes)} or a config.json")
    return CedConfig.from_file(Path(name))


def origin_files(settings: TrainingSettings) -> Iterator[Path]:
    """The files that a training starts from, where the architecture or the checkpoint is named by its path."""
    if settings.start.from_config:
        yield Path(settings.start.from_config)
    else:
        yield from files_at(settings.choice.model)


def starting_model(settings: TrainingSettings, classes: Sequence[str]) -> StartingModel:
    """The model with these outputs that a training starts from: random weights of an architecture, or a checkpoint.

    Raises ModelError and InputError for a checkpoint or an architecture that there is not, and a device or a precision
    that this machine does not have.
    """
    device, recipe = find_device(settings.compute.device), settings.recipe
    seed = recipe.seed
    if size := settings.start.from_config:
        if settings.start.freeze_encoder:
            raise InputError("`freeze_encoder` needs a trained encoder (`model`), not random weights (`from_config`)")
        config = config_named(size)
        model, extractor, origin = (
            new_model(config, classes, seed),
            CedFeatureExtractor.from_front_end(config.front_end),
            size,
        )
    else:
        choice = settings.choice
        checkpoint = resolve(choice.model, offline=choice.offline, cache_dir=choice.cache_dir)
        model = with_head(CedForAudioClassification.from_checkpoint(checkpoint), classes, seed)
        extractor = CedFeatureExtractor.from_front_end(front_end_of(checkpoint, model.config))
        origin = f"{checkpoint.name}@{checkpoint.commit}" if checkpoint.commit else checkpoint.name
        if settings.start.freeze_encoder:
            freeze_encoder(model)
    model.config = replace(model.config, problem_type=PROBLEM_TYPES[recipe.loss])
    return StartingModel(model.to(device), extractor, origin, _fit(settings, model.config, device))


def new_model(config: CedConfig, classes: Sequence[str], seed: int) -> CedForAudioClassification:
    """A model with random weights and these outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CedForAudioClassification(_with_labels(config, classes))


def with_head(model: CedForAudioClassification, classes: Sequence[str], seed: int) -> CedForAudioClassification:
    """`model` itself if its labels are these, else its encoder below a head that is new for the classes it has not."""
    known = {canonical(name): place for place, name in model.config.id2label.items()}
    if tuple(model.config.id2label.values()) == tuple(classes):
        return model
    adapted = new_model(model.config, classes, seed)
    adapted.encoder.load_state_dict(model.encoder.state_dict())
    rows = [(place, known[name]) for place, name in enumerate(classes) if name in known]
    if rows:
        own, others = list(zip(*rows, strict=True))
        head, old_head = adapted.outputlayer.state_dict(), model.outputlayer.state_dict()
        for name, tensor in old_head.items():
            if head[name].shape == tensor.shape and not name.startswith(_LAST_LAYER):
                head[name].copy_(tensor)
            else:
                head[name][list(own)] = tensor[list(others)]
    return adapted


def freeze_encoder(model: CedForAudioClassification) -> None:
    """Leave the head alone to be trained: a linear probe."""
    model.encoder.requires_grad_(False)


@torch.no_grad()
def set_input_norm(norm: nn.BatchNorm1d, features: Iterable[Tensor]) -> None:
    """Set the running statistics of a new model's mel bins to those of the clips `(mels, frames)`.

    They follow the batches so slowly that a short training would end before they are right.
    """
    count, total, squares = 0, torch.zeros(norm.num_features).double(), torch.zeros(norm.num_features).double()
    for clip in features:
        frames = clip.double()
        count, total, squares = count + frames.shape[1], total + frames.sum(1), squares + frames.square().sum(1)
    mean = total / count
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean.copy_(mean)
        norm.running_var.copy_((squares / count - mean.square()).clamp(min=0) * count / max(1, count - 1))


def crop_frames(crop_s: tuple[float, float], config: CedConfig) -> tuple[int, int]:
    """The lengths of the shortest and the longest crop in frames; InputError for those that the model does not take."""
    least, most = (round(length_s * SAMPLE_RATE_HZ / config.hop_size) for length_s in crop_s)
    if not config.patch_size <= least <= most <= config.target_length:
        limits = [frames * config.hop_size / SAMPLE_RATE_HZ for frames in (config.patch_size, config.target_length)]
        raise InputError(
            f"`crop_s` {crop_s[0]:g} {crop_s[1]:g}: give MIN and MAX, from {limits[0]:g} to {limits[1]:g} s"
        )
    return least, most


def _fit(settings: TrainingSettings, config: CedConfig, device: torch.device) -> ModelFit:
    usual_lr = SCRATCH_LR if settings.start.from_config else TUNING_LR
    lr = usual_lr if settings.recipe.lr is None else settings.recipe.lr
    return ModelFit(lr, config.target_length, find_precision(settings.compute.precision, device))


def _with_labels(config: CedConfig, classes: Sequence[str]) -> CedConfig:
    return replace(config, outputdim=len(classes), id2label=dict(enumerate(classes)), label2id={})
