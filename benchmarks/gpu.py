"""cedtag on a GPU: `python -m benchmarks.gpu`, under eight minutes on a machine with torch and nothing downloaded.

Windows per second for ced-tiny and ced-base with random weights, by precision: the model as it is, in a CUDA graph and
compiled; with features; and whole runs from files, alone and two beside each other. Also memory, the largest
difference from the CPU in fp32, and what happens when the memory of the device is full. The text goes to standard
output, and all figures to `gpu.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import torch

from benchmarks.corpus import write_checkpoint
from cedtag.bench.cases import seconds_of_decoding, seconds_of_run
from cedtag.bench.material import Material, synthetic
from cedtag.bench.products import Limit
from cedtag.bench.timing import timed_in_threads
from cedtag.bench.ways import Way
from cedtag.checkpoints.locate import resolve
from cedtag.errors import CedtagError
from cedtag.model.config import CedConfig
from cedtag.model.network import CedForAudioClassification
from cedtag.records import Source, Window
from cedtag.scoring import Compute, load_model
from cedtag.system.machine import usable_cpus
from cedtag.system.processor import processor

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.scoring import LoadedModel

SIZES = {"tiny": CedConfig(), "base": CedConfig(embed_dim=768, num_heads=12)}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# The largest difference that docs/archives.md allows.
TOLERANCE = {"fp32": 1e-5, "bf16": 0.01, "fp16": 0.01}
KINDS = ("flac", "mp3")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: windows per call, seconds of each measurement, and hours of audio of each run."""

    batch: int = 256
    case_s: float = 2.0
    hours: float = 12.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; where a step failed, `note` says how."""

    size: str
    precision: str
    what: str
    value: float | None
    unit: str
    note: str = ""


class Report:
    """Rows, printed as they come and kept for JSON; a step that fails costs itself."""

    def __init__(self, seconds: float) -> None:
        self.rows: list[Row] = []
        self._ends = time.monotonic() + seconds

    def add(self, size: str, precision: str, what: str, unit: str, measure: Callable[[], float]) -> None:
        note, value = "", None
        if time.monotonic() > self._ends:
            note = "left out: the time is up"
        else:
            try:
                value = measure()
            except (RuntimeError, OSError, subprocess.SubprocessError, AssertionError, ImportError) as error:
                note = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        self.rows.append(Row(size, precision, what, value, unit, note))
        shown = "-" if value is None else f"{value:.6g}"
        click.echo(f"{size:<5} {precision:<5} {what:<34} {shown:>12} {unit:<10} {note}".rstrip())


@click.command(help=__doc__)
@click.option("--device", default="cuda", show_default=True)
@click.option("--quick", is_flag=True, help="One small size, to see that everything runs to its end.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("gpu.json"), show_default=True)
@click.option("--limit", default=460.0, show_default=True, help="Seconds after which nothing more is begun.")
def main(device: str, quick: bool, output: Path, limit: float) -> None:
    scale = Scale(4, 0.05, 0.02) if quick else Scale()
    sizes, kinds = ({"tiny": CedConfig(depth=1)}, KINDS[1:]) if quick else (SIZES, KINDS)
    report = Report(limit)
    machine = {"device": _name(device), "cores": usable_cpus(), "torch": torch.__version__}
    click.echo(json.dumps(machine))
    with TemporaryDirectory(prefix="cedtag-gpu-") as temporary:
        folder = Path(temporary)
        materials = synthetic(folder, kinds, scale.hours * 3600)
        for kind, material in materials.items():
            per_s = partial(_decoded_per_s, material)
            report.add("", "", f"{kind} decoded on all cores", "windows/s", per_s)
        for size, config in sizes.items():
            checkpoint = write_checkpoint(folder / size, config)
            _measure_size(report, size, checkpoint, device, scale, materials)
    output.write_text(json.dumps({**machine, "rows": [asdict(row) for row in report.rows]}, indent=1), encoding="utf-8")
    click.echo(f"all figures: {output}")


def _measure_size(
    report: Report, size: str, checkpoint: Path, device: str, scale: Scale, materials: dict[str, Material]
) -> None:
    config = CedConfig.from_file(checkpoint / "config.json")
    expected = load_model(resolve(str(checkpoint)), Compute("torch", "cpu", "fp32")).scorer.score(_windows(8))
    for precision in TYPES:
        model = _loaded(checkpoint, device, precision, scale)
        if isinstance(model, str):
            report.add(size, precision, "loading", "", partial(_fail, model))
            continue
        add = partial(report.add, size, precision)
        add("products alone", "windows/s", partial(_products_per_s, config, device, precision))
        # Compiling takes half a minute, so once a size.
        for how in ("as it is", "CUDA graph", "compiled")[: 3 if precision == "bf16" else 2]:
            forward = partial(_forward_per_s, config, device, precision, scale, how)
            add(f"model alone, {how}", "windows/s", forward)
        add("features and model, one thread", "windows/s", partial(_scored_per_s, model, scale, 1))
        add("features and model, two threads", "windows/s", partial(_scored_per_s, model, scale, 2))
        add("peak memory", "MB", partial(_memory_mb, device))
        add("largest difference from the CPU", "", partial(_difference, model, expected, TOLERANCE[precision]))
        for kind, material in materials.items():
            run = partial(_run_per_s, material, device, precision, model, checkpoint.parent)
            add(f"{kind} files to rows", "windows/s", run)
        add("out of memory halves the batch to", "windows", partial(_halved, checkpoint, device, precision))
    for kind in materials:
        two = partial(_two_runs_per_s, checkpoint, device, materials[kind], scale)
        report.add(size, "auto", f"{kind}, two runs side by side", "windows/s", two)


def _loaded(checkpoint: Path, device: str, precision: str, scale: Scale) -> LoadedModel | str:
    try:
        return load_model(resolve(str(checkpoint)), Compute("torch", device, precision, scale.batch))
    except (CedtagError, RuntimeError) as error:
        return f"{error}"


def _fail(reason: str) -> float:
    raise RuntimeError(reason)


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else str(processor())


def _products_per_s(config: CedConfig, device: str, precision: str) -> float:
    return 1 / Limit(config, device, precision).seconds()


def _decoded_per_s(material: Material) -> float:
    return 1 / seconds_of_decoding(material)


def _forward_per_s(config: CedConfig, device: str, precision: str, scale: Scale, how: str) -> float:
    """Windows per second of the network alone, whose features are on the device."""
    model = CedForAudioClassification(config).eval().to(device)
    features = torch.randn(scale.batch, config.n_mels, 1001, device=device)
    # Without the cache of weights that are cast, which a graph must not refer to.
    kind = torch.device(device).type
    autocast = partial(torch.autocast, kind, TYPES[precision], enabled=precision != "fp32", cache_enabled=False)

    @torch.inference_mode()
    def forward() -> None:
        with autocast():
            _ = model(features).probabilities

    if how == "compiled":
        model.compile()
    for _ in range(3):
        forward()
    call = _graph_of(forward).replay if how == "CUDA graph" else forward
    return scale.batch / _seconds_of(call, device, scale.case_s)


def _graph_of(forward: Callable[[], None]) -> torch.cuda.CUDAGraph:
    _require_cuda("cuda" if torch.cuda.is_available() else "")
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        forward()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        forward()
    return graph


def _require_cuda(device: str) -> None:
    if not device.startswith("cuda"):
        raise RuntimeError("needs CUDA")


def _seconds_of(call: Callable[[], object], device: str, case_s: float) -> float:
    """The seconds of one call, of as many as last about `case_s`."""

    def timed(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            call()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / count

    return timed(max(1, round(case_s / timed(1))))


def _windows(count: int) -> list[Window]:
    samples = (0.1 * np.random.default_rng(0).standard_normal((count, 160_000))).astype(np.float32)
    return [Window(Source("a", "a", "a"), index, index * 160_000, each) for index, each in enumerate(samples)]


def _scored_per_s(model: LoadedModel, scale: Scale, num_threads: int) -> float:
    """Windows per second through the scorer: pinned memory, copies, features and model on the device."""
    windows = _windows(scale.batch)

    def call() -> None:
        timed_in_threads(lambda: model.scorer.score(windows), num_threads)

    return num_threads * scale.batch / _seconds_of(call, "cpu", scale.case_s)


def _memory_mb(device: str) -> float:
    _require_cuda(device)
    return torch.cuda.max_memory_allocated() / 1e6


def _difference(model: LoadedModel, expected: np.ndarray[Any, Any], tolerance: float) -> float:
    largest = float(np.abs(model.scorer.score(_windows(8)) - expected).max())
    assert largest <= tolerance, f"{largest:.2g}, beyond the tolerance of {tolerance:g}"
    return largest


def _run_per_s(material: Material, device: str, precision: str, model: LoadedModel, folder: Path) -> float:
    return 1 / seconds_of_run(material, Way("torch", device, precision), model, folder / "rows.csv")


def _halved(checkpoint: Path, device: str, precision: str) -> float:
    """The batch size that is left when one of 2,048 windows has met the end of the memory, which is moved near."""
    _require_cuda(device)
    scorer = load_model(resolve(str(checkpoint)), Compute("torch", device, precision, 2048)).scorer
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 2e9) / total))
    try:
        assert np.isfinite(scorer.score(_windows(1) * 2048)).all(), "scores are not numbers"
        assert scorer.batch_size < 2048, "the memory sufficed"
        return float(scorer.batch_size)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def _two_runs_per_s(checkpoint: Path, device: str, material: Material, scale: Scale) -> float:
    """Windows per second of two processes of `cedtag` together, their start included."""
    words = [sys.executable, "-m", "cedtag", *material.paths, "-m", str(checkpoint), "-d", device, "-q", "-t", "0.9"]
    started = time.perf_counter()
    runs = [
        subprocess.Popen([*words, "-o", str(checkpoint.parent / f"two{number}.csv"), "--overwrite"])
        for number in range(2)
    ]
    codes = [run.wait() for run in runs]
    assert codes == [0, 0], f"exit codes {codes}"
    return 2 * scale.hours * 360 / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
