"""A CED as an ONNX model, made from its config and weights without torch.

Its input is the power spectrum of one window, `(frames, n_fft / 2 + 1)`. The model consists of ONNX Runtime's fused
operators, so that no optimiser has to find them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cedtag.model.front_end import MIN_POWER, TOP_DB
from cedtag.scoring.onnx_proto import MICROSOFT, Graph
from cedtag.scoring.power_spectra import mel_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cedtag.model.config import CedConfig
    from cedtag.model.front_end import FrontEnd

    Weights: TypeAlias = "Mapping[str, NDArray[np.float32]]"

POWER, FEATURES, PROBABILITIES = "power", "features", "probabilities"
EMBEDDING, COLUMNS = "embedding", "columns"

_ENCODER_EPS = 1e-6
_EPS = 1e-5  # of batch norm and of the head's layer norm
# Seven bits: without VNNI, pairs of products of eight bits overflow, so results would depend on the processor.
_LARGEST_WEIGHT = 63


def ced_model(config: CedConfig, front_end: FrontEnd, weights: Weights, *, int8: bool) -> bytes:
    """The ONNX model: `POWER` in, `PROBABILITIES` `(1, classes)` and `FEATURES` `(frames, n_mels)` in dB out.

    `EMBEDDING` `(1, dim)` is the mean of the last hidden states.
    `COLUMNS` `(columns, classes)` are what the head makes of each column of tokens, the patches of one time step.

    With `int8` the products in the blocks, nine tenths of the work, take weights of one scale per output, and
    activations of one scale per product and window.
    """
    return _Builder(config, weights, int8).build(front_end)


def weight_shapes(config: CedConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that the model needs, under the Hub's names."""
    dim, hidden, patch = config.embed_dim, config.hidden_dim, config.patch_size
    rows, columns = config.grid_size
    bn = {f"encoder.init_bn.{kind}": (config.n_mels,) for kind in ("weight", "bias", "running_mean", "running_var")}
    shapes: dict[str, tuple[int, ...]] = {
        **bn,
        "encoder.patch_embed.proj.weight": (dim, 1, patch, patch),
        "encoder.patch_embed.proj.bias": (dim,),
        "encoder.time_pos_embed": (1, dim, 1, columns),
        "encoder.freq_pos_embed": (1, dim, rows, 1),
        **_norm("encoder.norm", dim),
        **_norm("outputlayer.0", dim),
        **_linear("outputlayer.1", dim, config.outputdim),
    }
    for number in range(config.depth):
        block = f"encoder.blocks.{number}"
        shapes |= _norm(f"{block}.norm1", dim) | _norm(f"{block}.norm2", dim)
        shapes |= _linear(f"{block}.attn.qkv", dim, 3 * dim, bias=config.qkv_bias)
        shapes |= _linear(f"{block}.attn.proj", dim, dim)
        shapes |= _linear(f"{block}.mlp.fc1", dim, hidden) | _linear(f"{block}.mlp.fc2", hidden, dim)
    return shapes


def _norm(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def _linear(name: str, inputs: int, outputs: int, *, bias: bool = True) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs)} | ({f"{name}.bias": (outputs,)} if bias else {})


