"""The config of a CED as transformers has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import PreTrainedConfig

from cedtag.model.config import MODEL_TYPE, MULTI_LABEL
from cedtag.model.config import CedConfig as PlainConfig


class CedConfig(PreTrainedConfig):
    """The fields of `cedtag.CedConfig`, which checks them; `outputdim` is another name of `num_labels`."""

    if TYPE_CHECKING:
        id2label: dict[int, str]

    model_type = MODEL_TYPE
    attribute_map = {  # noqa: RUF012 -- transformers declares it
        "hidden_size": "embed_dim",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "depth",
    }

    embed_dim: int = 192
    num_heads: int = 3
    depth: int = 12
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    patch_size: int = 16
    patch_stride: int = 16
    target_length: int = 1012
    pooling: str = "mean"
    eval_avg: str = "mean"
    pad_last: bool = True
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    n_fft: int = 512
    win_size: int = 512
    hop_size: int = 160
    f_min: float = 0
    f_max: float = 8000
    n_mels: int = 64
    center: bool = True
    problem_type: str | None = MULTI_LABEL  # without it transformers takes the softmax for granted

    def __post_init__(self, **kwargs: Any) -> None:
        if self.id2label is None:
            num_labels = kwargs.pop("num_labels", None) or kwargs.get("outputdim") or PlainConfig().outputdim
            default = PlainConfig(outputdim=num_labels)
            self.id2label, self.label2id = default.id2label, default.label2id
        super().__post_init__(**kwargs)

    @property
    def outputdim(self) -> int:
        """The number of classes, under the Hub's name."""
        return len(self.id2label)

    @outputdim.setter
    def outputdim(self, num_labels: int) -> None:
        self.num_labels = num_labels

    @property
    def plain(self) -> PlainConfig:
        """The same as a `cedtag.CedConfig`; a ModelError where a field has no value that a CED has."""
        return PlainConfig.from_dict(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """All fields, with the Hub's `outputdim`."""
        return {**super().to_dict(), "outputdim": self.outputdim}

    def to_diff_dict(self) -> dict[str, Any]:
        """All fields: what other readers take for the default is not what this one does."""
        return self.to_dict()
