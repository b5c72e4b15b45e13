"""Checks of the installation and the machine, as a bug report needs them."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag import __version__
from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.endpoint import client_constants, without_credentials
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.doctor.selftest import TOLERANCE, deviation
from cedtag.doctor.speed import speedups
from cedtag.errors import CedtagError, ModelError
from cedtag.system import extras
from cedtag.system.machine import cpu_quota, memory_limit, usable_cpus
from cedtag.system.processor import processor
from cedtag.system.telemetry import OPT_OUTS, disable_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NETWORK_S = 10.0
# extra -> what needs it.
_USES = {
    "av": "m4a, mp4, mkv, webm, wma and video",
    "onnx": "--backend onnx and int8",
    "hf": "cedtag.hf, for transformers",
    "parquet": "parquet files",
    "plot": "pictures",
    "ray": "--engine ray",
    "remote": "s3://, gs://, az:// and https://",
    "store": "stores of scores",
    "hoplite": "databases of perch-hoplite",
    "train": "evaluate, finetune and distill",
}
_SECRETS = ("TOKEN", "KEY", "SECRET", "PASSWORD")
_VARIABLES = ("CEDTAG_", "HF_HUB_", "HF_HOME", "HF_ENDPOINT", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Check:
    """What was examined, what was found, and whether cedtag can work with it."""

    name: str
    found: str
    ok: bool = True


def checks(*, network: bool = False) -> Iterator[Check]:
    """Every check in turn; that of the Hub, which needs the network, only with `network`."""
    disable_telemetry()
    yield _checked("cedtag", _cedtag)
    yield Check("python", f"{platform.python_version()} on {platform.platform()}")
    yield _checked("torch", _torch)
    yield _checked("device", _device)
    yield _checked("soundfile", _soundfile)
    for extra in _USES:
        yield _checked(extra, partial(_extra, extra))
    yield Check("processors", _processors())
    yield Check("memory", _memory())
    yield _checked("models", _models)
    yield _checked("temporary", _temporary)
    yield Check("environment", _environment())
    yield Check("telemetry", _telemetry())
    if network:
        yield _checked("hub", _hub)
    yield _checked("speed", _speed)
    yield _checked("self-test", _self_test)


def _checked(name: str, find: Callable[[], str]) -> Check:
    """The check of this name; an exception of `find` is a failed one."""
    try:
        return Check(name, find())
    # A broken installation may raise anything when it is loaded, and the report is to show it.
    except Exception as error:  # noqa: BLE001
        text = str(error) if isinstance(error, CedtagError) else f"{type(error).__name__}: {error}"
        return Check(name, text.strip().splitlines()[0], ok=False)


def _cedtag() -> str:
    if len(installed := extras.installed_distributions()) > 1:
        raise CedtagError(
            f"{' and '.join(installed)} are both installed, and hold the same files: uninstall both, and install one"
        )
    return f"{__version__} in {Path(__file__).parent.parent}"


def _torch() -> str:
    if not extras.is_installed("torch"):
        extras.require("onnx", "there is no torch, and so scoring needs ONNX Runtime")
        what_needs_it = "finetune, GPUs and weights that are no safetensors"
        return f"not installed; for {what_needs_it}: {extras.install_command(*extras.EXTRAS['torch'])}"
    from cedtag.model.features import CedFeatureExtractor

    CedFeatureExtractor()  # loads both, and is an error if they are no pair
    return f"torch {_version('torch')} with torchaudio {_version('torchaudio')}, numpy {_version('numpy')}"


def _device() -> str:
    if not extras.is_installed("torch"):
        return "cpu, with ONNX Runtime in fp32 or int8"
    from cedtag.scoring.torch_device import find_device, find_precision

    device = find_device("auto")
    return f"{device}, in {find_precision('auto', device)}"


def _soundfile() -> str:
    import soundfile

    formats = ", ".join(sorted(soundfile.available_formats()))
    return f"{soundfile.__version__} with libsndfile {soundfile.__libsndfile_version__}: {formats}"


def _extra(extra: str) -> str:
    """The versions of the packages of an extra, or what needs it, and the command that installs it."""
    if not extras.has(extra):
        return f"not installed; for {_USES[extra]}: {extras.install_command(*extras.EXTRAS[extra])}"
    if extra == "av":
        import av

        return f"PyAV {av.__version__} with FFmpeg {av.ffmpeg_version_info}"
    return ", ".join(f"{package} {_version(package)}" for package in extras.EXTRAS[extra])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processors() -> str:
    quota = cpu_quota()
    limit = "no limit of the control group" if quota is None else f"the control group allows {quota:g}"
    return f"{usable_cpus()} of {os.cpu_count()} usable, {limit}; {processor()}"


def _memory() -> str:
    limit = memory_limit()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    within = "no limit of the control group" if limit is None else f"the control group allows {_size(limit)}"
    return f"{_size(total)} in all, {within}"


def _models() -> str:
    cache = Path(client_constants().HF_HUB_CACHE)
    sizes = {known.name: hub.bytes_in(hub.repo_folder(known.repo, cache) / "blobs") for known in KNOWN_CHECKPOINTS}
    there = ", ".join(f"{name} {_size(size)}" for name, size in sizes.items() if size) or "none of the published ones"
    return f"{cache}: {there}"


def _temporary() -> str:
    folder = tempfile.gettempdir()
    return f"{folder}: {_size(shutil.disk_usage(folder).free)} free"


def _environment() -> str:
    found = [f"{name}={_shown(name)}" for name in sorted(os.environ) if name.startswith(_VARIABLES)]
    return " ".join(found) or "nothing that changes what cedtag does"


def _shown(name: str) -> str:
    secret = any(word in name for word in _SECRETS)
    return "***" if secret else without_credentials(os.environ[name])


def _telemetry() -> str:
    return "off: " + " ".join(f"{name}={os.environ.get(name)}" for name in OPT_OUTS)


def _hub() -> str:
    """Whether the Hub answers; its client has no deadline in some states, so the request runs in a thread."""
    endpoint = without_credentials(client_constants().ENDPOINT)
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    answer: Future[None] = Future()

    def ask() -> None:
        try:
            get_hf_file_metadata(hf_hub_url(KNOWN_CHECKPOINTS[0].repo, "config.json"), timeout=NETWORK_S / 2)
            answer.set_result(None)
        except Exception as error:  # noqa: BLE001 -- the client lets the exceptions of several libraries through
            answer.set_exception(error)

    started = time.monotonic()
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer.result(NETWORK_S)
    except FutureTimeout:
        raise ModelError(f"{endpoint} gave no answer within {NETWORK_S:g} s") from None
    except Exception as error:
        if isinstance(error, HfHubHTTPError):
            raise ModelError(f"{endpoint} answers, but with HTTP {error.response.status_code}") from error
        reason = without_credentials(f"{type(error).__name__}: {error}")
        raise ModelError(f"{endpoint} is out of reach ({reason})") from error
    return f"{endpoint} answers, in {time.monotonic() - started:.1f} s"


def _speed() -> str:
    """What `--precision` can gain on this processor, measured."""
    gains = [f"--precision {precision} is {gain:.1f} times as fast" for precision, gain in speedups().items()]
    if not extras.has("onnx"):
        gains.append(f"int8 needs ONNX Runtime: {extras.install_command(*extras.EXTRAS['onnx'])}")
    if not processor().has_bf16:
        gains.append("this processor has no bf16")
    return f"compared with fp32 on the CPU (ced-tiny, one thread): {', '.join(gains)}"


def _self_test() -> str:
    started = time.monotonic()
    largest = deviation()
    if not largest <= TOLERANCE:
        raise ModelError(f"scores on the CPU differ by up to {largest:.2g} from those that are stored")
    took_s = time.monotonic() - started
    return f"scores on the CPU are within {largest:.0e} of those that are stored, in {took_s:.1f} s"


def _size(num_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes} bytes"
