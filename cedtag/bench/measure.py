"""Measures each way to score that works here: samples in memory, files to rows, and the start of a process."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field, replace
from importlib import metadata
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cedtag.bench.cases import first_row_s, seconds_of_decoding, seconds_of_run, seconds_of_scoring
from cedtag.bench.corpus import CONTAINERS, can_be_made, write_checkpoint, write_recording
from cedtag.bench.findings import MODEL, WINDOW_S, Figure, Findings, WayFindings
from cedtag.bench.material import given, synthetic
from cedtag.bench.products import Limit
from cedtag.bench.ways import loaded
from cedtag.checkpoints.choice import ModelChoice
from cedtag.checkpoints.locate import HubName, locate, resolve
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.errors import MissingPackageError
from cedtag.model.config import CedConfig
from cedtag.system.extras import is_installed, missing
from cedtag.system.machine import usable_cpus
from cedtag.system.processor import processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cedtag.bench.material import Material
    from cedtag.bench.ways import Way
    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.scoring import LoadedModel

_PACKAGES = ("torch", "onnxruntime", "soundfile", "av")
_MODEL_S = 1.0  # samples in memory have no beginning and no end to wait for, as files have
_LEAST_WINDOWS = 32  # with fewer, the threads that wait at the end of a run would count
_GPU_WINDOWS = 2048
_LEAST_S = 0.005


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each measurement lasts, about, in which containers, and how often.

    No further round is begun after `enough_s`.
    """

    case_s: float = 2.5
    rounds: int = 3
    enough_s: float = 40.0
    containers: tuple[str, ...] = CONTAINERS


QUICK = Plan(case_s=0.7, rounds=1, containers=("wav", "mp3"))


@dataclass(slots=True)
class _Bench:
    """What is measured, and what was found so far."""

    models: dict[Way, LoadedModel]
    guesses: dict[Way, float]  # the seconds that a window took at first
    limits: dict[Way, Limit]
    materials: dict[str, dict[str, Material]]  # by device and kind
    rows: Path
    case_s: float
    on_progress: Callable[[str], object]
    figures: dict[Way, dict[str, list[Figure]]] = field(default_factory=dict)
    decoding: dict[str, list[float]] = field(default_factory=dict)

    def round(self) -> None:
        """Measure everything once, each way between two measurements of its limit."""
        for what in (MODEL, *self.materials["cpu"]):
            if what != MODEL:
                self.on_progress(f"decoding, {what}")
                self.decoding.setdefault(what, []).append(seconds_of_decoding(self.materials["cpu"][what]))
            for way in self.models:
                self.on_progress(f"{way}, {what}")
                before_s = self.limits[way].seconds()
                seconds = self._seconds(what, way)
                figure = Figure(seconds, (before_s + self.limits[way].seconds()) / 2)
                self.figures.setdefault(way, {}).setdefault(what, []).append(figure)

    def _seconds(self, what: str, way: Way) -> float:
        model = self.models[way]
        if what == MODEL:
            return seconds_of_scoring(model.scorer, round(min(self.case_s, _MODEL_S) / self.guesses[way]))
        return seconds_of_run(self.materials[way.device][what], way, model, self.rows)


