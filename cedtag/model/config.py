"""The architecture, front end and labels of a CED, as in the Hub's `config.json`."""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from cedtag.checkpoints.names import CONFIG_NAME
from cedtag.errors import ModelError
from cedtag.model.fields import check_integer, check_number, refuse
from cedtag.model.front_end import PATCH_LIMITS, FrontEnd
from cedtag.model.json_file import read_json_object, write_json_object

MODEL_TYPE = "ced"
ARCHITECTURE = "CedForAudioClassification"
MULTI_LABEL, SINGLE_LABEL = "multi_label_classification", "single_label_classification"

_MAX_LABEL_CHARACTERS = 1_000
# Ten times ced-base; a config alone must not be able to ask for all memory.
_MAX_BLOCK_PARAMETERS = 1_000_000_000

_INTEGER_LIMITS = {
    "depth": (1, 64),
    "embed_dim": (8, 4096),
    "num_heads": (1, 256),
    "outputdim": (1, 100_000),
    "patch_size": PATCH_LIMITS,
    "patch_stride": PATCH_LIMITS,
    "target_length": (1, 100_000),
}
_NUMBER_LIMITS = {
    "attn_drop_rate": (0.0, 0.99),
    "drop_path_rate": (0.0, 0.99),
    "drop_rate": (0.0, 0.99),
    "mlp_ratio": (0.25, 16.0),
}
_NEED_BOOL = ("pad_last", "qkv_bias")


