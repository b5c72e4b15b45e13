"""How recordings are cut and spread over threads, and how much may wait between one thread and the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.inputs.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.records import Source, Window
    from cedtag.scoring import Scorer


WHOLE = Slice()


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Window and hop in samples, numbers of threads, and after how long without samples a decoder is given up.

    `part` is what of each recording is scored. `cut` makes the windows of the blocks of a recording in another way.
    With `columns`, a `ColumnScorer` gives those of each window, too.
    """

    window: int
    hop: int
    decoders: int = 1
    scorers: int = 1
    timeout_s: float | None = None
    part: Slice = WHOLE
    cut: Callable[[Iterator[NDArray[np.float32]], Source], Iterator[Window]] | None = None
    columns: bool = False


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The bounds of what waits: windows in a group, groups in a lane, and lanes that are not drained yet."""

    windows: int
    groups: int
    lanes: int


def look_ahead(scorer: Scorer, settings: PipelineSettings) -> LookAhead:
    """The least that keeps all threads of `settings` at work."""
    # A group is what one call scores, or one window where the scorer mixes what waits: then two calls' worth waits.
    windows = 1 if scorer.across_recordings else scorer.batch_size
    groups = 2 * scorer.batch_size if scorer.across_recordings else settings.scorers + 2
    # Short files make one group each, and scorers must not wait for them either.
    return LookAhead(windows, groups, settings.decoders + 2 * groups)
