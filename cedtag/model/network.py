"""CED: a vision transformer over log-mel spectrograms, and its audio-tagging head (arXiv 2308.11957).

Parameters have the names of the Hub's checkpoints, so `state_dict()` is what `model.safetensors` holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cedtag.checkpoints.names import WEIGHTS_NAME
from cedtag.errors import InputError
from cedtag.model.config import CedConfig
from cedtag.model.initialise import initialise_layers, initialise_positions
from cedtag.model.layers import ENCODER_NORM_EPS, Block, Linear, PatchEmbedding
from cedtag.model.output import CedOutput, SingleLabelOutput
from cedtag.model.weights import (
    encoder_weights,
    inferred_config,
    load_weights,
    read_weights,
    save_weights,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from cedtag.checkpoints.locate import Checkpoint

_BATCH_NORM_MOMENTUM = 0.01


class Pretrained(nn.Module):
    """A network that is built from a config, and can be read from and written to checkpoints."""

    def __init__(self, config: CedConfig, *, initialise: bool = True) -> None:
        super().__init__()
        self.config = config
        self._build(config)
        if initialise:
            self._initialise()

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Self:
        """This part of a resolved checkpoint, in evaluation mode."""
        # The config comes first: it is small, and refuses what should not be built.
        config = None if checkpoint.config is None else CedConfig.from_file(checkpoint.config)
        tensors = read_weights(checkpoint.weights)
        model = cls(config or inferred_config(tensors, checkpoint.weights), initialise=False)
        load_weights(model, cls._own_weights(tensors), checkpoint.weights)
        return model.eval()

    @classmethod
    def from_pretrained(cls, name: str | Path) -> Self:
        """This part of a checkpoint: a known name, a Hub repository, a folder or a weights file."""
        from cedtag.checkpoints.locate import resolve

        return cls.from_checkpoint(resolve(str(name)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into `folder`, which is made if need be."""
        save_weights(Path(folder) / WEIGHTS_NAME, self.state_dict())
        self.config.save_pretrained(folder)

    def _build(self, config: CedConfig) -> None:
        """Make the layers; their weights are undefined."""
        raise NotImplementedError

    def _initialise(self) -> None:
        initialise_layers(self)
        for module in self.modules():
            if isinstance(module, CedModel):
                initialise_positions(module.time_pos_embed, module.freq_pos_embed)

    @staticmethod
    def _own_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a checkpoint that belong to this network."""
        return tensors


class CedModel(Pretrained):
    """The encoder: `(batch, n_mels, frames)` in dB -> last hidden states `(batch, tokens, dim)`.

    Tokens are patches of `patch_size` mel bins by as many frames, in the order (frequency, time).

    With `in_place`, for scoring on a CPU, blocks overwrite their tokens in evaluation mode without gradients, and their
    forward hooks are not called. Only rounding changes.
    """

    in_place = False

    def _build(self, config: CedConfig) -> None:
        rows, columns = config.grid_size
        self.init_bn = nn.BatchNorm1d(config.n_mels, momentum=_BATCH_NORM_MOMENTUM)
        self.patch_embed = PatchEmbedding(config)
        self.time_pos_embed = nn.Parameter(torch.empty(1, config.embed_dim, 1, columns))
        self.freq_pos_embed = nn.Parameter(torch.empty(1, config.embed_dim, rows, 1))
        self.pos_drop = nn.Dropout(config.drop_rate)
        # Deeper blocks are dropped more often.
        drop_path_rates = torch.linspace(0, config.drop_path_rate, config.depth).tolist()
        self.blocks = nn.Sequential(*(Block(config, rate) for rate in drop_path_rates))
        self.norm = nn.LayerNorm(config.embed_dim, eps=ENCODER_NORM_EPS)

    def forward(self, input_values: Tensor) -> Tensor:
        _check_features(input_values, self.config)
        patches = self.patch_embed(self.init_bn(input_values))
        patches = patches + self.time_pos_embed[..., : patches.shape[-1]] + self.freq_pos_embed
        # Contiguous once: sums keep the layout of their terms, and every layer norm would copy.
        tokens = self.pos_drop(patches.flatten(2).transpose(1, 2).contiguous())
        if self.in_place and not (self.training or torch.is_grad_enabled()):
            for block in self.blocks:
                cast("Block", block).update_(tokens)
        else:
            tokens = self.blocks(tokens)
        last_hidden_state: Tensor = self.norm(tokens)
        return last_hidden_state

    if TYPE_CHECKING:

        def __call__(self, input_values: Tensor) -> Tensor: ...

    @staticmethod
    def _own_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return encoder_weights(tensors)


class CedForAudioClassification(Pretrained):
    """The tagger: an encoder, the mean of its tokens, and one logit per class."""

    def _build(self, config: CedConfig) -> None:
        self.encoder = CedModel(config, initialise=False)
        self.outputlayer = nn.Sequential(nn.LayerNorm(config.embed_dim), Linear(config.embed_dim, config.outputdim))

    def forward(self, input_values: Tensor, labels: Tensor | None = None) -> CedOutput:
        """Logits for features `(batch, n_mels, frames)`, and the loss against labels if there are any.

        `labels` are class indices `(batch,)`, or 0 to 1 for each class `(batch, classes)` for clips of several sounds.
        The loss is the mean binary cross-entropy; the cross-entropy, if the problem type of the model is single-label.
        """
        last_hidden_state = self.encoder(input_values)
        logits = self.outputlayer(last_hidden_state.mean(1))
        single = self.config.is_single_label
        kind = SingleLabelOutput if single else CedOutput
        if labels is None:
            return kind((logits, last_hidden_state))
        targets = _targets(labels, logits)
        loss = F.cross_entropy(logits, targets) if single else F.binary_cross_entropy_with_logits(logits, targets)
        return kind((loss, logits, last_hidden_state))

    if TYPE_CHECKING:

        def __call__(self, input_values: Tensor, labels: Tensor | None = None) -> CedOutput: ...


def _check_features(input_values: Tensor, config: CedConfig) -> None:
    if input_values.ndim != 3 or input_values.shape[1] != config.n_mels:
        raise InputError(
            f"the features have shape {tuple(input_values.shape)}, expected (batch, {config.n_mels}, frames); "
            "make them with CedFeatureExtractor"
        )
    frames = input_values.shape[2]
    if frames > config.target_length:
        raise InputError(
            f"the features have {frames} frames, but this model takes {config.target_length} at most "
            f"({config.target_length * config.hop_size - 1} samples); cut the audio into windows first"
        )
    if frames < config.patch_size:
        raise InputError(f"the features have {frames} frames, expected at least one patch of {config.patch_size}")


def _targets(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels as one target in [0, 1] per clip and class, shaped like `logits` `(batch, classes)`."""
    batch, classes = logits.shape
    if labels.shape == logits.shape:
        if not _hold((labels >= 0) & (labels <= 1)):
            raise InputError("the multi-hot labels hold values outside 0 to 1")
        return labels.to(logits.dtype)
    if labels.shape != (batch,):
        raise InputError(
            f"the labels have shape {tuple(labels.shape)}, expected class indices ({batch},) "
            f"or multi-hot ({batch}, {classes})"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise InputError(f"the labels have type {labels.dtype}, expected integers: one class index per clip")
    if not _hold((labels >= 0) & (labels < classes)):
        raise InputError(f"the labels hold indices outside 0 to {classes - 1}")
    return F.one_hot(labels.long(), classes).to(logits.dtype)


def _hold(conditions: Tensor) -> bool:
    """Whether all hold; while a graph is made, values are not known, and they are taken to."""
    return torch.compiler.is_compiling() or bool(conditions.all())
