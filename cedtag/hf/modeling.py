"""The networks of a CED as transformers has them: the layers of `cedtag.model`, saved, loaded and trained its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from cedtag.hf.configuration import CedConfig
from cedtag.model.encoder import Encoder, clip_frames, clip_means
from cedtag.model.initialise import initialise_layers, initialise_positions
from cedtag.model.layers import Attention, Linear
from cedtag.model.network import loss_of, output_layer

if TYPE_CHECKING:
    from collections.abc import Sequence


class CedPreTrainedModel(PreTrainedModel):
    """What both networks share."""

    config_class = CedConfig
    base_model_prefix = "encoder"
    main_input_name = "input_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Block"]  # noqa: RUF012 -- transformers declares it

    def _init_weights(self, module: nn.Module) -> None:
        if all(getattr(weight, "_is_hf_initialized", False) for weight in module.parameters(recurse=False)):
            return  # they come from a checkpoint
        if isinstance(module, Linear):
            initialise_layers(module)
        elif isinstance(
            module, Encoder
        ):  # after its layers; transformers leaves modules without weights of their own out
            initialise_positions(module.time_pos_embed, module.freq_pos_embed)
            for layer in module.modules():
                if isinstance(layer, Attention) and not hasattr(layer.qkv.weight, "_is_hf_initialized"):
                    initialise_layers(layer)
        elif isinstance(module, nn.Conv2d | nn.LayerNorm | nn.BatchNorm1d):
            module.reset_parameters()


class CedModel(Encoder, CedPreTrainedModel):
    """The encoder, with the tensor names that it has below `encoder.` in a tagger."""

    _keys_to_ignore_on_load_unexpected = [r"^outputlayer\."]  # noqa: RUF012 -- transformers declares it

    def __init__(self, config: CedConfig) -> None:
        super().__init__(config)
        self._build(config.plain)
        self.gradient_checkpointing = False
        self.post_init()

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None, return_dict: bool | None = None
    ) -> BaseModelOutput | tuple[Tensor, ...]:
        """Last hidden states `(batch, tokens, dim)` of features `(batch, n_mels, frames)` of any length."""
        hidden = self.encode_clips(input_values, frames_of(input_values, attention_mask))
        output = BaseModelOutput(last_hidden_state=hidden)
        return output if _as_dict(self, return_dict) else output.to_tuple()

    def through_blocks(self, tokens: Tensor) -> Tensor:
        """The tokens after all blocks; in training, their activations are computed again where that saves memory."""
        if not (self.gradient_checkpointing and self.training):
            return super().through_blocks(tokens)
        for block in self.blocks:
            tokens = self._gradient_checkpointing_func(block.__call__, tokens)
        return tokens


class CedForAudioClassification(CedPreTrainedModel):
    """The tagger; `config.problem_type` decides the loss, and which posteriors a pipeline shows."""

    def __init__(self, config: CedConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.encoder = CedModel(config)
        self.outputlayer = output_layer(config.plain)
        self.post_init()

    def forward(
        self,
        input_values: Tensor,
        labels: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, classes)` of features `(batch, n_mels, frames)` of any length, and the loss against labels.

        `labels` are class indices `(batch,)`, or 0 to 1 for each class `(batch, classes)`.
        """
        frames, config = frames_of(input_values, attention_mask), self.config.plain
        hidden = self.encoder.encode_clips(input_values, frames)
        logits = self.outputlayer(clip_means(hidden, frames, config))
        loss = None if labels is None else loss_of(logits, labels, config)
        output = SequenceClassifierOutput(loss=loss, logits=logits)
        return output if _as_dict(self, return_dict) else output.to_tuple()


def frames_of(input_values: Tensor, attention_mask: Tensor | None) -> Sequence[int]:
    """The number of frames of each clip: all, where no mask says otherwise."""
    if attention_mask is None:
        return [input_values.shape[-1]] * len(input_values)
    return clip_frames(attention_mask, input_values)


def _as_dict(model: PreTrainedModel, wanted: bool | None) -> bool:
    return bool(model.config.return_dict if wanted is None else wanted)
