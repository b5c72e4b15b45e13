"""CED's encoder: its layers, and the way of spectrograms through them, in batches of clips of any length."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from cedtag.errors import InputError
from cedtag.model.layers import ENCODER_NORM_EPS, Block, PatchEmbedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.model.config import CedConfig

_BATCH_NORM_MOMENTUM = 0.01


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
