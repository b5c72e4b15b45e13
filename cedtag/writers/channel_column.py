"""The column with the channel, for runs that score each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.records import EACH

if TYPE_CHECKING:
    from cedtag.writers.run_info import RunInfo

COLUMN = "channel"


def shows_channel(run: RunInfo) -> bool:
    """Whether rows of this run have a column for the channel."""
    return run.settings.get(COLUMN) == EACH
