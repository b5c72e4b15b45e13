"""CED: a vision transformer over log-mel spectrograms, and its audio-tagging head (arXiv 2308.11957).

Parameters have the names of the Hub's checkpoints, so `state_dict()` is what `model.safetensors` holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cedtag.errors import InputError
from cedtag.model.encoder import Encoder, check_features, clip_frames, clip_means
from cedtag.model.layers import Linear
from cedtag.model.output import CedOutput, SingleLabelOutput
from cedtag.model.pretrained import Pretrained
from cedtag.model.weights import encoder_weights

if TYPE_CHECKING:
    from cedtag.model.config import CedConfig


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

    def of_columns(self, output: CedOutput) -> CedOutput:
        """Logits `(batch, columns, classes)` of each column of tokens, the patches of one time step.

        Their mean is not the logit of the clip.
        """
        hidden = output.last_hidden_state
        columns = hidden.reshape(len(hidden), self.config.grid_size[0], -1, hidden.shape[-1]).mean(1)
        return type(output)((self.outputlayer(columns), columns))

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
