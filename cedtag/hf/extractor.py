"""The feature extractor of a CED as transformers has it."""

from __future__ import annotations

from typing import Any

from transformers import BatchFeature, SequenceFeatureExtractor

from cedtag.model.features import CedFeatureExtractor as PlainExtractor
from cedtag.model.features import Waveform
from cedtag.records import SAMPLE_RATE_HZ


class CedFeatureExtractor(SequenceFeatureExtractor):
    """Log-mel spectrograms by `cedtag.CedFeatureExtractor`, whose parameters and calls it shares, as a BatchFeature."""

    model_input_names = ["input_values", "attention_mask"]  # noqa: RUF012 -- transformers declares it

    def __init__(
        self, feature_size: int = 64, sampling_rate: int = SAMPLE_RATE_HZ, padding_value: float = 0.0, **kwargs: Any
    ) -> None:
        front_end = {name: kwargs.pop(name) for name in PlainExtractor.FIELDS if name in kwargs}
        super().__init__(feature_size, sampling_rate, padding_value, **kwargs)
        self._plain = PlainExtractor(
            feature_size=feature_size, sampling_rate=sampling_rate, padding_value=padding_value, **front_end
        )

    def __call__(
        self,
        raw_speech: Waveform | list[Waveform],
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **options: Any,
    ) -> BatchFeature:
        """`input_values` `(batch, n_mels, frames)`, and `attention_mask` for clips of different lengths."""
        return BatchFeature(self._plain(raw_speech, sampling_rate, return_tensors, **options))

    def to_dict(self) -> dict[str, Any]:
        """The content of `preprocessor_config.json`."""
        own = {name: value for name, value in super().to_dict().items() if name != "_plain"}
        return own | self._plain.to_dict()
