"""The ways to score that this machine may have: backend, device and precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import CedtagError
from cedtag.scoring import Compute, load_model
from cedtag.system.extras import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.scoring import LoadedModel

_ON_CPUS = (("torch", "fp32"), ("torch", "bf16"), ("onnx", "fp32"), ("onnx", "int8"))
_ON_GPUS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Way:
    """A backend on a device in a precision."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        place = "" if self.device == "cpu" else f" {self.device}"
        return f"{self.backend} {self.precision}{place}"

    @property
    def compute(self) -> Compute:
        """The same as what a run is told."""
        return Compute(self.backend, self.device, self.precision)

    @property
    def options(self) -> tuple[str, ...]:
        """What is typed for it; on a machine without a GPU the device need not be."""
        device = ("--device", self.device) if _gpu() else ()
        return ("--backend", self.backend, *device, "--precision", self.precision)


def ways() -> Iterator[Way]:
    """All that are tried: those on the processor, and those on a GPU if there is one."""
    for backend, precision in _ON_CPUS:
        yield Way(backend, "cpu", precision)
    if gpu := _gpu():
        for precision in _ON_GPUS:
            yield Way("torch", gpu, precision)


def loaded(checkpoint: Checkpoint) -> tuple[dict[Way, LoadedModel], list[str]]:
    """The model in each way that works here, and for each that does not, the sentence that says why."""
    found = {way: _loaded(checkpoint, way) for way in ways()}
    models = {way: model for way, model in found.items() if not isinstance(model, CedtagError)}
    return models, [f"{way}: {error}" for way, error in found.items() if isinstance(error, CedtagError)]


def _loaded(checkpoint: Checkpoint, way: Way) -> LoadedModel | CedtagError:
    try:
        return load_model(checkpoint, way.compute)
    except CedtagError as error:
        return error


def _gpu() -> str | None:
    if not is_installed("torch"):
        return None
    from cedtag.scoring.torch_device import find_device

    device = find_device("auto").type
    return None if device == "cpu" else device
