"""Which tags are wanted: classes, scores, and how many."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_THRESHOLD = 0.1
DEFAULT_TOP_K = 5


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Which tags a window gets. Labels are names, MIDs or indices.

    Of `labels` (all classes when empty) without `exclude`, the `top_k` best (0: all) that reach their threshold, and
    those of `watch` whenever they reach theirs. `threshold` is for all classes and `thresholds` for single ones. Both
    `top_k` and `threshold` have a default of their own where windows become events, see `for_events`. With `group` a
    label stands for a node of the ontology and all nodes below it; `depth` puts classes into the groups at that depth,
    from 1 for the roots. `most_specific` drops a tag if a descendant scores at least as high. Windows for which the
    condition `where` does not hold get no tags. `label_names` are the names that results show, by MID or English name
    in lower case; labels are still chosen by their own.
    """

    labels: Sequence[str] = ()
    exclude: Sequence[str] = ()
    watch: Sequence[str] = ()
    threshold: float | None = None
    thresholds: Mapping[str | int, float] = field(default_factory=dict)
    top_k: int | None = None
    group: bool = False
    depth: int | None = None
    most_specific: bool = False
    where: str | None = None
    label_names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(0 <= score <= 1 for score in (self.threshold or 0, *self.thresholds.values())):
            raise InputError("`threshold`: thresholds are scores from 0 to 1")
        if self.top_k is not None and self.top_k < 0:
            raise InputError(f"`top_k` {self.top_k}: expected a number of tags, or 0 for all")
        if self.depth is not None and self.depth < 1:
            raise InputError(
                f"`depth` {self.depth}: the roots of the ontology have depth 1; give a depth from there on"
            )

    def for_windows(self) -> TagFilter:
        """The filter with the defaults of tables: the five best from a score of 0.1."""
        return self._with_defaults(DEFAULT_THRESHOLD, DEFAULT_TOP_K)

    def for_events(self, lowest_offset: float) -> TagFilter:
        """The filter with the defaults of events: all classes, from the lowest score that matters to an event."""
        return self._with_defaults(lowest_offset, 0)

    def _with_defaults(self, threshold: float, top_k: int) -> TagFilter:
        return replace(
            self,
            threshold=threshold if self.threshold is None else self.threshold,
            top_k=top_k if self.top_k is None else self.top_k,
        )