class _Builder:
    """Values are named by strings; each method adds what computes one and returns its name."""

    def __init__(self, config: CedConfig, weights: Weights, int8: bool) -> None:
        self._graph = Graph()
        self._config, self._weights, self._int8 = config, weights, int8

    def build(self, front_end: FrontEnd) -> bytes:
        features = self._decibels(front_end)
        tokens = self._tokens(features)
        for number in range(self._config.depth):
            tokens = self._block(tokens, f"encoder.blocks.{number}")
        hidden_states = self._norm(tokens, "encoder.norm")
        mean = self._graph.node("ReduceMean", hidden_states, axes=(1,), keepdims=0)
        outputs = {FEATURES: features, PROBABILITIES: self._head(mean), EMBEDDING: mean}
        outputs[COLUMNS] = self._columns(hidden_states)
        return self._graph.to_bytes({POWER: 2}, outputs)

    def _head(self, means: str) -> str:
        """Probabilities of means of tokens `(n, dim)`."""
        logits = self._linear(self._norm(means, "outputlayer.0", _EPS), "outputlayer.1")
        return self._graph.node("Softmax" if self._config.is_single_label else "Sigmoid", logits)

    def _columns(self, hidden_states: str) -> str:
        node, (rows, _), dim = self._graph.node, self._config.grid_size, self._config.embed_dim
        by_row = node("Reshape", hidden_states, self._graph.indices(rows, -1, dim))
        return self._head(node("ReduceMean", by_row, axes=(0,), keepdims=0))

    def _decibels(self, front_end: FrontEnd) -> str:
        node, number = self._graph.node, self._number
        power = node("MatMul", POWER, self._graph.constant(mel_filters(front_end)))
        decibels = node("Mul", node("Log", node("Max", power, number(MIN_POWER))), number(10 / math.log(10)))
        return node("Max", decibels, node("Sub", node("ReduceMax", decibels), number(TOP_DB)))

    def _tokens(self, features: str) -> str:
        """Patches of the normalised features in the order (frequency, time), with their positions, `(1, n, dim)`."""
        node, constant, indices, weights = self._graph.node, self._graph.constant, self._graph.indices, self._weights
        patch, (rows, _), dim = self._config.patch_size, self._config.grid_size, self._config.embed_dim
        with np.errstate(
            invalid="ignore", divide="ignore"
        ):  # what that makes of scores is an error where windows are scored
            scale = weights["encoder.init_bn.weight"] / np.sqrt(
                weights["encoder.init_bn.running_var"] + np.float32(_EPS)
            )
        shift = weights["encoder.init_bn.bias"] - weights["encoder.init_bn.running_mean"] * scale
        normed = node("Add", node("Mul", features, constant(scale)), constant(shift))
        columns = node("Div", node("Shape", features, start=0, end=1), indices(patch))
        # Frames and mel bins that fill no patch are unused.
        used_frames, used_mels = node("Mul", columns, indices(patch)), indices(rows * patch)
        used = node("Slice", normed, indices(0, 0), node("Concat", used_frames, used_mels, axis=0), indices(0, 1))
        cut = node("Reshape", used, indices(-1, patch, rows, patch))
        patches = node("Reshape", node("Transpose", cut, perm=(2, 0, 3, 1)), indices(rows, -1, patch * patch))
        kernel = constant(weights["encoder.patch_embed.proj.weight"].reshape(dim, -1).T)
        # (dim, rows, columns)
        positions = weights["encoder.freq_pos_embed"][0] + weights["encoder.time_pos_embed"][0]
        positions = positions + weights["encoder.patch_embed.proj.bias"][:, None, None]
        own_positions = node("Slice", constant(positions.transpose(1, 2, 0)), indices(0), columns, indices(1))
        return node("Reshape", node("Add", node("MatMul", patches, kernel), own_positions), indices(1, -1, dim))

    def _block(self, tokens: str, name: str) -> str:
        node = self._graph.node
        qkv = self._linear(self._norm(tokens, f"{name}.norm1"), f"{name}.attn.qkv", bias=self._config.qkv_bias)
        queries, keys, values = self._graph.nodes("Split", qkv, num_outputs=3, axis=-1)
        heads = self._config.num_heads
        mixed = node("MultiHeadAttention", queries, keys, values, domain=MICROSOFT, num_heads=heads)
        tokens = node("Add", tokens, self._linear(mixed, f"{name}.attn.proj"))
        hidden = self._gelu(self._norm(tokens, f"{name}.norm2"), f"{name}.mlp.fc1")
        return node("Add", tokens, self._linear(hidden, f"{name}.mlp.fc2"))

    def _gelu(self, values: str, name: str) -> str:
        """GELU of a linear layer; with int8 its tanh approximation, whose error is far below that of int8."""
        if self._int8:
            return self._graph.node("FastGelu", self._linear(values, name), domain=MICROSOFT)
        product = self._linear(values, name, bias=False)
        return self._graph.node("BiasGelu", product, self._weight(f"{name}.bias"), domain=MICROSOFT)

    def _linear(self, values: str, name: str, *, bias: bool = True) -> str:
        node, weight = self._graph.node, self._weights[f"{name}.weight"].T
        own_bias = self._weight(f"{name}.bias") if bias else ""
        if not self._int8 or not name.startswith("encoder.blocks."):
            product = node("MatMul", values, self._graph.constant(weight))
            return node("Add", product, own_bias) if bias else product
        quantised, scale = (self._graph.constant(part) for part in _quantised(weight))
        return node("DynamicQuantizeMatMul", values, quantised, scale, "", own_bias, domain=MICROSOFT)

    def _norm(self, values: str, name: str, epsilon: float = _ENCODER_EPS) -> str:
        # Not fused with the sum before it: ONNX Runtime's operator for both takes four times as long on a CPU.
        affine = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._graph.node("LayerNormalization", values, *affine, axis=-1, epsilon=epsilon)

    def _weight(self, name: str) -> str:
        return self._graph.constant(self._weights[name])

    def _number(self, value: float) -> str:
        return self._graph.constant(np.array(value, np.float32))


def _quantised(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers and the scale of each column; their product is near `weight` `(inputs, outputs)`."""
    scale = np.abs(weight).max(axis=0) / np.float32(_LARGEST_WEIGHT)
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale
