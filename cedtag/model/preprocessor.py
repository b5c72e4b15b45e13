"""How a checkpoint hears: the Hub's `preprocessor_config.json`, read and written without torch."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cedtag.errors import ModelError
from cedtag.model.config import CedConfig, FrontEnd, read_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cedtag.checkpoints.locate import Checkpoint

_EXTRACTOR_TYPE = "CedFeatureExtractor"
_HUB_NAMES = {"n_mels": "feature_size"}


def front_end_of(checkpoint: Checkpoint) -> FrontEnd:
    """The front end of a checkpoint: its preprocessor file, else its config, else that of every published CED."""
    if checkpoint.preprocessor is not None:
        return read_preprocessor(checkpoint.preprocessor)
    if checkpoint.config is not None:
        return CedConfig.from_file(checkpoint.config).front_end
    return FrontEnd()


def read_preprocessor(path: Path) -> FrontEnd:
    """The front end that one `preprocessor_config.json` describes; a null means the default."""
    try:
        return _front_end(read_json_object(path))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def preprocessor_dict(front_end: FrontEnd) -> dict[str, Any]:
    """The content of a `preprocessor_config.json` that the Hub's own code reads."""
    return {"feature_extractor_type": _EXTRACTOR_TYPE, "padding_value": 0.0, **hub_dict(front_end)}


def hub_dict(front_end: FrontEnd) -> dict[str, Any]:
    """The front end under the Hub's names, which `CedFeatureExtractor` takes."""
    return {_HUB_NAMES.get(entry.name, entry.name): getattr(front_end, entry.name) for entry in fields(front_end)}


def check_padding(padding_value: object) -> None:
    if padding_value != 0:
        raise ModelError(f"padding_value is {padding_value}, expected 0: CED pads with silence")


def _front_end(values: Mapping[str, object]) -> FrontEnd:
    extractor_type = values.get("feature_extractor_type", _EXTRACTOR_TYPE)
    if extractor_type != _EXTRACTOR_TYPE:
        raise ModelError(f"feature_extractor_type is {extractor_type!r}, expected {_EXTRACTOR_TYPE!r}")
    check_padding(values.get("padding_value") or 0)
    own = {_HUB_NAMES.get(entry.name, entry.name): entry.name for entry in fields(FrontEnd)}
    known: dict[str, Any] = {own[name]: value for name, value in values.items() if name in own and value is not None}
    return FrontEnd(**known)
