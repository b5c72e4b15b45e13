"""Whether cedtag became slower: shares of the limit beside those of a stored run on the same processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.bench.measure import Plan, measure
from cedtag.checkpoints.choice import ModelChoice
from cedtag.system.machine import usable_cpus
from cedtag.system.processor import processor

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS = Path(__file__).with_name("runs.json")
POINTS = 5.0
PLAN = Plan()

Shares = dict[str, float]


def measured() -> Shares:
    """Each way's share of the limit in percent, by what was scored, for ced-tiny."""
    found = measure(ModelChoice(), (), PLAN)
    return {f"{way.name}, {what}": round(way.share(what), 1) for way in found.ways for what in way.figures}


def setting() -> str:
    """What runs must have in common to be compared."""
    return f"{processor()}, {usable_cpus()} cores, ced-tiny, {PLAN.case_s:g} s"


def store() -> str:
    """Keep a run for this processor in the place of an earlier one; the sentence about it."""
    stored = _stored()
    stored[setting()] = measured()
    RUNS.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return f"{RUNS}: holds a run of {setting()}"


def check() -> tuple[bool, str]:
    """Whether no share fell by more than `POINTS`, and the sentence about it; what fell is measured once more."""
    before = _stored().get(setting())
    if before is None:
        return True, f"there is no stored run of {setting()}, so nothing to compare with; --store keeps one"
    now = measured()
    if _fallen(before, now):
        again = measured()
        now = {name: max(share, again.get(name, share)) for name, share in now.items()}
    if fallen := _fallen(before, now):
        return False, f"slower than the stored run, in percent of the limit: {'; '.join(fallen)}"
    common = before.keys() & now.keys()
    return True, f"{len(common)} shares of the limit are within {POINTS:g} points of the stored run, or better"


def _fallen(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """What fell, with the share that it had and has; what only one of both has measured is not compared."""
    common = [name for name in before if name in now]
    return [f"{name} {now[name]:.0f} (was {before[name]:.0f})" for name in common if now[name] < before[name] - POINTS]


def _stored() -> dict[str, Shares]:
    found: dict[str, Shares] = json.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else {}
    return found
