"""The connection to a cluster: quiet, and without a trace in this process when it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import CedtagError, MissingPackageError
from cedtag.system.extras import missing
from cedtag.system.machine import usable_cpus

# Before ray is loaded, which reads them then: nothing is sent anywhere, and nothing is printed.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

try:
    import ray
    from ray._private import worker as ray_worker
except ImportError as error:
    raise MissingPackageError(missing("`engine` ray needs ray", "ray")) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.run.cluster import Cluster

_MOST_CPUS_BY_DEFAULT = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """How many actors there are, and what of a machine each gets."""

    actors: int
    cpus: int
    gpus: float


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Be connected to the cluster; to the one that this process is connected to already, if it is."""
    if ray.is_initialized():
        yield
        return
    with _signals_as_they_are():
        _connect(cluster)
    try:
        yield
    finally:
        with _signals_as_they_are():
            ray.shutdown()


def _connect(cluster: Cluster) -> None:
    # Else what its daemons say of a lost process goes to standard output, between the rows; there is no public switch.
    ray_worker._worker_logs_enabled = False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address=cluster.address or os.environ.get("RAY_ADDRESS") or "auto", **quiet)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        if cluster.address or os.environ.get("RAY_ADDRESS"):
            raise CedtagError(
                f"`engine` {cluster.engine}: no cluster answers there ({_first_line(error)}); see `ray status`"
            ) from error
        ray.init(address="local", num_cpus=usable_cpus(), include_dashboard=False, **quiet)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Give signals back their handlers, which ray takes from them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # a handler that was not set from Python
                signal.signal(number, handler)


def layout(cluster: Cluster, *, on_gpu: bool) -> Layout:
    """What the options say, and else what suits the machines of the cluster."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus_of = [int(machine.get("CPU", 0)) for machine in machines]
    gpus = cluster.actor_gpus if cluster.actor_gpus is not None else float(on_gpu)
    fewest = min((number for number in cpus_of if number), default=1)
    cpus = cluster.actor_cpus or min(_MOST_CPUS_BY_DEFAULT, fewest)
    rooms = [
        min(own // cpus, int(machine.get("GPU", 0) // gpus) if gpus else own)
        for own, machine in zip(cpus_of, machines, strict=True)
    ]
    if not sum(rooms):
        card = f" and {gpus:g} GPU" if gpus else ""
        raise CedtagError(
            f"`engine` {cluster.engine}: no machine of the cluster has {cpus} CPUs{card} for an actor; "
            "see `actor_cpus`, `actor_gpus` and `ray status`"
        )
    return Layout(cluster.actors or sum(rooms), cpus, gpus)
