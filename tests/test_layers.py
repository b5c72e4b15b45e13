"""Imports only point down, and heavy packages stay in the files that own them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cedtag"

# From the roof to the ground, floor by floor. A module imports from its own row and from rows below, wherever in the
# file and whether for its types alone.
ROWS = (
    *("__main__", "cli"),
    *("tagger", "hf"),
    *("demo", "doctor", "bench", "captions", "report"),
    *("learning", "similar", "distill", "training", "evaluation", "query"),
    *("results", "run"),
    *("store",),
    *("writers",),
    *("events", "scoring"),
    *("inputs", "model"),
    *("audio", "labels", "checkpoints"),
    *("system", "records", "errors"),
)
# package -> the modules that may import it.
OWNERS = {
    "click": ["cedtag.cli"],
    "tqdm": ["cedtag.cli"],
    "rich": ["cedtag.cli", "cedtag.writers.table"],
    "transformers": ["cedtag.hf"],
    "torch": [
        "cedtag.distill.scorer",
        "cedtag.distill.stored_views",
        "cedtag.distill.teachers",
        "cedtag.distill.view_feed",
        "cedtag.hf",
        "cedtag.model.encoder",
        "cedtag.model.features",
        "cedtag.model.initialise",
        "cedtag.model.layers",
        "cedtag.model.log_mel",
        "cedtag.model.network",
        "cedtag.model.output",
        "cedtag.model.packed_block",
        "cedtag.model.pretrained",
        "cedtag.model.weights",
        "cedtag.scoring.torch_device",
        "cedtag.scoring.torch_scorer",
        "cedtag.scoring.torch_threads",
        "cedtag.training",
        "cedtag.learning.checkpoint",
        "cedtag.doctor",
        "cedtag.bench.torch_products",
    ],
    "torchaudio": ["cedtag.model.log_mel", "cedtag.doctor"],
    "av": ["cedtag.audio.pyav", "cedtag.doctor", "cedtag.bench.encode"],
    "onnxruntime": ["cedtag.scoring.onnx_scorer", "cedtag.bench.onnx_products"],
    "pyarrow": ["cedtag.distill.block", "cedtag.writers.parquet", "cedtag.store"],
    "matplotlib": ["cedtag.writers.picture", "cedtag.writers.fonts", "cedtag.evaluation.plot"],
    "sklearn": ["cedtag.evaluation", "cedtag.learning"],
    "obstore": ["cedtag.system.remote"],
    "ray": ["cedtag.run.on_ray.engine", "cedtag.run.on_ray.member", "cedtag.run.on_ray.session"],
    "huggingface_hub": ["cedtag.checkpoints", "cedtag.doctor", "cedtag.cli.models"],
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
    """The modules that a file imports: at its top, in functions, and for its types alone."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from cedtag.run import journal` imports a module, too.
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & modules().keys()
            names |= submodules or {node.module}
    return names


@cache
def runtime_imports(path: Path) -> set[str]:
    """The same without what only type checkers import."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def row(module: str) -> int:
    return ROWS.index(module.split(".")[1])


def test_every_module_has_a_row():
    assert {name.split(".")[1] for name in modules() if name != "cedtag"} - set(ROWS) == set()


@pytest.mark.parametrize("module", sorted(modules().keys() - {"cedtag"}))
def test_imports_only_point_down(module):
    ours = {name for name in imports(modules()[module]) if name.startswith("cedtag.")}
    assert {name for name in ours if row(name) < row(module)} == set()


@pytest.mark.parametrize("package", OWNERS)
def test_packages_stay_in_the_files_that_own_them(package):
    users = {
        name for name, path in modules().items() if package in {used.split(".")[0] for used in runtime_imports(path)}
    }
    assert {user for user in users if not user.startswith(tuple(OWNERS[package]))} == set()


def test_the_two_halves_never_import_each_other():
    model = ("cedtag.checkpoints", "cedtag.model")
    sound = ("cedtag.audio", "cedtag.inputs")
    for name, path in modules().items():
        for half, other in ((model, sound), (sound, model)):
            if name.startswith(half):
                assert not [used for used in imports(path) if used.startswith(other)]
