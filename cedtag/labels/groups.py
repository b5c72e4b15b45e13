"""The AudioSet ontology as groups: a group's score is the maximum over its members."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.names import renamed
from cedtag.labels.table import Label, ancestors, audioset, descendants, find_labels, nodes, parents_of
from cedtag.records import Tag, TagResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cedtag.records import Result


Groups: TypeAlias = "dict[Label, tuple[int, ...]]"  # what is shown, and the classes whose best score it has


class Grouping:
    """Groups in the order of their indices, made from probabilities."""

    def __init__(self, groups: Groups) -> None:
        ordered = sorted(groups.items(), key=lambda item: item[0].index)
        self.labels = tuple(label for label, _ in ordered)
        self._classes = np.array([index for _, members in ordered for index in members])
        self._starts = np.cumsum([0, *(len(members) for _, members in ordered[:-1])])

    @property
    def classes(self) -> frozenset[int]:
        """The indices of all classes that count."""
        return frozenset(self._classes.tolist())

    def members(self, place: int) -> Sequence[int]:
        """The classes of the label at this place."""
        following = self._starts[place + 1] if place + 1 < len(self._starts) else len(self._classes)
        return cast("list[int]", self._classes[self._starts[place] : following].tolist())

    def rename(self, names: Mapping[str, str]) -> None:
        """Show the groups under other names, by MID or name."""
        self.labels = renamed(self.labels, names)

    def __call__(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores `(..., labels)` from the probabilities `(..., classes)`."""
        scores: NDArray[np.float64] = probabilities[..., self._classes]
        if len(self._starts) < len(self._classes):
            scores = np.maximum.reduceat(scores, self._starts, axis=-1)
        return scores


def ontology(labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels of a model, and the nodes of AudioSet's ontology above them that are none of its classes.

    The latter have the indices from the first free one on: that index and the node's place in the ontology.
    """
    mids = {label.mid for label in labels}
    above = frozenset[str]().union(*map(ancestors, mids)) - mids
    free = 1 + max((label.index for label in labels), default=-1)
    extra = (Label(free + place, node.mid, node.name) for place, node in enumerate(nodes()) if node.mid in above)
    return (*labels, *extra)


def members_of(label: Label, labels: Sequence[Label]) -> tuple[int, ...]:
    """The classes of a node: itself, where it is one, and all below it."""
    mids = descendants(label.mid)
    return tuple(one.index for one in labels if one.index == label.index or one.mid in mids)


def trees(labels: Sequence[Label], roots: Iterable[Label]) -> Groups:
    """These nodes as groups, and every class below them on its own."""
    groups = {node: members_of(node, labels) for node in roots}
    classes = {label.index: label for label in labels}
    return {classes[index]: (index,) for members in groups.values() for index in members} | groups


def level(labels: Sequence[Label], depth: int) -> Groups:
    """Every class in all its groups at this depth of the ontology; those that are less deep stay as they are.

    The depth of the roots is 1; a node with several parents is as deep as the shortest way to it is long.
    """
    if depth < 1:
        raise InputError(f"`depth` {depth}: the roots of the ontology have depth 1; give a depth from there on")
    nodes_by_mid = {node.mid: node for node in ontology(labels)}
    groups: Groups = {}
    for label in labels:
        above = [mid for mid in ancestors(label.mid) if depth_of(mid) == depth] if depth_of(label.mid) > depth else []
        for node in [nodes_by_mid[mid] for mid in above] or [label]:
            groups[node] = (*groups.get(node, ()), label.index)
    return groups


@cache
def depth_of(mid: str) -> int:
    """How deep in the ontology a node is: 1 for the roots, and for what is not in it."""
    parents = parents_of(mid)
    return 1 + min(map(depth_of, parents), default=0)


def most_specific(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """The tags, best first, without those that have a descendant among them with at least their score."""
    covered: set[str] = set()
    kept: list[Tag] = []
    for _, same_score in groupby(tags, key=lambda tag: tag.score):
        equals = list(same_score)
        covered.update(*(ancestors(tag.mid) for tag in equals))
        kept += [tag for tag in equals if tag.mid not in covered]
    return tuple(kept)


def roll_up(
    results: Iterable[Result],
    *,
    depth: int | None = None,
    names: Sequence[str] = (),
    labels: Sequence[Label] | None = None,
) -> Iterator[Result]:
    """Results with their tags in groups: those at a `depth` of the ontology, or the named nodes and what is below.

    Only the tags that are there count. So a group's score is that of `--level` and `--group`, which see the
    probabilities of all classes, unless its best member was cut off by a threshold or by the number of tags.
    `labels` are the classes of the model (`run.labels` of `read_results`), AudioSet's when not given; a tag of another
    class is an InputError.
    """
    if (depth is None) == (not names):
        raise InputError("roll_up groups either at a depth of the ontology or by the names of nodes; give one of them")
    known = audioset() if labels is None else labels
    roots = [node for name in names for node in find_labels(name, ontology(known))]
    groups = trees(known, roots) if depth is None else level(known, depth)
    groups_of: dict[str, list[Label]] = {_key(label.mid, label.name): [] for label in known}
    keys = {label.index: _key(label.mid, label.name) for label in known}
    for label, members in groups.items():
        for index in members:
            groups_of[keys[index]].append(label)
    for result in results:
        yield replace(result, tags=_grouped(result.tags, groups_of)) if isinstance(result, TagResult) else result


def best_of_each(tags: Iterable[Tag]) -> list[Tag]:
    """The best tag of each class, best first; of equal scores the first class."""
    best: dict[int, Tag] = {}
    for tag in tags:
        if tag.index not in best or tag.score > best[tag.index].score:
            best[tag.index] = tag
    return sorted(best.values(), key=lambda tag: (-tag.score, tag.index))


def _key(mid: str, name: str) -> str:
    """The key of a class in any model: its MID, which stays when names change, or else its name."""
    return mid or name


def _grouped(tags: Iterable[Tag], groups_of: dict[str, list[Label]]) -> tuple[Tag, ...]:
    of_groups: list[Tag] = []
    for tag in tags:
        if (groups := groups_of.get(_key(tag.mid, tag.label))) is None:
            raise InputError(f"{tag.label!r} is none of the classes; give `labels`, those of the run")
        of_groups += [Tag(one.index, one.mid, one.name, tag.score) for one in groups]
    return tuple(best_of_each(of_groups))
