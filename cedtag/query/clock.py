"""The start times of stored recordings: as they were stored, or found anew as `cedtag tag` finds them."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import fields
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.clock import WAYS
from cedtag.inputs.start_time import timed
from cedtag.records import Source, TimedSource
from cedtag.system.file_kinds import changed_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.inputs.clock import Clock
    from cedtag.store.read import Store


_FIELDS = [field.name for field in fields(Source)]


def clock_of(store: Store, clock: Clock) -> Callable[[Source], Source]:
    """The function that gives a stored recording the start time that this clock finds, or none.

    Metadata are read from the recordings where the store was written with another clock; InputError for a recording
    that is not there as it was scored.
    """
    if clock.is_off:
        return _untimed
    stored = store.settings.get("start-time"), store.settings.get("timezone")
    if stored == (clock.start_time, clock.timezone):
        return lambda source: source
    reads_files = clock.start_time in WAYS and clock.start_time != "name"
    waiting: deque[Source] = deque()
    found = timed(iter(waiting.popleft, None), clock)

    def find(source: Source) -> Source:
        if reads_files:
            _check_unchanged(source)
        waiting.append(_untimed(source))
        return next(found)

    return find


def _untimed(source: Source) -> Source:
    """The recording without its start time."""
    if not isinstance(source, TimedSource):
        return source
    return Source(**{name: getattr(source, name) for name in _FIELDS})


def _check_unchanged(source: Source) -> None:
    try:
        status = os.stat(source.path)  # noqa: PTH116 -- paths may be text that pathlib would change
    except (OSError, ValueError):
        status = None
    if status is None or (status.st_size, changed_ns(status)) != (source.size, source.mtime_ns):
        raise InputError(
            f"{source.name}: is not here as it was scored, so its metadata cannot be read, and the store was written "
            "without them; use `start_time` name"
        )
