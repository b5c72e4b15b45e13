"""Time stamps of single packets that damage has changed: one bit can be hours."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import av

SMALLEST_JUMP_S = 0.1


def without_outliers(
    packets: Iterable[av.Packet[av.AudioStream]], smallest_jump: float
) -> Iterator[av.Packet[av.AudioStream]]:
    """Yield the packets, without the time stamps from which the next packet does not go on.

    `smallest_jump` is in the unit of the time stamps. Of the last packet no jump is believed.
    """
    due: int | None = None
    for packet, following in pairwise(chain(packets, [None])):
        assert packet is not None
        stamp, duration = packet.pts, packet.duration or 0
        if stamp is None or due is None or abs(stamp - due) <= smallest_jump:
            pass
        elif not _goes_on(stamp + duration, due + duration, following):
            packet.pts = stamp = None
        if stamp is not None:
            due = stamp + duration
        elif due is not None:
            due += duration
        yield packet


def _goes_on(new: int, old: int, following: av.Packet[av.AudioStream] | None) -> bool:
    """Whether the next packet is nearer to where a jump leads than to where there was none."""
    if following is None or not following.size:
        return False
    return following.pts is None or abs(following.pts - new) <= abs(following.pts - old)
