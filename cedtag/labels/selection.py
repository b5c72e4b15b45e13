"""Probabilities -> the tags that are shown: which classes or groups, from which score on, how many."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.groups import Grouping, level, members_of, most_specific, ontology, trees
from cedtag.labels.query import compared, parse_condition
from cedtag.labels.table import find_labels
from cedtag.labels.thresholds import thresholds_by_index
from cedtag.records import Tag, TagResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.labels.groups import Groups
    from cedtag.labels.query import Condition
    from cedtag.labels.table import Label
    from cedtag.labels.tag_filter import TagFilter
    from cedtag.records import ScoredWindow

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selector:
    """Turns the probabilities of a window into its tags.

    `thresholds` are one for each label of the grouping; `watched` holds the indices of the labels that nothing but
    their threshold and the condition leaves out. `compared` are the classes on which the condition depends.
    """

    grouping: Grouping
    thresholds: NDArray[np.float64]
    top_k: int
    watched: frozenset[int] = frozenset()
    most_specific: bool = False
    where: Condition | None = None
    compared: frozenset[int] = frozenset()

    def __call__(self, scored: ScoredWindow) -> TagResult:
        """The window's tags, best first; equal scores stand in the order of the labels.

        Scores are rounded before they are compared, so that the number that is shown is the number that decided.
        """
        scores = self.scores(scored)
        return self.result(scored, scores, scores >= self.thresholds)

    def scores(self, scored: ScoredWindow) -> NDArray[np.float64]:
        """The rounded score of each label `(labels,)`; -1 for all where the condition does not hold."""
        scores: NDArray[np.float64] = self.scores_of(scored.probabilities[None])[0]
        return scores

    def scores_of(self, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same of several moments: `(n, labels)` from the probabilities `(n, classes)`."""
        rounded: NDArray[np.float64] = probabilities.astype(np.float64).round(4)
        scores = self.grouping(rounded)
        if self.where is not None:
            scores[[not self.where(one) for one in rounded]] = -1.0
        return scores

    def result(self, scored: ScoredWindow, scores: NDArray[np.float64], chosen: NDArray[np.bool_]) -> TagResult:
        """The window with the tags of the `chosen` labels `(labels,)`."""
        tags = self._tags(scores, chosen & (scores >= 0))
        return TagResult(scored.source, scored.index, scored.start, scored.stop, tags, scored.channel)

    def _tags(self, scores: NDArray[np.float64], is_chosen: NDArray[np.bool_]) -> tuple[Tag, ...]:
        chosen = np.flatnonzero(is_chosen)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        return self.shown(tuple(self.tag(int(place), float(scores[place])) for place in chosen))

    def shown(self, tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
        """Of the tags that reach their thresholds, best first, those that a window shows."""
        if not (self.most_specific or self.top_k):
            return tags
        best = set(most_specific(tags) if self.most_specific else tags)
        shown = [tag for tag in tags if tag in best][: self.top_k or None]
        return tuple(tag for tag in tags if tag in shown or tag.index in self.watched) if self.watched else tuple(shown)

    def tag(self, place: int, score: float) -> Tag:
        """The tag of the label at this place of the grouping."""
        label = self.grouping.labels[place]
        return Tag(label.index, label.mid, label.name, score)


def selector_of(labels: Sequence[Label], wanted: TagFilter) -> Selector:
    """The selector for the classes of a model; InputError for a filter that fits none of them."""
    wanted = wanted.for_windows()
    assert wanted.threshold is not None
    assert wanted.top_k is not None
    groups = _groups(labels, wanted)
    watched = _found(wanted.watch, ontology(labels) if wanted.group else [*groups, *labels], "watch")
    for label in watched:
        groups.setdefault(label, members_of(label, labels) if wanted.group else (label.index,))
    grouping = Grouping(groups)
    special = thresholds_by_index(wanted.thresholds, ontology(labels), "threshold")
    thresholds = np.array([special.get(label.index, wanted.threshold) for label in grouping.labels])
    where, on = _condition(labels, wanted)
    indices = frozenset(label.index for label in watched)
    if wanted.label_names:
        grouping.rename(wanted.label_names)
    return Selector(grouping, thresholds, wanted.top_k, indices, wanted.most_specific, where, on)


def _condition(labels: Sequence[Label], wanted: TagFilter) -> tuple[Condition | None, frozenset[int]]:
    """The condition of a filter, if it has one, and the classes on which it depends."""
    if not wanted.where:
        return None, frozenset()

    def classes_of(name: str) -> list[int]:
        return classes_meant(name, labels, wanted)

    on = (index for classes, _ in compared(wanted.where, classes_of) for index in classes)
    return parse_condition(wanted.where, classes_of), frozenset(on)


def _groups(labels: Sequence[Label], wanted: TagFilter) -> Groups:
    """What can be shown, with the classes that make its score."""
    if wanted.group:
        groups = _trees(labels, wanted)
    else:
        groups = {label: (label.index,) for label in labels} if wanted.depth is None else level(labels, wanted.depth)
        named = _found(wanted.labels, list(groups), "labels") if wanted.labels else groups
        excluded = _found(wanted.exclude, list(groups), "exclude")
        groups = {label: groups[label] for label in named if label not in excluded}
    if not groups:
        raise InputError("`labels` and `exclude` leave no class; name at least one that is not excluded")
    return groups


def _trees(labels: Sequence[Label], wanted: TagFilter) -> Groups:
    """The named nodes and what is below them, without what is below those that are excluded."""
    if not wanted.labels or wanted.depth is not None or wanted.most_specific:
        raise InputError(
            "`group` adds the score of each node in `labels`: name one, without `depth` and `most_specific`"
        )
    known = ontology(labels)
    excluded = {index for node in _found(wanted.exclude, known, "exclude") for index in members_of(node, labels)}
    trimmed = {
        label: tuple(index for index in members if index not in excluded)
        for label, members in trees(labels, _found(wanted.labels, known, "labels")).items()
    }
    return {label: members for label, members in trimmed.items() if members}


def classes_meant(name: str, labels: Sequence[Label], wanted: TagFilter) -> list[int]:
    """The classes that a name in a condition means."""
    if not wanted.group:
        return [label.index for label in find_labels(name, labels)]
    return [index for node in find_labels(name, ontology(labels)) for index in members_of(node, labels)]


def _found(names: Sequence[str], labels: Sequence[Label], parameter: str) -> dict[Label, None]:
    """The labels of these names; an unknown name is logged, and an InputError when all are unknown."""
    found: dict[Label, None] = {}
    unknown: list[str] = []
    for name in names:
        known, complaint = _look_up(name, labels)
        found |= dict.fromkeys(known)
        unknown += complaint
    if unknown and not found:
        raise InputError(f"`{parameter}`: {unknown[0]}")
    for text in unknown:
        logger.warning("%s", text)
    return found


def _look_up(name: str, labels: Sequence[Label]) -> tuple[tuple[Label, ...], list[str]]:
    try:
        return find_labels(name, labels), []
    except InputError as error:
        return (), [str(error)]
