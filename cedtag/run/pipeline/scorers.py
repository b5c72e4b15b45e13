"""Groups of windows -> their scores, in as many threads as there are scorers.

Where a scorer does not mix recordings, a call holds one group: `batch_size` consecutive windows of one recording, fewer
at its end. So a result cannot depend on what else is in the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.scoring.checked import checked_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.records import Window
    from cedtag.run.pipeline.lane import WindowGroup
    from cedtag.run.pipeline.threads import DaemonThreads, WorkQueue
    from cedtag.scoring import Scorer


def start_scorers(num_threads: int, scorer: Scorer, groups: WorkQueue[WindowGroup], threads: DaemonThreads) -> None:
    """Start threads that score groups until their queue is closed."""
    for _ in range(num_threads):
        threads.start("scorer", _run, scorer, groups)


def _run(scorer: Scorer, groups: WorkQueue[WindowGroup]) -> None:
    """All that a scorer thread does, from its start to its end."""
    try:
        scorer.prepare_thread()
    except BaseException as error:  # noqa: BLE001 -- raised again where the scores are read
        while group := groups.get():
            group.scores.set_exception(error)
        return
    while group := groups.get():
        score_groups(scorer, [group, *_more_groups(scorer, groups)])


def _more_groups(scorer: Scorer, groups: WorkQueue[WindowGroup]) -> list[WindowGroup]:
    """What waits, up to the rest of a batch, where the scorer mixes recordings; then a group is one window."""
    more: list[WindowGroup] = []
    while scorer.across_recordings and len(more) < scorer.batch_size - 1 and (group := groups.get_waiting()):
        more.append(group)
    return more


def score_groups(scorer: Scorer, groups: Sequence[WindowGroup]) -> None:
    """Score groups in one call, and give each its scores, or the exception that the call raised."""
    try:
        scores = _scores(scorer, [window for group in groups for window in group.windows])
    except BaseException as error:  # noqa: BLE001 -- raised again where the scores are read
        for group in groups:
            group.scores.set_exception(error)
        return
    done = 0
    for group in groups:
        group.scores.set_result(scores[done : done + len(group.windows)])
        done += len(group.windows)


def _scores(scorer: Scorer, windows: Sequence[Window]) -> NDArray[np.float32]:
    """The scores `(windows, classes)`, channel by channel: so those of a channel are what it has when it is alone."""
    channels = [window.channel for window in windows]
    if len(set(channels)) == 1:
        return checked_scores(scorer, windows)
    places = [[place for place, channel in enumerate(channels) if channel == own] for own in sorted(set(channels))]
    scores = np.concatenate([checked_scores(scorer, [windows[place] for place in own]) for own in places])
    return scores[np.argsort(np.concatenate(places))]
