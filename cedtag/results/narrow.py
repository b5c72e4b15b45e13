"""Rows that were written, narrowed as a run would have been: fewer classes, higher thresholds, groups, conditions.

What rows do not hold cannot be brought back, and is refused: a score below the threshold of the run, a group of classes
that it left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.query import compared
from cedtag.labels.selection import classes_meant, selector_of
from cedtag.labels.table import Label, audioset
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import ScoredWindow, SoundEvent, TagResult, seconds
from cedtag.run.settings import tag_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cedtag.labels.selection import Selector
    from cedtag.records import Result
    from cedtag.results.written import WrittenResults

logger = logging.getLogger(__name__)
_ABSENT = -1.0  # the score of a class without a tag: below every number that it is compared with


def narrowed(file: WrittenResults, wanted: TagFilter, labels: Sequence[Label]) -> WrittenResults:
    """The same results as a run with this filter would have written; what it leaves open stays as in the run.

    `labels` are the classes that can occur. InputError where the rows lack what is asked for.
    """
    if wanted == TagFilter():
        return file
    made = _Made(file, file.run.settings if file.run is not None else {})
    labels = _all_classes(file, labels)
    made.check(wanted, labels)
    effective = made.completed(wanted)
    selector = selector_of(labels, effective)
    made.check_thresholds(wanted, selector, labels)
    run = file.run
    if run is not None and made.is_known:
        shown = replace(
            effective, depth=wanted.depth or made.settings["level"], where=wanted.where or made.settings["where"]
        )
        settings = {**run.settings, **tag_settings(shown, selector)}
        run = replace(run, settings=settings, labels=selector.grouping.labels if run.labels else ())
    narrowing = _Narrowing(selector, wanted, made.top_k if wanted != _only_scores(wanted) else 0)
    return replace(file, run=run, results=lambda: narrowing(file.results()))


@dataclass(frozen=True, slots=True)
class _Made:
    """How the rows of a file were made, as far as that is known."""

    file: WrittenResults
    settings: Mapping[str, Any]

    @property
    def is_known(self) -> bool:
        return "threshold" in self.settings

    @property
    def top_k(self) -> int:
        return int(self.settings.get("top-k", 0))

    def threshold_of(self, name: str) -> float:
        """The score from which on a class has tags."""
        return float(self.settings.get("thresholds", {}).get(name, self.settings.get("threshold", 0)))

    def completed(self, wanted: TagFilter) -> TagFilter:
        """The filter with the settings of the run in the place of those that are not given."""
        made = self.settings
        threshold = made.get("threshold", 0.0) if wanted.threshold is None else wanted.threshold
        thresholds = (
            wanted.thresholds if wanted.threshold is not None else {**made.get("thresholds", {}), **wanted.thresholds}
        )
        return replace(
            wanted,
            labels=wanted.labels or (made.get("labels", ()) if not wanted.group else ()),
            exclude=wanted.exclude or made.get("exclude", ()),
            watch=wanted.watch or made.get("watch", ()),
            threshold=threshold,
            thresholds=thresholds,
            top_k=self.top_k if wanted.top_k is None else wanted.top_k,
        )

    def check(self, wanted: TagFilter, labels: Sequence[Label]) -> None:
        """InputError for what rows made in this way cannot show."""
        made = self.settings
        if wanted.top_k is not None and self.top_k and not 0 < wanted.top_k <= self.top_k:
            raise self._wrong("top_k", f"its run kept the {self.top_k} best tags of a window, and no more can be shown")
        by_class = bool(wanted.labels or wanted.exclude or wanted.where)
        if made.get("group") and (by_class or wanted.group or wanted.depth):
            raise self._wrong("labels", "its rows are groups already, of which no other classes can be made")
        if made.get("level") and (wanted.where or wanted.group or wanted.depth):
            raise self._wrong("depth", "its rows are groups already, of which no others can be made")
        if made.get("most-specific") and (by_class or wanted.group or wanted.depth):
            raise self._wrong("labels", "its run left out tags with a descendant at least as high, which count here")
        if (made.get("labels") or made.get("exclude")) and (wanted.group or wanted.depth):
            raise self._wrong("group", "its run left classes out, and a group's score is that of all its classes")
        if wanted.where:
            self._check_condition(wanted, labels)

    def check_thresholds(self, wanted: TagFilter, selector: Selector, labels: Sequence[Label]) -> None:
        """InputError for a minimum score below that of the run."""
        if wanted.threshold is None and not wanted.thresholds:
            return
        names = {label.index: label.name for label in labels}
        for place, label in enumerate(selector.grouping.labels):
            least = max(self.threshold_of(names[index]) for index in selector.grouping.members(place))
            if selector.thresholds[place] < least:
                raise self._wrong(
                    "threshold", f"its run kept scores of {label.name} from {least:g} on, and no lower ones"
                )

    def _check_condition(self, wanted: TagFilter, labels: Sequence[Label]) -> None:
        assert wanted.where is not None
        if not self.is_known:
            raise self._wrong("where", "from which score on its run kept tags is not known; keep its journal beside it")
        if self.top_k:
            raise self._wrong(
                "where", f"its run kept the {self.top_k} best tags of a window, and a condition needs all"
            )
        if self.settings.get("where"):
            raise self._wrong(
                "where", "its run had a condition already, and windows for which that failed have no tags"
            )
        names = {label.index: label.name for label in labels}
        for classes, number in compared(wanted.where, lambda name: classes_meant(name, labels, wanted)):
            least = max(self.threshold_of(names[index]) for index in classes)
            if number < least:
                raise self._wrong("where", f"its run kept scores from {least:g} on, and {number:g} is below")

    def _wrong(self, parameter: str, reason: str) -> InputError:
        return InputError(f"{self.file.path}: `{parameter}`: {reason}; tag again with the options that you want")


class _Narrowing:
    """Narrows results one by one; `top_k` is that of the run, where tags beyond it could be missed."""

    def __init__(self, selector: Selector, wanted: TagFilter, top_k: int) -> None:
        self._selector, self._wanted, self._top_k = selector, wanted, top_k
        self._indices = {label.index for label in selector.grouping.labels}
        self._size = 1 + max(selector.grouping.classes)
        self._has_warned = False

    def __call__(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            if isinstance(result, TagResult):
                yield self._window(result)
            elif not isinstance(result, SoundEvent):
                yield result
            elif self._wanted != replace(TagFilter(), labels=self._wanted.labels, exclude=self._wanted.exclude):
                raise InputError(
                    f"{result.source.name}: of events only classes can be chosen, with `labels` and `exclude`; make "
                    "the events anew of rows, with the other options"
                )
            elif result.index in self._indices:
                yield result

    def _window(self, window: TagResult) -> TagResult:
        scores = np.full(max(self._size, 1 + max((tag.index for tag in window.tags), default=0)), _ABSENT)
        for tag in window.tags:
            scores[tag.index] = tag.score
        scored = ScoredWindow(
            window.source, window.index, window.start, window.stop, cast("Any", scores), window.channel
        )
        chosen = self._selector(scored)
        if self._top_k and not self._has_warned and self._may_lack(window, chosen):
            self._has_warned = True
            logger.warning(
                "%s: its run kept the %d best tags of a window, and from %.3f s on one that is wanted may be missing; "
                "tag with -k 0 to have them all",
                window.source.name,
                self._top_k,
                seconds(window.start),
            )
        return chosen

    def _may_lack(self, window: TagResult, chosen: TagResult) -> bool:
        """Whether a tag that is wanted can have been cut off by the number of tags."""
        if len(window.tags) < self._top_k or len(chosen.tags) >= self._top_k:
            return False
        lowest = min(tag.score for tag in window.tags)
        seen = {tag.index for tag in chosen.tags}
        labels = self._selector.grouping.labels
        return any(
            threshold <= lowest
            for label, threshold in zip(labels, self._selector.thresholds, strict=True)
            if label.index not in seen
        )


def _only_scores(wanted: TagFilter) -> TagFilter:
    """The part of a filter that looks at scores alone: for it, the best tags of a window are enough."""
    return TagFilter(threshold=wanted.threshold, thresholds=wanted.thresholds, top_k=wanted.top_k)


def _all_classes(file: WrittenResults, labels: Sequence[Label]) -> Sequence[Label]:
    """The classes that can occur: AudioSet's, where the file does not hold them and all that occur are of these."""
    if file.labels:
        return labels
    known = {(one.index, one.mid, one.name) for one in audioset()}
    if all((label.index, label.mid, label.name) in known for label in labels):
        return audioset()
    return labels
