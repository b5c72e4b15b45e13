"""CED: a vision transformer over log-mel spectrograms, and its audio-tagging head (arXiv 2308.11957).

Parameters have the names of the Hub's checkpoints, so `state_dict()` is what `model.safetensors` holds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
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
    with_matching_head,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    def from_checkpoint(
        cls, checkpoint: Checkpoint, *, num_labels: int | None = None, ignore_mismatched_sizes: bool = False
    ) -> Self:
        """This part of a resolved checkpoint, in evaluation mode.

        Another number of classes is an error, unless with `ignore_mismatched_sizes` the last layer is new.
        """
        # The config comes first: it is small, and refuses what should not be built.
        config = None if checkpoint.config is None else CedConfig.from_file(checkpoint.config)
        tensors = read_weights(checkpoint.weights)
        config = config or inferred_config(tensors, checkpoint.weights)
        if num_labels not in (None, config.outputdim):
            config = replace(config, outputdim=num_labels, id2label={}, label2id={})
        model = cls(config, initialise=ignore_mismatched_sizes)
        own = cls._own_weights(tensors)
        if ignore_mismatched_sizes:
            own = with_matching_head(own, model.state_dict())
        load_weights(model, own, checkpoint.weights)
        return model.eval()

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        dtype: torch.dtype | None = None,
        torch_dtype: torch.dtype | None = None,
        num_labels: int | None = None,
        ignore_mismatched_sizes: bool = False,
    ) -> Self:
        """This part of a checkpoint: a known name, a Hub repository, a folder or a weights file.

        The parameters are those of transformers; `torch_dtype` is the old name of `dtype`, by default float32.
        """
        from cedtag.checkpoints.locate import resolve_pretrained

        checkpoint = resolve_pretrained(name, revision, cache_dir, local_files_only=local_files_only)
        model = cls.from_checkpoint(checkpoint, num_labels=num_labels, ignore_mismatched_sizes=ignore_mismatched_sizes)
        return model.to(dtype or torch_dtype or torch.float32)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return next(self.parameters()).dtype

    def num_parameters(self, only_trainable: bool = False) -> int:
        """The number of weights; with `only_trainable`, of those that training changes."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad or not only_trainable)

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


