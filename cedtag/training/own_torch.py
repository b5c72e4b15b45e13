"""torch's number of threads and its random numbers, which belong to the caller."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def own_torch(num_threads: int, device: torch.device) -> Iterator[None]:
    """Compute in so many threads; the caller's number of threads and random numbers come back at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(before)
