"""The folder of a trained checkpoint: the Hub's layout, with a card about its data and training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cedtag import __version__
from cedtag.checkpoints.names import WEIGHTS_NAME
from cedtag.errors import OutputError
from cedtag.model.weights import save_weights
from cedtag.system.atomic import writing_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.network import CedForAudioClassification

CARD_NAME = "README.md"
_CARD = """\
---
library_name: cedtag
pipeline_tag: audio-classification
tags:
- audio
- audio-classification
- ced
---

# {name}

A CED audio tagger ({millions:.2f} M parameters: {config.embed_dim} dimensions, depth {config.depth}) for
{config.outputdim} classes, trained with cedtag {version}. Use it as any other checkpoint:

    cedtag recording.wav -m {name}

## Data

{data}

## Metrics

{metrics}

`metrics.jsonl` holds every epoch. Judge the model on clips it has not seen: `cedtag evaluate -m {name} DATA`.

## Training

{command}{settings}

## To the Hub

    hf upload OWNER/{name} . .
"""


def save_checkpoint(
    folder: Path, model: CedForAudioClassification, extractor: CedFeatureExtractor, *, half: bool = False
) -> None:
    """Write config, front end and weights, each whole or not at all; the weights last, with `half` as float16."""
    tensors = {
        name: tensor.cpu().half() if half and tensor.is_floating_point() else tensor.cpu()
        for name, tensor in model.state_dict().items()
    }
    try:
        model.config.save_pretrained(folder)
        extractor.save_pretrained(folder)
        save_weights(folder / WEIGHTS_NAME, tensors)
    except OSError as error:
        raise _unwritable(folder, error) from error


def save_card(folder: Path, text: str) -> None:
    """Write the card, whole or not at all."""
    try:
        with writing_whole(folder / CARD_NAME) as out:
            out.write(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: Exception) -> OutputError:
    return OutputError(f"{folder}: cannot save the model ({error}); free some space and run the same again")


def model_card(
    name: str,
    model: CedForAudioClassification,
    data: str,
    history: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    command: str,
) -> str:
    """A card in the Hub's form. `data` describes in Markdown what was learned from, `command` may be empty."""
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    return _CARD.format(
        name=name,
        millions=num_parameters / 1e6,
        config=model.config,
        version=__version__,
        data=data,
        metrics=_metrics(history),
        command=f"    {command}\n\n" if command else "",
        settings="\n".join(f"- `{key}`: {value}" for key, value in settings.items()),
    )


def clips_table(clips_per_class: Mapping[str, int]) -> str:
    """The number of clips of each class, in Markdown."""
    return "\n".join(
        ["| class | clips to train |", "|---|---|", *(f"| {k} | {n} |" for k, n in clips_per_class.items())]
    )


def _metrics(history: Sequence[Mapping[str, Any]]) -> str:
    rows = [row for row in history if row["phase"] == "model"]
    validated = [row for row in rows if "valid mAP" in row]
    if not validated:
        return f"Trained for {rows[-1]['epoch']} epochs to a loss of {rows[-1]['loss']:.4f}, without validation."
    best = max(validated, key=lambda row: row["valid mAP"])
    numbers = ", ".join(f"{key.removeprefix('valid ')} {best[key]:.3f}" for key in best if key.startswith("valid "))
    return f"Validation at epoch {best['epoch']} of {rows[-1]['epoch']}, the one that was kept: {numbers}."
