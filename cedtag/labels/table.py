"""AudioSet's classes and ontology, and the labels of a checkpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Label:
    """One output of a model. `mid` is AudioSet's identifier, which stays when names change; "" when there is none."""

    index: int
    mid: str
    name: str


@dataclass(frozen=True, slots=True)
class AudioSetClass(Label):
    """One of the 527 classes; `parents` are the MIDs of the ontology nodes right above it."""

    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the ontology; `index` is None for the 105 that are no class of the models."""

    mid: str
    name: str
    parents: tuple[str, ...]
    index: int | None


@cache
def nodes() -> tuple[Node, ...]:
    """The 632 nodes of the AudioSet ontology, depth first."""
    table = resources.files("cedtag.labels").joinpath("audioset.tsv").read_text(encoding="utf-8")
    _header, *rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return tuple(
        Node(mid, name, tuple(parents.split()), int(index) if index else None) for index, mid, parents, name in rows
    )


@cache
def audioset() -> tuple[AudioSetClass, ...]:
    """The 527 AudioSet classes in model order."""
    classes = [AudioSetClass(n.index, n.mid, n.name, n.parents) for n in nodes() if n.index is not None]
    return tuple(sorted(classes, key=lambda label: label.index))


def labels_of(id2label: Mapping[int, str]) -> tuple[Label, ...]:
    """A checkpoint's own labels in model order, each with the MID of the ontology node of that name."""
    mids = {node.name.casefold(): node.mid for node in nodes()}
    return tuple(Label(index, mids.get(name.casefold(), ""), name) for index, name in sorted(id2label.items()))


def find_labels(wanted: str, labels: Sequence[Label], parameter: str = "") -> tuple[Label, ...]:
    """All of `labels` with this name, MID or index, whatever its case; InputError when there is none.

    A name wins over an index, for models whose labels are numbers. The error names the `parameter`, if given.
    """
    where = f"`{parameter}`: " if parameter else ""
    key = wanted.strip().casefold()
    if not key:
        raise InputError(f"{where}a label is empty; give a name, a MID or an index")
    if found := tuple(label for label in labels if key in (label.name.casefold(), label.mid.casefold())):
        return found
    if found := tuple(label for label in labels if key == str(label.index)):
        return found
    if several := _several(wanted, labels):
        raise InputError(
            f"{where}no label is called {wanted!r}; names may hold commas, so give {' and '.join(map(repr, several))} "
            "one by one: repeat the option"
        )
    raise InputError(where + no_such_label(wanted, [label.name for label in labels]))


def _several(wanted: str, labels: Sequence[Label]) -> list[str]:
    """The labels that stand in one text with separators between them; none where a part is no label."""
    parts = [part.strip() for part in re.split("[,;|\n]", wanted) if part.strip()]
    known = {text.casefold() for label in labels for text in (label.name, label.mid, str(label.index))}
    known |= {node.name.casefold() for node in nodes()}
    return parts if len(parts) > 1 and all(part.casefold() in known for part in parts) else []


def no_such_label(wanted: str, names: Sequence[str]) -> str:
    """The error for an unknown label, with the nearest known ones."""
    close = close_names(wanted, names)
    if close:
        return f"no label is called {wanted!r}; did you mean {' or '.join(map(repr, close))}?"
    return f"no label is called {wanted!r}, nor anything like it; `cedtag labels -m MODEL` lists the classes"


def close_names(wanted: str, names: Sequence[str], count: int = 3) -> list[str]:
    """The `count` names nearest to `wanted`: those that contain it, then those that are spelt alike."""
    key = wanted.strip().casefold()
    matcher = SequenceMatcher(b=key, autojunk=False)
    ranked: list[tuple[float, str]] = []
    for name in dict.fromkeys(names):
        matcher.set_seq1(name.casefold())
        likeness = matcher.ratio() + (key in name.casefold())
        if likeness >= 0.65:  # below that, names look unrelated
            ranked.append((-likeness, name))
    return [name for _, name in sorted(ranked)[:count]]


def parents_of(mid: str) -> tuple[str, ...]:
    """The MIDs of the nodes right above this one; empty for the roots and for a MID outside the ontology."""
    return _parents().get(mid, ())


@cache
def _parents() -> dict[str, tuple[str, ...]]:
    return {node.mid: node.parents for node in nodes()}


@cache
def _children() -> dict[str, tuple[Node, ...]]:
    """The nodes right below each MID; the roots are below ""."""
    children: dict[str, tuple[Node, ...]] = {}
    for node in nodes():
        for parent in node.parents or ("",):
            children[parent] = (*children.get(parent, ()), node)
    return children


@cache
def ancestors(mid: str) -> frozenset[str]:
    """The MIDs of all nodes above this one; empty for a MID outside the ontology."""
    parents = parents_of(mid)
    return frozenset(parents).union(*map(ancestors, parents))


@cache
def descendants(mid: str) -> frozenset[str]:
    """The MIDs of all nodes below this one; empty for a MID outside the ontology."""
    children = [node.mid for node in _children().get(mid, ())] if mid else []
    return frozenset(children).union(*map(descendants, children))


def walk_tree(mids: Container[str], below: str = "", depth: int = 0) -> Iterator[tuple[int, Node]]:
    """The nodes in `mids`, with their depth, as a tree from the roots; one with several parents comes below each."""
    for node in _children().get(below, ()):
        if node.mid in mids:
            yield depth, node
            yield from walk_tree(mids, node.mid, depth + 1)
