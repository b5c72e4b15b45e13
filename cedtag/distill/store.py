"""The store of views: a folder with one header and parts of some recordings each, and what is read from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cedtag.distill.block import read_block, read_outcome
from cedtag.errors import InputError, ModelError
from cedtag.labels.table import labels_of
from cedtag.model.front_end import FrontEnd
from cedtag.system.part_folder import open_part_folder, parts_of, read_facts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from cedtag.distill.block import Block, StoredClip
    from cedtag.labels.table import Label
    from cedtag.system.part_folder import PartFolder

KIND, TABLE, PIECE = "distillation", "views", "-"


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store was made of: everything that decides its parts.

    `classes` are the labels of the teachers in their order, of which each view keeps the `top_k` best. Views are drawn
    with `seed`, for the spectrograms of `front_end`, of clips of up to `chunk` samples. `teachers` are names and
    hashes. `data` is a digest of the recordings' names, sizes and clips, which are in `blocks` parts; `place` is the
    folder or manifest where they were, which decides nothing.
    """

    seed: int
    epochs: int
    top_k: int
    chunk: int
    classes: tuple[str, ...]
    teachers: tuple[tuple[str, str], ...]
    front_end: FrontEnd
    device: str
    precision: str
    data: str
    recordings: int
    blocks: int
    place: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The facts as the header holds them."""
        front_end = {name: getattr(self.front_end, name) for name in FrontEnd.__slots__}
        teachers = [{"name": name, "hash": digest} for name, digest in self.teachers]
        plain = {name: getattr(self, name) for name in StoreFacts.__slots__}
        return plain | {"classes": list(self.classes), "teachers": teachers, "front_end": front_end}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> StoreFacts:
        """The facts in a header; an error of any of these kinds for others."""
        teachers = tuple((str(one["name"]), str(one["hash"])) for one in facts["teachers"])
        front_end = FrontEnd(**facts["front_end"])
        lists = {"classes": tuple(map(str, facts["classes"])), "teachers": teachers, "front_end": front_end}
        found = cls(**(facts | lists))
        numbers = (found.seed, found.epochs, found.top_k, found.chunk, found.recordings, found.blocks)
        if not all(isinstance(number, int) for number in numbers) or not 1 <= found.top_k <= len(found.classes):
            raise ValueError("a number is none")
        return found

    @property
    def digest(self) -> str:
        """A hash by which parts belong together; neither names of teachers nor the place matter, as folders move."""
        content = self.to_dict() | {"teachers": [digest for _, digest in self.teachers]}
        del content["place"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes with their indices and MIDs."""
        return labels_of(dict(enumerate(self.classes)))


class DistillStore:
    """A store that is read: its facts, and its clips, one part after another."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.facts = _facts(self.path)

    @property
    def parts(self) -> list[Path]:
        """The parts that are there, in the order of their clips."""
        return parts_of(self.path, TABLE)

    @property
    def missing_blocks(self) -> int:
        """How many blocks are not stored to their end yet."""
        return self.facts.blocks - sum(PIECE not in part.name for part in self.parts)

    def block(self, part: Path) -> Block:
        """The clips of a part, and what is wrong with its recordings; InputError for a damaged or altered one."""
        facts = self.facts
        sizes = {"num_classes": len(facts.classes), "top_k": facts.top_k}
        return read_block(part, store=facts.digest, seed=facts.seed, epochs=facts.epochs, **sizes)

    def clips(self) -> Iterator[StoredClip]:
        """Yield all clips, in an order that never changes."""
        for part in self.parts:
            yield from self.block(part).clips

    def outcomes(self) -> Iterator[Block]:
        """Yield what is wrong with the recordings of each part, without its clips."""
        yield from map(read_outcome, self.parts)


def part_name(block: int, piece: int | None = None) -> str:
    """The name of the last part of a block, or of an earlier piece of it, which sorts before.

    A block is stored to its end when its last part is there.
    """
    return f"{TABLE}/{block:08d}{'' if piece is None else f'{PIECE}{piece:06d}'}.parquet"


def open_store(path: Path, facts: StoreFacts) -> PartFolder:
    """The folder of a store with these facts, to add parts; OutputError where it was made with others."""
    return open_part_folder(path, KIND, facts.to_dict(), lambda before: _differences(path, before, facts))


def _facts(path: Path) -> StoreFacts:
    return _parsed(path, read_facts(path, KIND))


def _parsed(path: Path, facts: dict[str, Any]) -> StoreFacts:
    try:
        return StoreFacts.from_dict(facts)
    except (KeyError, TypeError, ValueError, AttributeError, ModelError) as error:
        raise InputError(f"{path}: the header of the store is damaged; restore it, or store it again") from error


def _differences(path: Path, header: dict[str, Any], now: StoreFacts) -> list[str]:
    """In what the facts of a store differ from those of now, for people."""
    before = _parsed(path, header)
    if before.digest == now.digest:
        return []
    plain = {"seed": "`seed`", "epochs": "`epochs`", "top_k": "`top_k`", "device": "the device"}
    plain |= {"precision": "the precision"}
    changed = [
        f"{name} was {getattr(before, key)} and is now {getattr(now, key)}"
        for key, name in plain.items()
        if getattr(before, key) != getattr(now, key)
    ]
    if before.chunk != now.chunk:
        changed.append(f"`chunk_s` was {before.chunk / 16_000:g} and is now {now.chunk / 16_000:g}")
    if [one for _, one in before.teachers] != [one for _, one in now.teachers] or before.classes != now.classes:
        changed.append("the teachers were others: " + ", ".join(name for name, _ in before.teachers))
    return changed or ["the recordings were others, or other bytes"]