def measure(
    choice: ModelChoice, files: Sequence[str], plan: Plan, on_progress: Callable[[str], object] = lambda what: None
) -> Findings:
    """Measure a model with recordings, or with synthetic ones; `on_progress` is told what comes next.

    A published model is measured with random weights in its shape, and nothing is downloaded.
    """
    if files:
        given(files, WINDOW_S)  # what is not there is said at once
    notes = _busy()
    with TemporaryDirectory(prefix="cedtag-bench-") as temporary:
        folder = Path(temporary)
        on_progress("preparing")
        name, own = _model(choice, folder)
        checkpoint = resolve(own.model, offline=own.offline, cache_dir=own.cache_dir)
        models, left_out = loaded(checkpoint)
        if not models:
            raise MissingPackageError(missing("no backend works here: one needs ONNX Runtime", "onnx"))
        limits = _limits(_config_of(checkpoint), models)
        on_progress("first calls")
        guesses = {way: min(seconds_of_scoring(model.scorer) for _ in range(2)) for way, model in models.items()}
        wanted = _wanted_windows(plan, guesses)
        if wanted["cpu"] * _slowest(guesses) > 2 * plan.case_s:
            plan = replace(plan, containers=QUICK.containers)  # there is little else than the model to be measured
        if files:
            materials = {device: given(files, windows * WINDOW_S) for device, windows in wanted.items()}
        else:
            kinds = _kinds(plan.containers, left_out)
            materials = {device: synthetic(folder / device, kinds, n * WINDOW_S) for device, n in wanted.items()}
        bench = _Bench(models, guesses, limits, materials, folder / "rows.csv", plan.case_s, on_progress)
        _repeat(bench, plan)
        start = write_recording(folder / "start.wav", WINDOW_S)
        first_rows = {}
        for way in models:
            on_progress(f"{way}, first row")
            first_rows[way] = first_row_s(way, _options(own), start)
    ways = tuple(WayFindings(str(way), way.options, first_rows[way], figures) for way, figures in bench.figures.items())
    machine = f"{processor()}; {usable_cpus()} cores in use"
    return Findings(machine, _packages(), name, bench.decoding, ways, (*notes, *left_out))


def _repeat(bench: _Bench, plan: Plan) -> None:
    started = time.monotonic()
    for _ in range(plan.rounds):
        bench.round()
        if time.monotonic() - started > plan.enough_s:
            break


def _model(choice: ModelChoice, folder: Path) -> tuple[str, ModelChoice]:
    """The name of what is measured, and where it is."""
    place = locate(choice.model)
    known = {one.repo: one for one in KNOWN_CHECKPOINTS}
    if not isinstance(place, HubName) or (one := known.get(place.repo)) is None:
        return choice.model, choice
    config = CedConfig(embed_dim=one.embed_dim, num_heads=one.num_heads, depth=one.depth)
    return f"ced-{one.name}, random weights", ModelChoice(str(write_checkpoint(folder / one.name, config)))


def _options(choice: ModelChoice) -> list[str]:
    """What a process of its own is told of the model, which is on this machine now."""
    cache = [] if choice.cache_dir is None else ["--cache-dir", str(choice.cache_dir)]
    return ["-m", choice.model, "--offline", *cache]


def _config_of(checkpoint: Checkpoint) -> CedConfig:
    if checkpoint.config is not None:
        return CedConfig.from_file(checkpoint.config)
    from cedtag.model.network import CedForAudioClassification

    return CedForAudioClassification.from_checkpoint(checkpoint).config


def _limits(config: CedConfig, ways: Iterable[Way]) -> dict[Way, Limit]:
    kinds = {way: (way.device, way.precision) for way in ways}
    limits = {kind: Limit(config, *kind) for kind in dict.fromkeys(kinds.values())}
    return {way: limits[kind] for way, kind in kinds.items()}


def _slowest(guesses: Mapping[Way, float]) -> float:
    """The seconds of the slowest way on the processor, no less than what decoding takes beside it."""
    return max(_LEAST_S, *(seconds for way, seconds in guesses.items() if way.device == "cpu"))


def _wanted_windows(plan: Plan, guesses: Mapping[Way, float]) -> dict[str, int]:
    """How many windows each device is given to score."""
    on_cpu = max(_LEAST_WINDOWS, ceil(plan.case_s / _slowest(guesses)))
    return {way.device: on_cpu if way.device == "cpu" else max(on_cpu, _GPU_WINDOWS) for way in guesses}


def _kinds(containers: Sequence[str], left_out: list[str]) -> list[str]:
    """Those of the containers that can be written and read here."""
    made = [kind for kind in containers if can_be_made(kind)]
    if lacking := [kind for kind in containers if kind not in made]:
        left_out.append(missing(f"{' and '.join(lacking)} need PyAV", "av"))
    return made


def _busy() -> list[str]:
    """The doubt about figures of a machine that does something else, too."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    is_busy = load > usable_cpus() / 2
    return [f"other programs are at work (load {load:.1f}): measure again when they are not"] if is_busy else []


def _packages() -> str:
    there = [f"{name} {metadata.version(name)}" for name in _PACKAGES if is_installed(name)]
    return ", ".join((f"Python {platform.python_version()}", *there))
