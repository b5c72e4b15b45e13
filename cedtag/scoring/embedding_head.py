"""Classes that were learned on the embeddings of a model: scores from embeddings that are stored, without the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError, ModelError
from cedtag.labels.table import Label
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.float16 import widened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

HEAD_NAME = "head.json"
FORMAT = 1
NORM_EPS = 1e-5  # of the layer norm that every CED has before its last layer
# The settings of a run that name the model, whose embeddings are those of no other.
MODEL_SETTINGS = ("weights", "config", "preprocessor")
_ROWS_AT_ONCE = 2048  # their numbers stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingHead:
    """One class on the embeddings, `(d,)`, of the model that `base` names: what `cedtag learn` has made.

    As in the model, embeddings go through a layer norm (`norm_weight`, `norm_bias`), a weighted sum and a sigmoid.
    """

    label: Label
    base: Mapping[str, Any]
    norm_weight: Vector
    norm_bias: Vector
    weight: Vector
    bias: float

    def probabilities(self, embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
        """The class's probabilities `(n,)` in [0, 1] for embeddings `(n, d)`; each depends on its own row alone."""
        if embeddings.shape[1:] != self.weight.shape:
            raise InputError(
                f"{self.label.name}: was learned on embeddings of {len(self.weight)} numbers, "
                f"and these have {embeddings.shape[-1]}; use a store of the same model"
            )
        # The mean that the norm subtracts is a sum, too, so it is subtracted from the weights.
        direction = self.weight * self.norm_weight
        direction = direction - direction.mean()
        offset = float(self.weight @ self.norm_bias) + self.bias
        logits = np.empty(len(embeddings), np.float64)
        for start in range(0, len(embeddings), _ROWS_AT_ONCE):
            rows = widened(embeddings[start : start + _ROWS_AT_ONCE]).astype(np.float64)
            logits[start : start + len(rows)] = np.einsum("nd,d->n", rows, direction) / np.sqrt(
                _variances(rows) + NORM_EPS
            )
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-(logits + offset)))).astype(np.float32)

    def check_made_on(self, settings: Mapping[str, Any], where: object) -> None:
        """InputError where embeddings that were made with these settings are not those of the base model."""
        for name in MODEL_SETTINGS:
            if settings.get(name) != self.base.get(name):
                raise InputError(
                    f"{where}: holds embeddings of {settings.get('model')}, and {self.label.name} was learned on "
                    f"those of {self.base.get('model')}; learn it again on this store"
                )


def normalised(embeddings: Vector, weight: Vector, bias: Vector) -> Vector:
    """Embeddings `(n, d)` after the layer norm of a head: what the last layer's weights are multiplied with."""
    centred = embeddings - embeddings.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt(_variances(embeddings) + NORM_EPS)[:, None] * weight + bias)


def _variances(rows: Vector) -> Vector:
    # Sums without an array of products between, which takes longer than the sum.
    return np.asarray(np.einsum("nd,nd->n", rows, rows) / rows.shape[1] - rows.mean(1) ** 2)


def write_head(folder: Path, head: EmbeddingHead) -> None:
    """Write a head into the folder of its checkpoint, whole or not at all."""
    record = {
        "head": FORMAT,
        "class": {"index": head.label.index, "mid": head.label.mid, "name": head.label.name},
        "base": dict(head.base),
        "norm_weight": head.norm_weight.tolist(),
        "norm_bias": head.norm_bias.tolist(),
        "weight": head.weight.tolist(),
        "bias": head.bias,
    }
    with writing(folder), writing_whole(folder / HEAD_NAME) as out:
        out.write(json.dumps(record, allow_nan=False).encode() + b"\n")


def read_head(path: Path) -> EmbeddingHead:
    """The head in the folder of a checkpoint that `cedtag learn` has made, or in its file; ModelError for others."""
    file = path / HEAD_NAME if path.is_dir() else path
    try:
        record = json.loads(file.read_bytes())
        if record["head"] != FORMAT:
            raise ModelError(
                f"{file}: another version of cedtag made this head; use that one, or learn the class again"
            )
        made_of = record["class"]
        label = Label(int(made_of["index"]), str(made_of["mid"]), str(made_of["name"]))
        norm_weight, norm_bias, weight = (
            np.array(record[name], np.float64) for name in ("norm_weight", "norm_bias", "weight")
        )
        head = EmbeddingHead(label, dict(record["base"]), norm_weight, norm_bias, weight, float(record["bias"]))
    except FileNotFoundError:
        raise ModelError(f"{path}: holds no {HEAD_NAME}; name the folder that `cedtag learn` has written") from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{file}: is damaged, or is no head of `cedtag learn` ({error!r}); learn it again") from error
    vectors = (norm_weight, norm_bias, weight)
    if (
        any(one.shape != (len(weight),) for one in vectors)
        or not np.isfinite([*np.concatenate(vectors), head.bias]).all()
    ):
        raise ModelError(f"{file}: is damaged: its vectors do not belong together; learn it again")
    return head
