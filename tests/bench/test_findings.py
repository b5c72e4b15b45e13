from __future__ import annotations

import pytest

from cedtag.bench.findings import MODEL, Figure, Findings, WayFindings


def way(name: str, a_ms: float, b_ms: float) -> WayFindings:
    backend, precision = name.split()
    figures = {MODEL: [Figure(0.02, 0.01)], "a": [Figure(a_ms / 1e3, 0.01)], "b": [Figure(b_ms / 1e3, 0.01)]}
    return WayFindings(name, ("--backend", backend, "--precision", precision), 1.0, figures)


def test_a_share_is_that_of_the_limit_beside_each_figure():
    # The machine was twice as slow in the second round: in milliseconds that shows, in shares it does not.
    rounds = [Figure(0.025, 0.02), Figure(0.050, 0.04), Figure(0.050, 0.04)]
    found = WayFindings("torch fp32", (), 1.0, {"wav": rounds})
    assert found.share("wav") == pytest.approx(80)
    assert found.ms("wav") == pytest.approx(50)
    assert found.limit_ms == pytest.approx(40)


def test_the_fastest_is_that_of_files_and_not_of_the_model_alone():
    ways = way("torch fp32", 30, 40), way("onnx fp32", 20, 45), way("onnx int8", 10, 30)
    found = Findings("", "", "", {"a": [0.01], "b": [0.02]}, ways, ())
    assert (found.fastest.name, found.fastest_fp32.name) == ("onnx int8", "onnx fp32")
    assert found.to_dict()["fastest"]["fp32"] == ("--backend", "onnx", "--precision", "fp32")
