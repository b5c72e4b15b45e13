from __future__ import annotations

from types import SimpleNamespace

import pytest

from cedtag.run.plan import scoring_threads
from cedtag.scoring import Compute
from cedtag.system.machine import usable_cpus


@pytest.mark.parametrize(
    ("device", "asked", "threads"), [("cpu", None, usable_cpus() + 1), ("cuda", None, 1), ("cpu", 5, 5)]
)
def test_there_is_one_scoring_thread_more_than_processors(device, asked, threads):
    assert scoring_threads(Compute(threads=asked), SimpleNamespace(device=device)) == threads
