"""What the driver does about an actor that is lost."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

pytest.importorskip("ray")

from cedtag.run.on_ray import member as member_module
from cedtag.run.on_ray.member import Member

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.run.on_ray.member import Work


def test_what_a_lost_actor_had_does_not_wait_until_the_cluster_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    lost, is_starting, has_room = SimpleNamespace(), threading.Event(), threading.Event()
    monkeypatch.setattr(member_module, "_kill", lambda actor: None)
    actors = iter([lost, SimpleNamespace()])

    def started(self: Member, goes_on: Callable[[], bool]) -> Any:
        actor = next(actors)
        if actor is not lost:
            is_starting.set()
            assert has_room.wait(60)
        return actor

    monkeypatch.setattr(Member, "_started", started)
    member = Member(cast("Work", None))
    assert member.ready(lambda: True) is lost
    member.forget(lost)  # by the one call
    waiting = threading.Thread(target=member.ready, args=[lambda: True])
    waiting.start()
    assert is_starting.wait(60)
    other_call = threading.Thread(target=member.forget, args=[lost], daemon=True)
    other_call.start()
    other_call.join(30)
    assert not other_call.is_alive()
    has_room.set()
    waiting.join()
    assert member.is_up
