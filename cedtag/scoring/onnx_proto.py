"""Writes ONNX models byte by byte: the format is a few protobuf messages, not worth a dependency on `onnx`.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, which never change their meaning.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Attribute: TypeAlias = "int | float | Sequence[int]"

MICROSOFT = "com.microsoft"  # the fused operators of ONNX Runtime
_IR_VERSION = 8
_OPSETS = {"": 17, MICROSOFT: 1}
_DATA_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}


class Graph:
    """Collects the nodes and constants of a model, and gives values short names."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._num_values = 0

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant; the name of its value."""
        name = self._new_name()
        self._constants.append(_tensor(name, np.ascontiguousarray(values)))
        return name

    def indices(self, *values: int) -> str:
        """Add a constant list of indices or sizes; the name of its value."""
        return self.constant(np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Apply an operator of one output; the name of its value. An input "" is left out."""
        return self.nodes(operator, *inputs, num_outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self, operator: str, *inputs: str, num_outputs: int, domain: str = "", **attributes: Attribute
    ) -> list[str]:
        """Apply an operator; the names of its outputs."""
        outputs = [self._new_name() for _ in range(num_outputs)]
        self._nodes.append(_node(operator, inputs, outputs, domain, attributes))
        return outputs

    def to_bytes(self, inputs: Mapping[str, int], outputs: Mapping[str, str]) -> bytes:
        """The model; `inputs` are float tensors of any size by name and number of dimensions, `outputs` name values."""
        for name, value in outputs.items():
            self._nodes.append(_node("Identity", [value], [name], "", {}))
        graph = (
            b"".join(_bytes(1, node) for node in self._nodes)
            + _text(2, "ced")
            + b"".join(_bytes(5, constant) for constant in self._constants)
            + b"".join(_bytes(11, _value(name, rank)) for name, rank in inputs.items())
            + b"".join(_bytes(12, _value(name, None)) for name in outputs)
        )
        opsets = (_text(1, domain) + _integer(2, version) for domain, version in _OPSETS.items())
        return _integer(1, _IR_VERSION) + _bytes(7, graph) + b"".join(_bytes(8, opset) for opset in opsets)

    def _new_name(self) -> str:
        self._num_values += 1
        return f"v{self._num_values}"


def _node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: Mapping[str, Attribute]
) -> bytes:
    return (
        b"".join(_text(1, name) for name in inputs)
        + b"".join(_text(2, name) for name in outputs)
        + _text(4, operator)
        + b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
        + _text(7, domain)
    )


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    dims = b"".join(_integer(1, size) for size in values.shape)
    return dims + _integer(2, _DATA_TYPES[values.dtype.name]) + _text(8, name) + _bytes(9, values.tobytes())


def _value(name: str, rank: int | None) -> bytes:
    shape = b"" if rank is None else _bytes(2, b"".join(_bytes(1, _text(2, f"{name}{i}")) for i in range(rank)))
    return _text(1, name) + _bytes(2, _bytes(1, _integer(1, _DATA_TYPES["float32"]) + shape))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _tag(2, 5) + struct.pack("<f", value) + _integer(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, 2)
    return _text(1, name) + b"".join(_integer(8, item) for item in value) + _integer(20, 7)


def _integer(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
