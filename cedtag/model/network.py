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
from cedtag.model.output import CedOutput
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

_ENCODER_NORM_EPS = 1e-6
_BATCH_NORM_MOMENTUM = 0.01
_VALUE_GAIN = 0.63  # its square, 0.4, is how much of what it finds a token takes away
_POSITION_GAIN = 0.5


class Linear(nn.Linear):
    """Skips default initialisation; weights come from a checkpoint or `_initialise`."""

    def reset_parameters(self) -> None:
        pass


class Attention(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.drop_rate = config.attn_drop_rate
        self.qkv = Linear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = Linear(config.embed_dim, config.embed_dim)
        self.proj_drop = nn.Dropout(config.drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        merged: Tensor = self.proj_drop(self.proj(self.mix(tokens)))
        return merged

    def mix(self, tokens: Tensor) -> Tensor:
        """What each token takes from the others `(batch, length, dim)`, head beside head."""
        batch, length, _ = tokens.shape
        qkv = self.qkv(tokens).view(batch, length, 3, self.num_heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, dim / heads)
        dropout = self.drop_rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.fc1 = Linear(config.embed_dim, config.hidden_dim)
        self.fc2 = Linear(config.hidden_dim, config.embed_dim)
        self.drop = nn.Dropout(config.drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.drop(F.gelu(self.fc1(tokens)))
        mapped: Tensor = self.drop(self.fc2(hidden))
        return mapped


class DropPath(nn.Module):
    """In training, leaves out a whole residual branch for some clips of the batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.rate
        return branch * kept / (1 - self.rate)


class Block(nn.Module):
    def __init__(self, config: CedConfig, drop_path_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=_ENCODER_NORM_EPS)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=_ENCODER_NORM_EPS)
        self.mlp = FeedForward(config)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        residual: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return residual

    def update_(self, tokens: Tensor) -> None:
        """Do in evaluation what `forward` does, in place in `tokens`, which is contiguous.

        Matrix products add to the tokens themselves, and GELU overwrites what it is given: on a CPU, passes over memory
        are what the products leave to save.
        """
        _add_linear_(tokens, self.attn.proj, self.attn.mix(self.norm1(tokens)))
        hidden = self.mlp.fc1(self.norm2(tokens))
        _add_linear_(tokens, self.mlp.fc2, torch.ops.aten.gelu_.default(hidden))


def _add_linear_(tokens: Tensor, linear: Linear, inputs: Tensor) -> None:
    """Add what a linear layer makes of `inputs` `(batch, length, n)` to `tokens` `(batch, length, dim)`."""
    rows = tokens.view(-1, tokens.shape[-1])  # never a copy, to which the sum would be lost
    rows.add_(linear.bias).addmm_(inputs.flatten(0, 1), linear.weight.T)


class PatchEmbedding(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, config.embed_dim, kernel_size=config.patch_size, stride=config.patch_size)

    def forward(self, features: Tensor) -> Tensor:
        """Patches `(batch, dim, rows, columns)` of `(batch, n_mels, frames)`; frames that fill no patch are unused."""
        patches: Tensor = self.proj(features.unsqueeze(1))
        return patches


class Pretrained(nn.Module):
    """A network that is built from a config, and can be read from and written to checkpoints."""

    def __init__(self, config: CedConfig, *, initialise: bool = True) -> None:
        super().__init__()
        self.config = config
        self._build(config)
        if initialise:
            _initialise(self)

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
        """Make the layers, their weights still undefined."""
        raise NotImplementedError

    @staticmethod
    def _own_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Those of a checkpoint's tensors that this network has."""
        return tensors


class CedModel(Pretrained):
    """The encoder: `(batch, n_mels, frames)` in dB -> last hidden states `(batch, tokens, dim)`.

    Tokens are patches of 16 mel bins by 16 frames, in the order (frequency, time).

    With `in_place`, for scoring on a CPU, blocks in evaluation mode overwrite their tokens wherever no gradients are
    asked for, and their forward hooks are not called. It changes rounding alone.
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
        self.norm = nn.LayerNorm(config.embed_dim, eps=_ENCODER_NORM_EPS)

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
    """The tagger: an encoder, the mean over its tokens, and one logit per class."""

    def _build(self, config: CedConfig) -> None:
        self.encoder = CedModel(config, initialise=False)
        self.outputlayer = nn.Sequential(nn.LayerNorm(config.embed_dim), Linear(config.embed_dim, config.outputdim))

    def forward(self, input_values: Tensor, labels: Tensor | None = None) -> CedOutput:
        """Logits for features `(batch, n_mels, frames)`, and the loss against labels if there are any.

        `labels` are class indices `(batch,)`, or 0 to 1 for each class `(batch, classes)` for clips of several sounds.
        The loss is the mean binary cross-entropy.
        """
        last_hidden_state = self.encoder(input_values)
        logits = self.outputlayer(last_hidden_state.mean(1))
        if labels is None:
            return CedOutput((logits, last_hidden_state))
        loss = F.binary_cross_entropy_with_logits(logits, _targets(labels, logits))
        return CedOutput((loss, logits, last_hidden_state))

    if TYPE_CHECKING:

        def __call__(self, input_values: Tensor, labels: Tensor | None = None) -> CedOutput: ...


@torch.no_grad()
def _initialise(model: nn.Module) -> None:
    """Fill a new model for training from scratch, so that a few hundred clips are enough to learn something.

    Linear weights are uniform after Glorot, as in the first vision transformers (arXiv 2010.11929): from the narrow
    normal ones that are usual a CED of 128 dimensions took twice as many epochs to the same loss. Attention and
    positions begin like those of trained transformers (mimetic initialisation, arXiv 2305.09828).
    """
    for module in model.modules():
        if isinstance(module, Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.zero_()
    for module in model.modules():
        if isinstance(module, Attention):
            _initialise_attention(module)
        elif isinstance(module, CedModel):
            _initialise_positions(module)


def _initialise_attention(attention: Attention) -> None:
    """Let every token attend to those like it, and take away a part of what it finds there."""
    queries, keys, values = attention.qkv.weight.chunk(3)
    nn.init.orthogonal_(queries)
    keys.copy_(queries)
    nn.init.orthogonal_(values, gain=_VALUE_GAIN)
    attention.proj.weight.copy_(-values.T)


def _initialise_positions(encoder: CedModel) -> None:
    """Waves along time in one half of the dimensions and along frequency in the other: near places are alike."""
    rows, columns = encoder.config.grid_size
    half = encoder.config.embed_dim // 2
    encoder.time_pos_embed.zero_()
    encoder.freq_pos_embed.zero_()
    encoder.time_pos_embed[0, :half, 0] = _waves(half, columns)
    encoder.freq_pos_embed[0, half:, :, 0] = _waves(encoder.config.embed_dim - half, rows)


def _waves(dim: int, length: int) -> Tensor:
    """Sines and cosines `(dim, length)` with periods from 2 pi to about the length."""
    periods = max(2.0, length) ** (-torch.arange(0, dim, 2) / dim)
    angles = periods[:, None] * torch.arange(length)
    return _POSITION_GAIN * torch.cat([angles.sin(), angles.cos()])[:dim]


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
