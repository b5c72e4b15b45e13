"""How many threads torch takes for one operation."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

_lock = threading.Lock()


def compute_alone() -> None:
    """Let torch compute in the calling thread alone; all other threads, also later ones, keep what they have.

    `torch.set_num_threads` changes two things: the number of its caller, and the one that every new thread starts with.
    So another thread sets the second back. One that computes for the first time in this very moment may start with one.
    """
    with _lock, ThreadPoolExecutor(1) as other:
        usual = other.submit(torch.get_num_threads).result()
        # A thread takes the usual number at its first operation, which this is, and then no more.
        torch.get_num_threads()
        torch.set_num_threads(1)
        other.submit(torch.set_num_threads, usual).result()
