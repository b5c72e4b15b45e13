"""How long things take: in seconds that pass, and in seconds of the processor, which neighbours hardly change."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took: seconds that passed, and processor seconds of this process."""

    wall_s: float
    cpu_s: float

    def per(self, count: float) -> Cost:
        return Cost(self.wall_s / count, self.cpu_s / count)


def cost_of(work: Callable[[], object]) -> Cost:
    """What one call takes."""
    before, started = _cpu_s(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - started, _cpu_s() - before)


def cost_in_threads(work: Callable[[], object], num_threads: int) -> Cost:
    """What one call takes in each of several threads at once."""
    threads = [threading.Thread(target=work) for _ in range(num_threads)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return cost_of(run)


def interleaved(rounds: int, cases: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Cost]]:
    """The costs of every case, measured in turn `rounds` times after one that does not count."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, case in cases.items():
            cost = case()
            if number:
                costs[name].append(cost)
    return dict(costs)


@dataclass(frozen=True, slots=True)
class Paced:
    """A cost, and what the limit took just before and after it: the mean of both."""

    cost: Cost
    limit: Cost

    @property
    def times_limit(self) -> float:
        """How many times as long as the limit it took, in passing time; a machine that drifts hardly changes it."""
        return self.cost.wall_s / self.limit.wall_s


def paced(rounds: int, limit: Callable[[], Cost], cases: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Paced]]:
    """The costs of every case as `interleaved` measures them, with the limit between any two."""
    measured: dict[str, list[Paced]] = defaultdict(list)
    for number in range(rounds + 1):
        before = limit()
        for name, case in cases.items():
            cost, after = case(), limit()
            if number:
                beside = Cost((before.wall_s + after.wall_s) / 2, (before.cpu_s + after.cpu_s) / 2)
                measured[name].append(Paced(cost, beside))
            before = after
    return dict(measured)


def middle(costs: list[Cost]) -> Cost:
    """The medians."""
    return Cost(median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs))


def ratio(above: list[Paced], below: list[Paced]) -> float:
    """How many times as long `above` took, each measured by the limit beside it."""
    return median(each.times_limit for each in above) / median(each.times_limit for each in below)


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Another process that wants a whole core."""
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        hog.kill()
        hog.wait()


def run_alone(*arguments: str) -> str:
    """What a Python process of its own prints."""
    return subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def peak_memory_mb(*arguments: str) -> float:
    """The most memory that `cedtag` with these arguments, which must print nothing, has at any time."""
    # Asked from inside: what the system tells about a finished child counts the process that started it too.
    code = (
        "import sys; from pathlib import Path; from cedtag.cli import run; run(sys.argv[1:]) and sys.exit(1); "
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    return int(run_alone("-c", code, *arguments)) / 1024


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
