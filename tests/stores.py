"""Stores of generated windows, without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.labels.table import Label, audioset
from cedtag.records import FileEnd, FileFailed, ScoredWindow, Source
from cedtag.store.facts import StoreFacts
from cedtag.store.write import open_store_writer

if TYPE_CHECKING:
    from pathlib import Path

FEW = (Label(0, "", "Rain"), Label(1, "/m/1", "Dog"), Label(2, "/m/2", "dog"), Label(3, "", "window"))
FACTS = StoreFacts({"model": "demo", "window": 10.0, "hop": 10.0}, FEW, 8, {"backend": "torch"})
AUDIOSET_FACTS = replace(FACTS, labels=audioset())
SIZE = 160_000


def source(name: str, root: str = "archive") -> Source:
    """A recording in a folder."""
    return Source(f"{root}/{name}", f"{root}/{name}", name, root, len(name), 1_000 + len(name), at=f"/{root}/{name}")


def windows(one: Source, count: int, facts: StoreFacts = FACTS, seed: int = 0) -> list[ScoredWindow]:
    """Windows of one recording, with random scores, most of them small, and embeddings."""
    random = np.random.default_rng([seed, *one.name.encode("utf-8", "surrogateescape")])
    made = []
    for index in range(count):
        scores = (random.random(len(facts.labels), np.float32) ** 8).astype(np.float32)
        embedding = random.standard_normal(facts.embedding_size or 0).astype(np.float32)
        size = None if facts.embedding_size is None else embedding
        start = index * SIZE
        made.append(ScoredWindow(one, index, start, start + SIZE, scores, embedding=size))
    return made


def ended(one: Source, count: int, problems: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> FileEnd:
    """The end of a recording with so many windows."""
    return FileEnd(one, count * SIZE, count, problems, warnings)


def make_store(
    path: Path, recordings: dict[str, int | str], facts: StoreFacts = FACTS, *, parts: int = 1, root: str = "archive"
) -> dict[str, list[ScoredWindow]]:
    """Write recordings with so many windows, or an error, in this order into so many parts; their windows."""
    made: dict[str, list[ScoredWindow]] = {}
    writer = open_store_writer(path, facts)
    for number, (name, count) in enumerate(recordings.items(), 1):
        one = source(name, root)
        if isinstance(count, str):
            writer.end(FileFailed(one, "decode", count))
        else:
            made[one.name] = windows(one, count, facts)
            for window in made[one.name]:
                writer.add(window)
            writer.end(ended(one, count))
        if number * parts % len(recordings) < parts:
            writer.finish_part()
    writer.finish_part()
    writer.close()
    return made
