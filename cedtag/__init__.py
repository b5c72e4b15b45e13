"""cedtag tells what can be heard in recordings, with the CED audio taggers (arXiv 2308.11957)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "CedConfig",
    "CedFeatureExtractor",
    "CedForAudioClassification",
    "CedModel",
    "CedtagError",
    "EventSettings",
    "__version__",
    "most_specific",
    "read_results",
    "roll_up",
]

if TYPE_CHECKING:
    from cedtag.errors import CedtagError
    from cedtag.events.settings import EventSettings
    from cedtag.labels.groups import most_specific, roll_up
    from cedtag.model.config import CedConfig
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.network import CedForAudioClassification, CedModel
    from cedtag.results.read import read_results

# Loaded at first use, so that `import cedtag` costs no torch.
_LAZY = {
    "CedConfig": "cedtag.model.config",
    "CedFeatureExtractor": "cedtag.model.features",
    "CedForAudioClassification": "cedtag.model.network",
    "CedModel": "cedtag.model.network",
    "CedtagError": "cedtag.errors",
    "EventSettings": "cedtag.events.detect",
    "most_specific": "cedtag.labels.groups",
    "read_results": "cedtag.results.read",
    "roll_up": "cedtag.labels.groups",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'cedtag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
