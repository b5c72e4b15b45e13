"""Groups of windows -> their scores, in as many threads as there are scorers.

Where a scorer does not mix recordings, a call holds one group: `batch_size` consecutive windows of one recording, fewer
at its end. So a result cannot depend on what else is in the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from cedtag.scoring.checked import checked_columns, checked_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.records import Window
    from cedtag.run.pipeline.lane import WindowGroup
    from cedtag.run.pipeline.threads import DaemonThreads, WorkQueue
    from cedtag.scoring import ColumnScorer, Scorer

    Scored: TypeAlias = tuple[NDArray[np.float32], Sequence[NDArray[np.float32]]]  # of windows, and of their columns


def start_scorers(
    num_threads: int,
    scorer: Scorer,
    groups: WorkQueue[WindowGroup],
    threads: DaemonThreads,
    *,
    with_columns: bool = False,
) -> None:
    """Start threads that score groups until their queue is closed; `with_columns` asks a `ColumnScorer` for them."""
    for _ in range(num_threads):
        threads.start("scorer", _run, scorer, groups, with_columns)


def _run(scorer: Scorer, groups: WorkQueue[WindowGroup], with_columns: bool) -> None:
    """All that a scorer thread does, from its start to its end."""
    try:
        scorer.prepare_thread()
    except BaseException as error:  # noqa: BLE001 -- raised again where the scores are read
        while group := groups.get():
            group.scores.set_exception(error)
        return
    while group := groups.get():
        score_groups(scorer, [group, *_more_groups(scorer, groups)], with_columns=with_columns)


def _more_groups(scorer: Scorer, groups: WorkQueue[WindowGroup]) -> list[WindowGroup]:
    """What waits, up to the rest of a batch, where the scorer mixes recordings; then a group is one window."""
    more: list[WindowGroup] = []
    while scorer.across_recordings and len(more) < scorer.batch_size - 1 and (group := groups.get_waiting()):
        more.append(group)
    return more


def score_groups(scorer: Scorer, groups: Sequence[WindowGroup], *, with_columns: bool = False) -> None:
    """Score groups in one call, and give each its scores, or the exception that the call raised."""
    try:
        scores, columns = _by_channel(scorer, [window for group in groups for window in group.windows], with_columns)
    except BaseException as error:  # noqa: BLE001 -- raised again where the scores are read
        for group in groups:
            group.scores.set_exception(error)
        return
    done = 0
    for group in groups:
        own = slice(done, done + len(group.windows))
        group.columns = columns[own]
        group.scores.set_result(scores[own])
        done = own.stop


def _by_channel(scorer: Scorer, windows: Sequence[Window], with_columns: bool) -> Scored:
    """The scores, channel by channel: so those of a channel are what it has when it is alone."""
    channels = [window.channel for window in windows]
    if len(set(channels)) == 1:
        return _scored(scorer, windows, with_columns)
    places = [[place for place, channel in enumerate(channels) if channel == own] for own in sorted(set(channels))]
    parts = [_scored(scorer, [windows[place] for place in own], with_columns) for own in places]
    columns = [own for _, of_channel in parts for own in of_channel]
    order = np.argsort(np.concatenate(places))
    return np.concatenate([scores for scores, _ in parts])[order], [columns[place] for place in order if columns]


def _scored(scorer: Scorer, windows: Sequence[Window], with_columns: bool) -> Scored:
    if with_columns:
        return checked_columns(cast("ColumnScorer", scorer), windows)
    return checked_scores(scorer, windows), ()
