"""A share of the clips to validate on, of which nothing is trained on."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cedtag.inputs.manifest import Example


def sources_of(examples: Sequence[Example], group_by: str | None) -> dict[str, str]:
    """The source of each recording, by its path: what `group_by` finds in its name, else its group, else itself."""
    pattern = re.compile(group_by) if group_by else None
    found = {example.path: pattern.search(example.name) if pattern else None for example in examples}
    if pattern and not any(found.values()):
        raise InputError(f"`group_by` {group_by}: matches no name of a recording, such as {examples[0].name}")
    sources = {}
    for example in examples:
        match = found[example.path]
        shared = (match[1] if match.re.groups else match[0]) if match else example.group
        sources[example.path] = f"source {shared}" if shared else example.path
    return sources


def check_apart(train: Iterable[Example], valid: Iterable[Example], sources: Mapping[str, str]) -> None:
    """InputError for a source of which clips are on both sides."""
    trained = {sources[example.path]: example for example in train}
    for example in valid:
        if (other := trained.get(sources[example.path])) is not None:
            raise InputError(
                f"{example.name} is to be validated on, and {other.name}, which is of the same source, to be trained "
                "on; put both into one fold"
            )


def split_off(
    examples: Sequence[Example], share: float, seed: int, sources: Mapping[str, str]
) -> tuple[list[Example], list[Example]]:
    """The examples without a random `share` of the sources, and those of that share; both keep their order.

    The share of every class is as near as whole sources allow, and no class loses its last source (the greedy way of
    iterative stratification, Sechidis et al. 2011).
    """
    clips: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        clips[sources[example.path]].append(example)
    held = _held_out(clips, share, random.Random(seed))
    if not held:
        raise InputError(
            "`valid_split`: no clips can be held out, as some class of each has no other source; add recordings, or "
            "validate on none"
        )
    valid = [example for example in examples if sources[example.path] in held]
    return [example for example in examples if sources[example.path] not in held], valid


def _held_out(clips: Mapping[str, list[Example]], share: float, rng: random.Random) -> set[str]:
    """The sources to hold out: one after another of the class that lacks most."""
    labels = {source: Counter(label for one in own for label in one.labels or ("",)) for source, own in clips.items()}
    total = sum(labels.values(), Counter())
    num_sources = Counter(label for own in labels.values() for label in own)
    lacking = {label: share * count for label, count in total.items()}
    queues = {label: [source for source in sorted(labels) if label in labels[source]] for label in sorted(total)}
    for queue in queues.values():
        rng.shuffle(queue)
    wanted, held = max(0.5, share * sum(map(len, clips.values()))), set[str]()
    while wanted >= 0.5 and queues:
        label = max(queues, key=lambda name: lacking[name])
        if not queues[label]:
            del queues[label]
            continue
        source = queues[label].pop()
        if source in held or any(num_sources[own] == 1 for own in labels[source]):
            continue
        held.add(source)
        wanted -= len(clips[source])
        for own, count in labels[source].items():
            num_sources[own] -= 1
            lacking[own] -= count
    return held
