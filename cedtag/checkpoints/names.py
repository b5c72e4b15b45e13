"""The names of the files that a checkpoint consists of, as on the Hub."""

from __future__ import annotations

CONFIG_NAME = "config.json"
PREPROCESSOR_NAME = "preprocessor_config.json"
WEIGHTS_NAME = "model.safetensors"
WEIGHTS_NAMES = (WEIGHTS_NAME, "pytorch_model.bin")  # best first
