"""Where recordings are decoded and scored: in this process, or by actors on the machines of a Ray cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cedtag.errors import InputError
from cedtag.system.extras import require

LOCAL, RAY = "local", "ray"
_ENGINE = re.compile(r"local|ray(://[^\s/]+)?")
_MOST = {"actors": 10_000, "actor_cpus": 1024, "actor_gpus": 64}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What turns recordings into scores. No result depends on it.

    `engine` is "local", "ray" (the cluster that RAY_ADDRESS names or that runs on this machine, else one is started
    here) or "ray://HOST:PORT". There are `actors` of them, each with `actor_cpus` processors and `actor_gpus` graphics
    cards (a share of one, too); None takes what suits the cluster.
    """

    engine: str = LOCAL
    actors: int | None = None
    actor_cpus: int | None = None
    actor_gpus: float | None = None

    def __post_init__(self) -> None:
        if not _ENGINE.fullmatch(self.engine):
            raise InputError(f"`engine` {self.engine}: expected local, ray or ray://HOST:PORT")
        for name, most in _MOST.items():
            number = getattr(self, name)
            if number is None:
                continue
            least = 0 if name == "actor_gpus" else 1
            if not least <= number <= most:
                raise InputError(f"`{name}` {number}: expected a number from {least} to {most}")
            if self.is_local:
                raise InputError(f"`{name}` goes with `engine` ray; leave it out, or name the engine")

    @property
    def is_local(self) -> bool:
        """Whether this process does all the work."""
        return self.engine == LOCAL

    def check_installed(self) -> None:
        """MissingPackageError for an engine whose package is not installed."""
        if not self.is_local:
            require("ray", "`engine` ray needs ray")

    @property
    def address(self) -> str | None:
        """Where the cluster is, if that is named."""
        return None if self.engine in (LOCAL, RAY) else self.engine
