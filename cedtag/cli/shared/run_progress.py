"""How far a run is: a bar on a terminal, elsewhere one plain line a minute."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cedtag.records import SAMPLE_RATE_HZ, AlreadyDone, FileEnd, FileFailed, ScoredWindow
from cedtag.run.summary import duration

if TYPE_CHECKING:
    from cedtag.inputs.extent import Extent
    from cedtag.records import Outcome
    from cedtag.run.summary import Summary

LINE_EVERY_S = 60.0
_REDRAW_EVERY_S = 0.1
_STEPS = 1000  # of the bar
_BAR, _NO_BAR = "{percentage:3.0f}%|{bar}| {desc}", "{desc}"


class RunProgress:
    """The state of a run in one line. One recording counts by its seconds, several by their bytes.

    `extent` is what there is to be done, once that is known, and `actors` how many of a cluster are at work. A bar
    `is_live`: it is drawn over itself.
    """

    def __init__(self, *, is_live: bool) -> None:
        self.is_live = is_live
        self.extent: Extent | None = None
        self.actors = ""
        self._bar = tqdm(
            total=_STEPS, bar_format=_NO_BAR, dynamic_ncols=True, file=sys.stderr, disable=not is_live, leave=False
        )
        self._shown_at = time.monotonic()
        self._samples = 0  # of the recording at hand
        self._bytes_now = self._bytes_passed = 0  # of recordings that this run has read, and of all that are over

    def advance(self, event: Outcome, summary: Summary) -> None:
        """Take an outcome, and show the state when it is time."""
        if isinstance(event, ScoredWindow):
            self._samples = event.stop
        else:
            self._samples = 0
            self._bytes_passed += event.source.size
            self._bytes_now += event.source.size if isinstance(event, FileEnd | FileFailed) else 0
        waited_s = time.monotonic() - self._shown_at
        if waited_s >= (_REDRAW_EVERY_S if self.is_live else LINE_EVERY_S) or self._is_first(event):
            self._shown_at = time.monotonic()
            self._show(summary)

    def close(self) -> None:
        self._bar.close()

    def _is_first(self, event: Outcome) -> bool:
        """Whether something is seen at last of a bar; a plain line can wait."""
        return self.is_live and self._bar.desc == "" and not isinstance(event, AlreadyDone)

    def _show(self, summary: Summary) -> None:
        audio_s = summary.audio_s + self._samples / SAMPLE_RATE_HZ
        speed = audio_s / max(summary.elapsed_s, 1e-9)
        pace = f", {speed:,.{0 if speed >= 100 else 1}f}x realtime" if audio_s else ""
        one_s = self._one_recording_s()
        if one_s:
            done = f"{duration(audio_s)} of {duration(one_s)} of audio"
            share: float | None = min(1.0, audio_s / one_s)
            left_s: float | None = max(0.0, one_s - audio_s) / max(speed, 1e-9)
        else:
            done = f"{self._recordings(summary)}{duration(audio_s)} of audio"
            share, left_s = self._by_bytes(summary)
        text = f"{done}{pace}{self.actors}" + (f", {duration(left_s)} left" if left_s else "")
        if not self.is_live:
            click.echo(f"cedtag: {text}", err=True)
            return
        self._bar.bar_format = _NO_BAR if share is None else _BAR
        self._bar.n = round(_STEPS * (share or 0))
        self._bar.set_description_str(text)

    def _one_recording_s(self) -> float:
        """The length of the only recording; 0 where that is not all, or not known."""
        return self.extent.seconds if self.extent is not None and self.extent.recordings == 1 else 0.0

    def _recordings(self, summary: Summary) -> str:
        if self.extent is None:
            return f"{summary.found:,} recordings, " if summary.found else ""
        return f"{summary.found:,} of {self.extent.recordings:,} recordings, " if self.extent.recordings > 1 else ""

    def _by_bytes(self, summary: Summary) -> tuple[float | None, float | None]:
        """The share that is over, and the seconds that the rest takes at the pace of this run so far."""
        if self.extent is None or self.extent.recordings < 2 or not self.extent.num_bytes:
            return None, None
        rest = max(0, self.extent.num_bytes - self._bytes_passed)
        left_s = rest * summary.elapsed_s / self._bytes_now if self._bytes_now else None
        return 1 - rest / self.extent.num_bytes, left_s
