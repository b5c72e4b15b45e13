"""The products of a model in ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.scoring.onnx_proto import MICROSOFT, Graph
from cedtag.system.telemetry import disable_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnxruntime

    from cedtag.bench.products import Shape


def onnx_products(shapes: Sequence[Shape], depth: int, precision: str) -> Callable[[], None]:
    """The function that computes the products of all blocks; with "int8" those with weights are of eight bits."""
    graph = Graph()
    corners = {f"product{number}": _corner(graph, shape, precision) for number, shape in enumerate(shapes)}
    session = _unoptimised(graph.to_bytes({}, corners))

    def products() -> None:
        for _ in range(depth):
            session.run(None, {})

    return products


def _corner(graph: Graph, shape: Shape, precision: str) -> str:
    """The first row of a product: the whole would be copied on its way out."""
    batch = () if shape.batch == 1 else (shape.batch,)
    sizes = (*batch, shape.rows, shape.inner), (*batch, shape.inner, shape.columns)
    if precision == "int8" and not batch:
        product = _product_of_integers(graph, *sizes)
    else:
        product = graph.node("MatMul", *(graph.constant(np.full(size, 0.5, np.float32)) for size in sizes))
    return graph.node("Slice", product, graph.indices(0), graph.indices(1), graph.indices(-2))


def _product_of_integers(graph: Graph, left: tuple[int, ...], right: tuple[int, ...]) -> str:
    """Unsigned times signed, as activations and weights are quantised; the result is float."""
    factors = graph.constant(np.full(left, 3, np.uint8)), graph.constant(np.full(right, 5, np.int8))
    scales = (graph.constant(np.array(0.5, np.float32)) for _ in range(2))
    return graph.node("MatMulIntegerToFloat", *factors, *scales, domain=MICROSOFT)


def _unoptimised(model: bytes) -> onnxruntime.InferenceSession:
    """A session that computes everything anew in each call, alone in the calling thread."""
    disable_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
