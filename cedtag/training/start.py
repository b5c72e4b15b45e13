"""The model that a training starts from: new from a config, or a checkpoint, with the labels of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.errors import InputError
from cedtag.model.config import CedConfig
from cedtag.model.network import CedForAudioClassification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def config_named(name: str) -> CedConfig:
    """The architecture of a published size (`tiny`, ...), or the one in a `config.json`."""
    sizes = {known.name.removeprefix("ced-"): known for known in KNOWN_CHECKPOINTS}
    if name in sizes:
        known = sizes[name]
        return CedConfig(embed_dim=known.embed_dim, num_heads=known.num_heads, depth=known.depth)
    if not Path(name).is_file():
        raise InputError(f"--from-config {name}: no such file; give {', '.join(sizes)} or a config.json")
    return CedConfig.from_file(Path(name))


def new_model(config: CedConfig, classes: Sequence[str], seed: int) -> CedForAudioClassification:
    """A model with first random weights and these outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CedForAudioClassification(_with_labels(config, classes))


def with_head(model: CedForAudioClassification, classes: Sequence[str], seed: int) -> CedForAudioClassification:
    """`model` itself if its labels are these, else its encoder below a new head."""
    if tuple(model.config.id2label.values()) == tuple(classes):
        return model
    adapted = new_model(model.config, classes, seed)
    adapted.encoder.load_state_dict(model.encoder.state_dict())
    return adapted


def freeze_encoder(model: CedForAudioClassification) -> None:
    """Leave only the head to be trained: a linear probe."""
    model.encoder.requires_grad_(False)


@torch.no_grad()
def set_input_norm(norm: nn.BatchNorm1d, features: Sequence[Tensor]) -> None:
    """Start the running statistics of a new model's mel bins at those of the clips `(mels, frames)`.

    They follow the batches only slowly, so that a short training would end before they are right.
    """
    frames = torch.cat(list(features), dim=-1).double()
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean.copy_(frames.mean(-1))
        norm.running_var.copy_(frames.var(-1))


def _with_labels(config: CedConfig, classes: Sequence[str]) -> CedConfig:
    return replace(config, outputdim=len(classes), id2label=dict(enumerate(classes)), label2id={})
