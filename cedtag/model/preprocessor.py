"""Reads and writes preprocessor_config.json."""

from __future__ import annotations

import reprlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from cedtag.errors import ModelError
from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.model.json_file import read_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cedtag.checkpoints.locate import Checkpoint

_EXTRACTOR_TYPE = "CedFeatureExtractor"
_HUB_NAMES = {"n_mels": "feature_size"}


def front_end_of(checkpoint: Checkpoint, config: CedConfig | None = None) -> FrontEnd:
    """The front end of a checkpoint: its preprocessor file, else its config, else that of every published CED.

    `config` is the model's, by default the one in the config file. A preprocessor that does not fit it, and files that
    state different values of one field, are a ModelError.
    """
    if config is None and checkpoint.config is not None:
        config = CedConfig.from_file(checkpoint.config)
    front_end = FrontEnd() if config is None else config.front_end
    if checkpoint.preprocessor is not None:
        front_end = read_preprocessor(checkpoint.preprocessor)
        front_end = front_end if config is None else _fitted(front_end, config, checkpoint.preprocessor)
    for path in filter(None, (checkpoint.config, checkpoint.preprocessor)):
        _check_agreement(path, front_end, checkpoint.preprocessor)
    return front_end


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
    return {hub: getattr(front_end, own) for hub, own in _own_names().items()}


def check_padding(padding_value: object) -> None:
    if padding_value != 0:
        raise ModelError(f"padding_value is {padding_value}, expected 0: CED pads with silence")


def _fitted(front_end: FrontEnd, config: CedConfig, path: Path) -> FrontEnd:
    """The front end read from `path`, with the patches of the model."""
    try:
        fitted = replace(front_end, patch_frames=config.patch_size)
        config.check_front_end(fitted)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return fitted


def _check_agreement(path: Path, front_end: FrontEnd, source: Path | None) -> None:
    """Refuse what a file states, under either name of a field, when the front end, read from `source`, is another."""
    values = read_json_object(path)
    for hub_name, own_name in _own_names().items():
        used = getattr(front_end, own_name)
        for name in dict.fromkeys((hub_name, own_name)):
            if (stated := values.get(name)) is not None and stated != used:
                where = f" in {source}" if source is not None and source != path else ""
                raise ModelError(
                    f"{path}: {name} is {reprlib.repr(stated)}, but {hub_name} is {used}{where}; "
                    "give files that belong together"
                )


def _front_end(values: Mapping[str, object]) -> FrontEnd:
    extractor_type = values.get("feature_extractor_type", _EXTRACTOR_TYPE)
    if extractor_type != _EXTRACTOR_TYPE:
        raise ModelError(f"feature_extractor_type is {extractor_type!r}, expected {_EXTRACTOR_TYPE!r}")
    check_padding(values.get("padding_value") or 0)
    own = _own_names()
    known: dict[str, Any] = {own[name]: value for name, value in values.items() if name in own and value is not None}
    return FrontEnd(**known)


def _own_names() -> dict[str, str]:
    """The Hub's name of each field -> ours. The length of a patch is the model's, in its config."""
    names = [entry.name for entry in fields(FrontEnd) if entry.name != "patch_frames"]
    return {_HUB_NAMES.get(name, name): name for name in names}
