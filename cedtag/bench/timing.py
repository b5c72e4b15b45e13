"""The time that passes while threads work."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def timed_in_threads(work: Callable[[], Result], num_threads: int) -> tuple[float, list[Result]]:
    """The seconds until one call in each of several threads at once has returned, and what they returned."""
    with ThreadPoolExecutor(num_threads) as threads:
        started = time.perf_counter()
        results = [call.result() for call in [threads.submit(work) for _ in range(num_threads)]]
        return time.perf_counter() - started, results
