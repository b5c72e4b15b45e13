"""A model with one class more, or with one class alone: its encoder is that of the old one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag import __version__
from cedtag.errors import InputError
from cedtag.labels.table import Label
from cedtag.scoring.embedding_head import EmbeddingHead, write_head
from cedtag.system.extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.learning.logistic import Fit
    from cedtag.model.network import CedForAudioClassification

    Vector = NDArray[np.float64]

_LAST = "outputlayer.1"
_CARD = """\
---
library_name: cedtag
pipeline_tag: audio-classification
---

# {name}

{what}, learned with cedtag {version} on the embeddings of {base}. Use it as any other checkpoint:

    cedtag recording.wav -m {name}

or on a store of the same model: `cedtag query STORE --head {name}`.

{quality}
"""


@dataclass(frozen=True, slots=True, eq=False)
class BaseModel:
    """The model that a class is added to, and the norm before its last layer."""

    model: CedForAudioClassification
    checkpoint: Checkpoint
    norm_weight: Vector
    norm_bias: Vector


def load_base(checkpoint: Checkpoint, class_name: str, *, only: bool) -> BaseModel:
    """The model of a checkpoint; InputError where the class cannot be added to it."""
    require("torch", "a model is made with torch")
    from cedtag.model.network import CedForAudioClassification

    model = CedForAudioClassification.from_checkpoint(checkpoint)
    if not only:
        if model.config.is_single_label:
            raise InputError(
                f"{checkpoint.name}: gives every clip one class of several, to which none can be added; learn yours "
                "alone (`only`)"
            )
        if class_name.casefold() in {name.casefold() for name in model.config.id2label.values()}:
            raise InputError(
                f"`name` {class_name}: {checkpoint.name} has a class of this name; choose another (`name`)"
            )
    weights = {name: tensor.double().numpy() for name, tensor in model.outputlayer.state_dict().items()}
    return BaseModel(model, checkpoint, weights["0.weight"], weights["0.bias"])


def head_of(base: BaseModel, fit: Fit, class_name: str, settings: Mapping[str, Any], *, only: bool) -> EmbeddingHead:
    """The head of a class, rounded as the weights of the checkpoint are; `settings` are those of the store."""
    weight = fit.weight.astype(np.float32).astype(np.float64)
    index = 0 if only else base.model.config.outputdim
    named = {name: settings.get(name) for name in ("model", "commit", "weights", "config", "preprocessor")}
    bias = float(np.float32(fit.bias))
    return EmbeddingHead(Label(index, "", class_name), named, base.norm_weight, base.norm_bias, weight, bias)


def write_checkpoint(folder: Path, base: BaseModel, head: EmbeddingHead, quality: str, *, only: bool) -> None:
    """Write the model with its new class as a checkpoint, with a card and the head by itself."""
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.preprocessor import front_end_of
    from cedtag.training.card import save_card, save_checkpoint

    model = _with_class(base.model, head, only=only)
    extractor = CedFeatureExtractor.from_front_end(front_end_of(base.checkpoint, model.config))
    save_checkpoint(folder, model, extractor)
    write_head(folder, head)
    what = "The class alone" if only else f"{base.checkpoint.name} with one class more"
    made_of = {"name": folder.name, "what": what, "version": __version__, "base": base.checkpoint.name}
    save_card(folder, _CARD.format(quality=quality, **made_of))


def _with_class(model: CedForAudioClassification, head: EmbeddingHead, *, only: bool) -> CedForAudioClassification:
    """The model with one row more in its last layer, or with this row alone."""
    import torch

    from cedtag.model.config import MULTI_LABEL
    from cedtag.model.network import CedForAudioClassification

    names = (head.label.name,) if only else (*model.config.id2label.values(), head.label.name)
    config = replace(
        model.config, outputdim=len(names), id2label=dict(enumerate(names)), label2id={}, problem_type=MULTI_LABEL
    )
    state = model.state_dict()
    own = {"weight": torch.tensor(head.weight[None]).float(), "bias": torch.tensor([head.bias]).float()}
    for name, row in own.items():
        state[f"{_LAST}.{name}"] = row if only else torch.cat([state[f"{_LAST}.{name}"], row])
    extended = CedForAudioClassification(config, initialise=False)
    extended.load_state_dict(state)
    return extended.eval()
