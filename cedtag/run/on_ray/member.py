"""One actor of the cluster as the driver sees it: started, asked, and started again when it is lost."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

import cedtag
from cedtag.errors import CedtagError, ModelError
from cedtag.run.on_ray.actor import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cedtag.run.on_ray.session import Layout

CALLS = 2  # at once: one batch is decoded while the end of another is scored
_POLL_S = 0.5
_MOST_STARTS = 3  # that fail one after the other


class ActorLost(Exception):
    """The actor has died, or its machine has: what it was asked for has to be asked of another."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What every actor is given: a `Parcel` in the memory of the cluster, and its share of a machine.

    `expects` are the settings of the driver's own scorer that decide a number: those of all actors are the same.
    """

    parcel: Any
    expects: Mapping[str, Any]
    layout: Layout


class Member:
    """An actor, whichever process it is at the moment. Used from several threads."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._actor: Any = None
        self._starting = threading.Lock()  # which may take as long as the cluster has no room
        self._letting_go = threading.Lock()
        self._door = threading.Lock()
        self._calls = threading.Semaphore(CALLS)
        self._failed_starts = 0

    @property
    def is_up(self) -> bool:
        return self._actor is not None

    def ready(self, goes_on: Callable[[], bool]) -> Any:
        """The actor, once it is there and its model is loaded; None where that is not wanted any more."""
        with self._starting:
            while (actor := self._actor) is None and goes_on():
                self._actor = self._tried(goes_on)
            return actor

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """One of the calls that may go on at once; `alone`, all of them."""
        taken = CALLS if alone else 1
        with self._door:
            for _ in range(taken):
                self._calls.acquire()
        try:
            yield
        finally:
            self._calls.release(taken)

    def forget(self, actor: Any) -> None:
        """Let go of an actor that is lost, unless another has taken its place already."""
        with self._letting_go:
            if self._actor is not actor:
                return
            self._actor = None
        _kill(actor)

    def kill(self) -> None:
        """End the process, with all that it is doing."""
        if (actor := self._actor) is not None:
            self.forget(actor)

    def _tried(self, goes_on: Callable[[], bool]) -> Any:
        """A new actor; None where its process was lost, which may happen a few times."""
        try:
            actor = self._started(goes_on)
        except ActorLost as error:
            self._failed_starts += 1
            if self._failed_starts < _MOST_STARTS:
                return None
            raise CedtagError(
                f"`engine` ray: an actor does not start ({error}); install cedtag {cedtag.__version__} on every "
                "machine of the cluster"
            ) from error
        self._failed_starts = 0
        return actor

    def _started(self, goes_on: Callable[[], bool]) -> Any:
        layout = self._assignment.layout
        actor = (
            ray.remote(Actor)
            .options(num_cpus=layout.cpus, num_gpus=layout.gpus, max_concurrency=CALLS, max_restarts=0)
            .remote()
        )
        try:
            version = _waited(actor.version.remote(), goes_on)
            if version is None:
                _kill(actor)
                return None
            self._check_version(version)
            said = asked(actor.load, self._assignment.parcel, layout.cpus)
            self._check_settings(said)
        except BaseException:
            _kill(actor)
            raise
        return actor

    def _check_version(self, version: str) -> None:
        if version != cedtag.__version__:
            raise ModelError(
                f"`engine` ray: a machine of the cluster has cedtag {version}, and this one {cedtag.__version__}; "
                "install the same version everywhere"
            )

    def _check_settings(self, said: Mapping[str, Any]) -> None:
        names = [name for name, value in self._assignment.expects.items() if said.get(name) != value]
        if names:
            differ = "; ".join(
                f"`{name}` {said.get(name)} there, {self._assignment.expects[name]} here" for name in names
            )
            raise ModelError(f"`engine` ray: an actor would compute otherwise ({differ}); name these options")


def asked(method: Any, *arguments: object) -> Any:
    """What a call of an actor gives; what it raises is raised here, and ActorLost where there is no answer."""
    try:
        return ray.get(method.remote(*arguments))
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise ActorLost(_reason(error)) from error


def _waited(answer: Any, goes_on: Callable[[], bool]) -> Any:
    """The answer, once it is there: a cluster may have no room yet. None where it is not wanted any more."""
    while goes_on():
        if ray.wait([answer], timeout=_POLL_S)[0]:
            try:
                return ray.get(answer)
            except RayError as error:
                raise ActorLost(_reason(error)) from error
    return None


def _reason(error: RayError) -> str:
    """The line of an error of ray that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line]
    return (named or lines or [type(error).__name__])[-1][:300]


def _kill(actor: Any) -> None:
    with suppress(Exception):  # whatever ray says of an actor that is gone
        ray.kill(actor)