@dataclass(frozen=True, slots=True)
class CedConfig:
    """The architecture, front end and labels of a checkpoint under the Hub's names; by default those of ced-tiny.

    Without `id2label`, 527 outputs are the AudioSet classes and any other number is `LABEL_0`, `LABEL_1`, ...
    `problem_type` says what scores are: the sigmoid of each logit, or, of a model that was trained with cross-entropy
    ("single_label_classification"), the softmax of all.
    `extra` holds the other keys of the file (`transformers_version`, ...), which are written back.
    """

    embed_dim: int = 192
    num_heads: int = 3
    depth: int = 12
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    patch_size: int = 16
    patch_stride: int = 16
    target_length: int = 1012
    outputdim: int = 527
    pooling: str = "mean"
    # How the reference splits clips longer than `target_length`. Here those are an error, and these two are only kept.
    eval_avg: str = "mean"
    pad_last: bool = True

    problem_type: str = MULTI_LABEL
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

    id2label: dict[int, str] = field(default_factory=dict, hash=False, repr=False)
    label2id: dict[str, int] = field(default_factory=dict, hash=False, repr=False)
    extra: dict[str, object] = field(default_factory=dict, hash=False, repr=False)

    def __post_init__(self) -> None:
        for name, (low, high) in _INTEGER_LIMITS.items():
            check_integer(name, getattr(self, name), low, high)
        for name, (lowest, highest) in _NUMBER_LIMITS.items():
            check_number(name, getattr(self, name), lowest, highest)
        for name in _NEED_BOOL:
            if not isinstance(getattr(self, name), bool):
                refuse(name, getattr(self, name), "true or false")
        self._check_architecture()
        object.__setattr__(self, "id2label", _checked_labels(self.id2label or _default_labels(self.outputdim), self))
        object.__setattr__(self, "label2id", _checked_ids(self.label2id, self.id2label))

    def _check_architecture(self) -> None:
        if self.embed_dim % self.num_heads:
            refuse("num_heads", self.num_heads, f"a divisor of embed_dim {self.embed_dim}")
        if self.patch_stride != self.patch_size:
            refuse("patch_stride", self.patch_stride, f"patch_size {self.patch_size}: CED's patches do not overlap")
        if self.patch_size > min(self.front_end.n_mels, self.target_length):
            refuse("patch_size", self.patch_size, "no more than n_mels and target_length")
        if self.pooling != "mean":
            refuse("pooling", self.pooling, '"mean", the only pooling of the published checkpoints')
        if self.problem_type not in (MULTI_LABEL, SINGLE_LABEL):
            refuse("problem_type", self.problem_type, f'"{MULTI_LABEL}" or "{SINGLE_LABEL}"')
        if not isinstance(self.eval_avg, str):
            refuse("eval_avg", self.eval_avg, "a string")
        self.check_front_end(self.front_end)
        if self.depth * self.embed_dim**2 * (4 + 2 * self.mlp_ratio) > _MAX_BLOCK_PARAMETERS:
            refuse("embed_dim", self.embed_dim, f"fewer dimensions for a depth of {self.depth} (10^9 weights at most)")

    def check_front_end(self, front_end: FrontEnd) -> None:
        """Refuse a front end whose spectrograms, of the shortest windows and clips too, the model does not take."""
        if front_end.n_mels != self.n_mels:
            refuse("feature_size", front_end.n_mels, f"the model's n_mels {self.n_mels}")
        fewest = front_end.frames_of(max(front_end.patch_samples, front_end.shortest_samples))
        if self.target_length < fewest:
            refuse("target_length", self.target_length, f"at least {fewest}, the frames of the shortest window")

    @property
    def front_end(self) -> FrontEnd:
        """The front end that this config describes."""
        return FrontEnd(
            n_fft=self.n_fft,
            win_size=self.win_size,
            hop_size=self.hop_size,
            f_min=self.f_min,
            f_max=self.f_max,
            n_mels=self.n_mels,
            center=self.center,
            patch_frames=self.patch_size,
        )

    @property
    def num_labels(self) -> int:
        """The number of classes, under the name that transformers has for it."""
        return self.outputdim

    @property
    def hidden_size(self) -> int:
        """The width of the tokens, under the name that transformers has for it."""
        return self.embed_dim

    @property
    def is_single_label(self) -> bool:
        """Whether every clip has one class, so that the scores of all classes sum to 1."""
        return self.problem_type == SINGLE_LABEL

    @property
    def hidden_dim(self) -> int:
        """The width of the feed-forward layers."""
        return int(self.embed_dim * self.mlp_ratio)

    @property
    def grid_size(self) -> tuple[int, int]:
        """The numbers of patches along frequency and, at most, along time."""
        return self.n_mels // self.patch_size, self.target_length // self.patch_size

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> CedConfig:
        """The config that a parsed `config.json` describes. A null means the default; unknown keys go to `extra`."""
        model_type = values.get("model_type", MODEL_TYPE)
        if model_type != MODEL_TYPE:
            refuse("model_type", model_type, f'"{MODEL_TYPE}"')
        own = {entry.name for entry in fields(cls)} - {"extra"}
        known = {name: value for name, value in values.items() if name in own and value is not None}
        extra = {name: value for name, value in values.items() if name not in own}
        if ("num_heads" in known) != ("embed_dim" in known):
            # No shape of the weights depends on the number of heads, so a wrong default would not be noticed.
            raise ModelError("embed_dim and num_heads must be given together; download the checkpoint again")
        if "id2label" in known:
            known["id2label"] = _with_integer_keys(known["id2label"])
        return cls(**known, extra=extra)  # type: ignore[arg-type]  # __post_init__ checks every type

    def to_dict(self) -> dict[str, object]:
        """The content of a `config.json` that the Hub's own code reads."""
        known = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "extra"}
        known["id2label"] = {str(index): name for index, name in self.id2label.items()}
        return {"model_type": MODEL_TYPE, "architectures": [ARCHITECTURE], **self.extra, **known}

    @classmethod
    def from_file(cls, path: Path) -> CedConfig:
        """The config in one JSON file."""
        try:
            return cls.from_dict(read_json_object(path))
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> CedConfig:
        """The config of a checkpoint: a known name, a Hub repository, a folder or a weights file."""
        from cedtag.checkpoints.locate import resolve_pretrained

        checkpoint = resolve_pretrained(name, revision, cache_dir, local_files_only=local_files_only)
        if checkpoint.config is None:
            raise ModelError(f"{name} has no {CONFIG_NAME}; put the one of its architecture beside the weights")
        return cls.from_file(checkpoint.config)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` into `folder`, which is made if need be."""
        write_json_object(Path(folder) / CONFIG_NAME, self.to_dict())


def _default_labels(num_outputs: int) -> dict[int, str]:
    from cedtag.labels.table import audioset

    classes = audioset()
    if num_outputs == len(classes):
        return {one.index: one.name for one in classes}
    return {index: f"LABEL_{index}" for index in range(num_outputs)}


def _with_integer_keys(id2label: object) -> dict[int, object]:
    if not isinstance(id2label, Mapping):
        refuse("id2label", id2label, "an object of index to name")
    try:
        return {int(index): name for index, name in id2label.items()}
    except ValueError:
        refuse("id2label", id2label, "keys that are integers")


def _checked_labels(id2label: Mapping[int, str], config: CedConfig) -> dict[int, str]:
    if len(id2label) != config.outputdim:
        raise ModelError(f"id2label names {len(id2label)} classes, expected outputdim {config.outputdim} of them")
    if set(id2label) != set(range(config.outputdim)):
        raise ModelError(f"id2label has other keys than 0 to {config.outputdim - 1}")
    for index, name in id2label.items():
        if not isinstance(name, str) or not is_printable(name):
            refuse(f"id2label[{index}]", name, "one line of text")
    return {index: id2label[index] for index in range(config.outputdim)}


def is_printable(name: str) -> bool:
    """Whether text can be the name of a class."""
    # Control characters and lone surrogates would break rows, terminals and UTF-8.
    return 0 < len(name) <= _MAX_LABEL_CHARACTERS and not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)


def _checked_ids(label2id: Mapping[str, int], id2label: Mapping[int, str]) -> dict[str, int]:
    if not label2id:
        return {name: index for index, name in id2label.items()}
    if not isinstance(label2id, Mapping):
        refuse("label2id", label2id, "an object of name to index")
    for name, index in label2id.items():
        place = int(index) if isinstance(index, str) and index.isdecimal() else index
        if isinstance(place, bool) or not isinstance(place, int) or id2label.get(place) != name:
            refuse(f"label2id[{reprlib.repr(name)}]", index, "the index that id2label gives this name")
    return {name: int(index) for name, index in label2id.items()}
