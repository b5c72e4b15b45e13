"""Settings of a run that exclude each other, or need what is not there: said before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.window_settings import samples_of
from cedtag.labels.query import compared
from cedtag.records import EACH
from cedtag.scoring import gives_columns
from cedtag.store.facts import LEAST
from cedtag.writers.raven import RavenWriter

if TYPE_CHECKING:
    from cedtag.run.settings import RunSettings, Scoring
    from cedtag.scoring import Scorer


def check_settings(settings: RunSettings, scoring: Scoring, *, is_live: bool) -> None:
    """InputError for groups of settings that exclude each other."""
    check_arrangement(settings)
    settings.cluster.check_installed()
    if is_live and not settings.cluster.is_local:
        raise InputError("`engine` ray reads files, which all its machines see, and no -; name files or folders")
    refine_s = settings.windows.refine_s
    if settings.destination.store and refine_s is not None:
        raise InputError(
            "`refine_s` scores some windows anew for one question, and a `store` is for all; leave one out"
        )
    if settings.destination.store and settings.windows.frames:
        if scoring.hop < scoring.window:
            raise InputError(
                "`frames` in a `store` are of windows that do not overlap, as low scores, of which means are made, are "
                "not kept; leave the overlap, `frames` or `store` out"
            )
        if settings.events is not None:
            check_stored_frames(settings, scoring, LEAST)
    if settings.reading.channel == EACH:
        settings.destination.check_channels()
        if refine_s is not None:
            raise InputError("`refine_s` goes with one channel at a time; leave `channel` each, or name its number")
    if refine_s is None:
        return
    if settings.events is None or scoring.hop != scoring.window or samples_of(refine_s) >= scoring.window or is_live:
        raise InputError(
            f"`refine_s` {refine_s:g} goes with `events`, windows that are longer and do not overlap, "
            "and recordings that can be read twice, so not with -; leave one of them"
        )


def check_frames(settings: RunSettings, scorer: Scorer) -> None:
    """InputError where columns of tokens cannot make the events."""
    has_use = settings.events is not None or settings.destination.store
    if not has_use or settings.windows.refine_s is not None:
        raise InputError("`frames` goes with `events`, and is an alternative to `refine_s`; leave one of them out")
    if not gives_columns(scorer):
        raise InputError(f"`frames`: `backend` {scorer.settings['backend']} scores whole windows only; leave it out")


def check_stored_frames(settings: RunSettings, scoring: Scoring, least: float) -> None:
    """InputError for a question that depends on scores of columns below the `least` that a store holds."""
    numbers = [number for _, number in compared(settings.tags.where, lambda name: [0])] if settings.tags.where else []
    lowest = min([*scoring.selector.thresholds.tolist(), *numbers])
    if lowest < least:
        raise InputError(
            f"the `store` holds scores of columns from {least:g} on, and this question asks for {lowest:g} (without "
            "`offset`, half the onset); ask for higher ones, or leave `frames` out"
        )


def check_arrangement(settings: RunSettings) -> None:
    """InputError for an arrangement of results that lacks what it needs."""
    if settings.events is not None and settings.destination.layout == "wide":
        raise InputError("`layout` wide has a row per window, and `events` shows none; leave one of them")
    if settings.clock.is_off and settings.destination.needs_clock:
        raise InputError("this format needs the start times of recordings; name where they come from with `start_time`")


def single_recording_output(settings: RunSettings) -> str | None:
    """What says why only one recording can be written; None where any number can."""
    destination = settings.destination
    if settings.reading.to_s is not None and not destination.is_folder and RavenWriter in destination.writers():
        return "raven lines recordings up by their whole lengths, and with `to_s` holds"
    if destination.plot:
        return "`plot` draws"
    return "this format holds" if destination.shows_one_recording() else None
