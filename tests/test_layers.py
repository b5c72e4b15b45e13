"""Imports only point down, and heavy packages stay in the files that own them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cedtag"

# module or package -> its layer; the longest name that fits counts. A module imports from its own layer or from below.
LAYERS = {
    "cedtag": 0,
    "cedtag.errors": 0,
    "cedtag.records": 0,
    "cedtag.terminal": 0,
    "cedtag.atomic": 0,
    "cedtag.machine": 0,
    "cedtag.labels": 1,
    "cedtag.config": 1,
    "cedtag.registry": 1,
    "cedtag.blobs": 1,
    "cedtag.run": 1,
    "cedtag.preprocessor": 1,
    "cedtag.query": 1,
    "cedtag.thresholds": 1,
    "cedtag.summary": 1,
    "cedtag.hub": 2,
    "cedtag.download": 2,
    "cedtag.checkpoint": 2,
    "cedtag.weights": 2,
    "cedtag.features": 2,
    "cedtag.model": 2,
    "cedtag.sources": 2,
    "cedtag.formats": 2,
    "cedtag.decoding": 2,
    "cedtag.audio": 2,
    "cedtag.integrity": 2,
    "cedtag.windows": 2,
    "cedtag.clock": 2,
    "cedtag.scoring": 3,
    "cedtag.backends": 3,
    "cedtag.selection": 3,
    "cedtag.groups": 3,
    "cedtag.events": 3,
    "cedtag.silence": 3,
    "cedtag.spectrogram": 3,
    "cedtag.plot": 3,
    "cedtag.report": 3,
    "cedtag.sinks": 3,
    "cedtag.done": 3,
    "cedtag.journal_lines": 3,
    "cedtag.journal": 3,
    "cedtag.pipeline": 4,
    "cedtag.outputs": 4,
    "cedtag.folder_output": 4,
    "cedtag.event_output": 4,
    "cedtag.results": 4,
    "cedtag.conversion": 4,
    "cedtag.extraction": 4,
    "cedtag.merging": 4,
    "cedtag.refinement": 4,
    "cedtag.selftest": 4,
    "cedtag.diagnosis": 4,
    "cedtag.training": 5,
    "cedtag.evaluation": 5,
    "cedtag.demo": 5,
    "cedtag.cli": 6,
    "cedtag.__main__": 6,
}
# A configuration can be asked for by the name of a checkpoint, which only then looks for its files.
UPWARD = {("cedtag.config", "cedtag.checkpoint")}
# package -> the modules that may import it.
OWNERS = {
    "click": ["cedtag.cli"],
    "tqdm": ["cedtag.cli"],
    "rich": ["cedtag.cli", "cedtag.sinks.table"],
    "torch": [
        "cedtag.features",
        "cedtag.model",
        "cedtag.weights",
        "cedtag.scoring",
        "cedtag.training",
        "cedtag.selftest",
        "cedtag.diagnosis",
        "cedtag.cli.finetuning",
    ],
    "torchaudio": ["cedtag.features", "cedtag.training", "cedtag.diagnosis"],
    "av": ["cedtag.decoding.pyav", "cedtag.diagnosis"],
    "onnxruntime": ["cedtag.backends"],
    "pyarrow": ["cedtag.sinks.parquet"],
    "matplotlib": ["cedtag.plot", "cedtag.evaluation.plot"],
    "sklearn": ["cedtag.evaluation"],
}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("cedtag", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(path: Path) -> set[str]:
    """The modules that a file imports at run time, wherever in it."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return names | froms


def layer(module: str) -> int:
    name = module
    while name not in LAYERS:
        name = name.rpartition(".")[0]
        assert name != "cedtag", f"{module} has no layer: give it one in LAYERS"
    return LAYERS[name]


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_only_point_down(module):
    ours = {name for name in imports(modules()[module]) if name.split(".")[0] == "cedtag"}
    assert {(module, name) for name in ours if layer(name) > layer(module)} - UPWARD == set()


@pytest.mark.parametrize("package", OWNERS)
def test_packages_stay_in_the_files_that_own_them(package):
    users = {name for name, path in modules().items() if package in {used.split(".")[0] for used in imports(path)}}
    assert {user for user in users if not user.startswith(tuple(OWNERS[package]))} == set()


def test_the_two_halves_never_import_each_other():
    model = ("cedtag.hub", "cedtag.download", "cedtag.checkpoint", "cedtag.weights", "cedtag.features", "cedtag.model")
    sound = ("cedtag.sources", "cedtag.formats", "cedtag.decoding", "cedtag.audio", "cedtag.windows")
    for name, path in modules().items():
        for half, other in ((model, sound), (sound, model)):
            if name.startswith(half):
                assert not [used for used in imports(path) if used.startswith(other)]