class Encoder:
    """What every encoder has, whichever kind of `nn.Module` it is: its layers, and the way through them."""

    training: bool
    in_place = False

    def _build(self, config: CedConfig) -> None:
        self.plain_config = config
        rows, columns = config.grid_size
        self.init_bn = nn.BatchNorm1d(config.n_mels, momentum=_BATCH_NORM_MOMENTUM)
        self.patch_embed = PatchEmbedding(config)
        self.time_pos_embed = nn.Parameter(torch.empty(1, config.embed_dim, 1, columns))
        self.freq_pos_embed = nn.Parameter(torch.empty(1, config.embed_dim, rows, 1))
        self.pos_drop = nn.Dropout(config.drop_rate)
        # Deeper blocks are dropped more often.
        drop_path_rates = np.linspace(0, config.drop_path_rate, config.depth, dtype=np.float32).tolist()
        self.blocks = nn.Sequential(*(Block(config, rate) for rate in drop_path_rates))
        self.norm = nn.LayerNorm(config.embed_dim, eps=ENCODER_NORM_EPS)

    def encode(self, input_values: Tensor) -> Tensor:
        """Last hidden states `(batch, tokens, dim)` of features `(batch, n_mels, frames)` without padding."""
        check_features(input_values, self.plain_config)
        patches = self.patch_embed(self.init_bn(input_values.to(self.init_bn.weight.dtype)))
        patches = patches + self.time_pos_embed[..., : patches.shape[-1]] + self.freq_pos_embed
        # Contiguous once: sums keep the layout of their terms, and every layer norm would copy.
        tokens = self.pos_drop(patches.flatten(2).transpose(1, 2).contiguous())
        if self.in_place and not (self.training or torch.is_grad_enabled()):
            for block in self.blocks:
                cast("Block", block).update_(tokens)
        else:
            tokens = self.through_blocks(tokens)
        last_hidden_state: Tensor = self.norm(tokens)
        return last_hidden_state

    def encode_clips(self, input_values: Tensor, num_frames: Sequence[int]) -> Tensor:
        """The same of clips that have `num_frames`, each as if it were alone; tokens beyond those of a clip are zero.

        Clips longer than the model takes are cut into windows of that length, whose tokens follow one another.
        """
        patch, (rows, most_columns) = self.plain_config.patch_size, self.plain_config.grid_size
        longest = most_columns * patch
        windows = defaultdict(list)
        for clip, frames in enumerate(num_frames):
            for start in range(0, max(1, frames - patch + 1), longest):
                windows[min(longest, frames - start)].append((clip, start))
        encoded: list[tuple[int, int, Tensor]] = []
        for length, places in windows.items():  # one length at a time, so that no padding can reach a clip
            features = torch.stack([input_values[clip, :, start : start + length] for clip, start in places])
            tokens = self.encode(features).reshape(len(places), rows, length // patch, -1)
            encoded += [(clip, start // patch, own) for (clip, start), own in zip(places, tokens, strict=True)]
        _, _, some = encoded[0]
        hidden = some.new_zeros(len(num_frames), rows, max(num_frames) // patch, some.shape[-1])
        for clip, column, tokens in encoded:
            hidden[clip, :, column : column + tokens.shape[1]] = tokens
        return hidden.flatten(1, 2)

    def through_blocks(self, tokens: Tensor) -> Tensor:
        """The tokens after all blocks."""
        after: Tensor = self.blocks(tokens)
        return after


class CedModel(Encoder, Pretrained):
    """The encoder: `(batch, n_mels, frames)` in dB -> last hidden states `(batch, tokens, dim)`.

    Tokens are patches of `patch_size` mel bins by as many frames, in the order (frequency, time).

    With `in_place`, for scoring on a CPU, blocks overwrite their tokens in evaluation mode without gradients, and their
    forward hooks are not called. Only rounding changes.
    """

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Hidden states of each clip as if it were alone, where `attention_mask` `(batch, frames)` is 1 on its frames.

        The tokens beyond those of a clip are zero.
        """
        if attention_mask is None:
            return self.encode(input_values)
        check_features(input_values, self.config)
        return self.encode_clips(input_values, clip_frames(attention_mask, input_values))

    if TYPE_CHECKING:

        def __call__(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor: ...

    @staticmethod
    def _own_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return encoder_weights(tensors)


class CedForAudioClassification(Pretrained):
    """The tagger: an encoder, the mean of its tokens, and one logit per class."""

    def _build(self, config: CedConfig) -> None:
        self.encoder = CedModel(config, initialise=False)
        self.outputlayer = output_layer(config)

    def forward(
        self, input_values: Tensor, labels: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> CedOutput:
        """Logits for features `(batch, n_mels, frames)`, and the loss against labels if there are any.

        `attention_mask` `(batch, frames)` is 1 on the frames of a clip and 0 on its padding, which changes nothing.
        `labels` are class indices `(batch,)`, or 0 to 1 for each class `(batch, classes)` for clips of several sounds.
        The loss is the mean binary cross-entropy; the cross-entropy, if the problem type of the model is single-label.
        """
        last_hidden_state = self.encoder(input_values, attention_mask)
        if attention_mask is None:
            logits = self.outputlayer(last_hidden_state.mean(1))
        else:
            logits = self.outputlayer(
                clip_means(last_hidden_state, clip_frames(attention_mask, input_values), self.config)
            )
        kind = SingleLabelOutput if self.config.is_single_label else CedOutput
        if labels is None:
            return kind((logits, last_hidden_state))
        return kind((loss_of(logits, labels, self.config), logits, last_hidden_state))

    if TYPE_CHECKING:

        def __call__(
            self, input_values: Tensor, labels: Tensor | None = None, attention_mask: Tensor | None = None
        ) -> CedOutput: ...


def output_layer(config: CedConfig) -> nn.Sequential:
    """The head: from the mean of a clip's tokens to its logits."""
    return nn.Sequential(nn.LayerNorm(config.embed_dim), Linear(config.embed_dim, config.outputdim))


def loss_of(logits: Tensor, labels: Tensor, config: CedConfig) -> Tensor:
    """The mean binary cross-entropy; for models of one class a clip the mean cross-entropy."""
    targets = _targets(labels, logits)
    if config.is_single_label:
        return F.cross_entropy(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets)


def clip_frames(attention_mask: Tensor, input_values: Tensor) -> list[int]:
    """The number of frames of each clip that a mask `(batch, frames)` of ones, then zeros, states."""
    shape = (len(input_values), input_values.shape[-1])
    num_frames = attention_mask.sum(-1)
    if attention_mask.shape != shape or not torch.equal(
        attention_mask.bool(), torch.arange(shape[1], device=attention_mask.device) < num_frames[:, None]
    ):
        raise InputError(
            f"the attention_mask has shape {tuple(attention_mask.shape)}, expected {shape}: 1 on the frames of a clip, "
            "then 0 on its padding"
        )
    frames: list[int] = num_frames.tolist()
    return frames


def clip_means(hidden: Tensor, num_frames: Sequence[int], config: CedConfig) -> Tensor:
    """The mean of each clip's tokens, `(batch, dim)`, in hidden states that are zero elsewhere."""
    if len(set(num_frames)) == 1:
        return hidden.mean(1)
    num_tokens = [frames // config.patch_size * config.grid_size[0] for frames in num_frames]
    return hidden.sum(1) / hidden.new_tensor(num_tokens)[:, None]


def check_features(input_values: Tensor, config: CedConfig) -> None:
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
