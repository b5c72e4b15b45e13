"""Packages that cedtag can use and does not bring: whether they are installed, and the command that installs them."""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from importlib import metadata, util

from cedtag.errors import MissingPackageError

# Two distributions hold this package; at most one of them is installed.
DISTRIBUTIONS = ("cedtag", "cedtag-lite")
# extra -> its packages. Which versions of them will do stands in pyproject.toml alone.
EXTRAS = {
    "torch": ("torch", "torchaudio"),
    "av": ("av",),
    "hf": ("transformers", "accelerate"),
    "onnx": ("onnxruntime",),
    "parquet": ("pyarrow",),
    "plot": ("matplotlib",),
    "ray": ("ray",),
    "remote": ("obstore",),
    "store": ("pyarrow",),
    "hoplite": ("pyarrow", "usearch"),
    "train": ("scikit-learn", "matplotlib", "pyarrow"),
}
_MODULES = {"scikit-learn": "sklearn"}  # of packages whose modules have other names


def is_installed(package: str) -> bool:
    """Whether the modules of a package can be found; nothing is loaded."""
    try:
        return util.find_spec(_MODULES.get(package, package)) is not None
    except (ImportError, ValueError):
        return False


def has(extra: str) -> bool:
    """Whether all packages of an extra are installed."""
    return all(map(is_installed, EXTRAS[extra]))


def missing(what: str, extra: str) -> str:
    """The sentence that `what` an extra brings is not installed, with the command that installs it."""
    return f"{what}, which is not installed: {install_command(*EXTRAS[extra])}"


def installed_distributions() -> list[str]:
    """Which of the distributions that hold this package are installed: none where it runs from its sources."""
    return [name for name in DISTRIBUTIONS if any(True for _ in metadata.distributions(name=name))]


def require(extra: str, what: str) -> None:
    """MissingPackageError where `what` needs an extra that is not installed."""
    if not has(extra):
        raise MissingPackageError(missing(what, extra))


def install_command(*packages: str) -> str:
    """The command that installs packages where this Python finds them, in versions that will do.

    It names the packages and no extra of cedtag: that would need to be told where cedtag itself came from.
    """
    wanted = [_requirement(package) for package in packages]
    if util.find_spec("pip") is None:  # as in environments that uv has made
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, *wanted])
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])


def _requirement(package: str) -> str:
    """A package with the range of versions that the installed distribution states, such as `av>=17.1`."""
    for requirement in _requirements():
        text = requirement.partition(";")[0].strip()
        name = re.match(r"[\w.-]*", text)
        if name is not None and _same(name[0]) == _same(package):
            return text
    return package


@cache
def _requirements() -> list[str]:
    """What the installed distribution asks for; nothing where cedtag runs from its sources."""
    return [
        line for name in DISTRIBUTIONS for found in metadata.distributions(name=name) for line in found.requires or ()
    ]


def _same(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
