"""CED for transformers: importing this makes its `Auto` classes and pipelines read the checkpoints.

    >>> import cedtag.hf
    >>> from transformers import pipeline
    >>> pipeline("audio-classification", model="mispeech/ced-tiny")("birds.wav")

The layers are those of `cedtag.model`; what is here gives them the habits of transformers, version 5. A clip that is
longer than the model takes (10.1 s) is cut into windows of that length, and scored by the mean over all their tokens.
"""

from __future__ import annotations

from cedtag.system.extras import require

require("hf", "cedtag.hf needs transformers")

# ruff: noqa: E402 -- without the package the error above is the one to see
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification

from cedtag.hf.configuration import CedConfig
from cedtag.hf.extractor import CedFeatureExtractor
from cedtag.hf.modeling import CedForAudioClassification, CedModel, CedPreTrainedModel

__all__ = ["CedConfig", "CedFeatureExtractor", "CedForAudioClassification", "CedModel", "CedPreTrainedModel"]

AutoConfig.register(CedConfig.model_type, CedConfig, exist_ok=True)
AutoFeatureExtractor.register(CedConfig, CedFeatureExtractor, exist_ok=True)
AutoModel.register(CedConfig, CedModel, exist_ok=True)
AutoModelForAudioClassification.register(CedConfig, CedForAudioClassification, exist_ok=True)
