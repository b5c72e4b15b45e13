"""What is refused before it can cost memory."""

from __future__ import annotations

from cedtag.errors import AudioError

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 64

# How many frames are decoded at a time. Few enough to stay in the processor's cache, and to lose little where a decoder
# fails and throws away the piece it was working on; with all channels, 2^20 values at most.
FRAMES_PER_READ = 16_384


def check_limits(name: str, rate_hz: int, channels: int) -> None:
    """Refuse sampling rates and channel counts that no recording has."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        limits = f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        raise AudioError(f"{name}: a rate of {rate_hz} Hz is outside {limits}; resample it or mend its header")
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name}: has {channels} channels, and 1 to {MAX_CHANNELS} can be read; split it first")
