"""The names of the files that a checkpoint consists of, as on the Hub, and how large they may be."""

from __future__ import annotations

CONFIG_NAME = "config.json"
PREPROCESSOR_NAME = "preprocessor_config.json"
WEIGHTS_NAME = "model.safetensors"
WEIGHTS_NAMES = (WEIGHTS_NAME, "pytorch_model.bin")  # best first
# Where weights are looked for: in one file, or in those that an index names.
WEIGHTS_PLACES = tuple(place for name in WEIGHTS_NAMES for place in (name, f"{name}.index.json"))

MAX_JSON_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 10_000_000_000  # ten times ced-base in double precision, and more


def max_bytes(name: str) -> int:
    """The size above which a file of a checkpoint is refused."""
    return MAX_JSON_BYTES if name.endswith(".json") else MAX_WEIGHTS_BYTES
