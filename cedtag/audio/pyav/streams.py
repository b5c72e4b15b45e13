"""Which stream of a container is decoded, and which cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from cedtag.audio.pyav.damage import checks_of
from cedtag.errors import AudioError
from cedtag.records import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Codecs whose first frame ends before the sound begins.
HAS_EMPTY_FRAME = frozenset(["wmav1", "wmav2"])


def audio_stream(name: str, file: av.container.InputContainer, track: str | None) -> av.AudioStream:
    """Return the stream that is decoded; an AudioError where none can be.

    `track` is the number, from 1, or the language of the sound track; None takes the one that FFmpeg rates best.
    """
    tracks = file.streams.audio
    best = file.streams.best("audio")
    if not isinstance(best, av.AudioStream):
        raise AudioError(f"{name}: holds no audio stream")
    stream = best if track is None else _wanted(name, tracks, track)
    if stream.codec_context is None:
        raise AudioError(f"{name}: its audio codec is not known to FFmpeg; convert it to WAV or FLAC first")
    _set_up(stream.codec_context, file.format.name)
    return stream


def choice(
    tracks: Sequence[av.AudioStream], taken: av.AudioStream, *, is_asked: bool, is_silent: bool
) -> Iterator[str]:
    """Yield what was scored of several tracks: a note where it was asked for, else a warning."""
    if len(tracks) == 1:
        return
    number = 1 + tracks.index(taken)
    if is_asked:
        yield f"{NOTE}track {number} of {len(tracks)} ({_tracks(tracks)})"
    else:
        silent = "; it is silent" if is_silent else ""
        yield f"holds {len(tracks)} sound tracks ({_tracks(tracks)}), of which track {number} was scored{silent}"


def presentation_start_s(file: av.container.InputContainer, stream: av.AudioStream) -> float:
    """Return the time stamp at which a player begins: that of the first sound or picture, whichever is earlier."""
    pictures = (video for video in file.streams.video if not video.disposition & av.stream.Disposition.attached_pic)
    starts = (
        float(each.start_time * each.time_base)
        for each in (*file.streams.audio, *pictures, stream)
        if each.start_time is not None and each.time_base is not None
    )
    return min(starts, default=0.0)


def _set_up(context: av.AudioCodecContext, demuxer: str) -> None:
    context.thread_count = 1  # recordings are decoded side by side already
    if (channels := context.layout.nb_channels) > 0:
        # PyAV 18.1 frees a custom layout, as MOV has them, once more than it was made. Only the number counts here.
        context.layout = f"{channels}C"
    context.options = checks_of(context.name)
    if context.name in HAS_EMPTY_FRAME:
        # FFmpeg 8.1 leaves out two frames at the beginning, of which the second is sound.
        context.options |= {"flags2": "+skip_manual"}
    if (demuxer, context.name) == ("caf", "alac"):
        # The last frame states how long it is, and FFmpeg 8.1 takes the padding that CAF states off it once more.
        context.options |= {"flags2": "+skip_manual"}


def _wanted(name: str, tracks: Sequence[av.AudioStream], track: str) -> av.AudioStream:
    """Return the track of that number, or the first one of that language."""
    for number, stream in enumerate(tracks, 1):
        if track == str(number) or track.casefold() == _language(stream).casefold():
            return stream
    raise AudioError(f"{name}: has no sound track {track}, but {_tracks(tracks)}")


def _tracks(tracks: Sequence[av.AudioStream]) -> str:
    described = (f"{number}: {_language(stream) or 'no language'}" for number, stream in enumerate(tracks, 1))
    return ", ".join(described)


def _language(stream: av.AudioStream) -> str:
    language = stream.metadata.get("language", "")
    return "" if language == "und" else language
