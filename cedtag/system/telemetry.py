"""Usage statistics of dependencies: all of them are switched off, because nothing may leave the machine unasked."""

from __future__ import annotations

import os

# ONNX Runtime (1.29 and newer) and huggingface_hub read theirs when they are imported, Ray when it starts.
OPT_OUTS = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def disable_telemetry() -> None:
    """Set the variables that switch usage statistics off; call it before a package in `OPT_OUTS` is imported."""
    os.environ.update(OPT_OUTS)
