"""Networks that are read from checkpoints and written to them, with the parameters that transformers has for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from cedtag.checkpoints.names import WEIGHTS_NAME
from cedtag.model.config import CedConfig
from cedtag.model.encoder import Encoder
from cedtag.model.initialise import initialise_layers, initialise_positions
from cedtag.model.weights import inferred_config, load_weights, read_weights, save_weights, with_matching_head

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    from cedtag.checkpoints.locate import Checkpoint


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
            if isinstance(module, Encoder):
                initialise_positions(module.time_pos_embed, module.freq_pos_embed)

    @staticmethod
    def _own_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a checkpoint that belong to this network."""
        return tensors
