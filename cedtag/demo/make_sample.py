"""Make the recording in the box, `sample.ogg`: `python -m cedtag.demo.make_sample`, with espeak-ng on the PATH."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from cedtag.demo import synthesis
from cedtag.records import SAMPLE_RATE_HZ

SAMPLE = Path(__file__).parent / "sample.ogg"
# Two takes of 5 s make a scene of 10 s, which is one window. The seed is none of the training clips'.
SCENES = ("Speech", "Siren", "Mains hum")
SEED = 2024
FADE_S = 0.05


def main() -> None:
    rng = np.random.default_rng(SEED)
    sounds = [faded(synthesis.SOUNDS[name](rng)) for name in SCENES for _ in range(2)]
    soundfile.write(SAMPLE, np.concatenate(sounds), SAMPLE_RATE_HZ, format="OGG", subtype="VORBIS")


def faded(sound: synthesis.Samples) -> synthesis.Samples:
    """The sound at an even level, with soft ends."""
    ramp = np.minimum(1, np.arange(len(sound)) / (FADE_S * SAMPLE_RATE_HZ)).astype(np.float32)
    level = 0.06 / np.sqrt(np.mean(sound**2))
    return np.asarray(np.clip(sound * level, -1, 1) * ramp * ramp[::-1], np.float32)


if __name__ == "__main__":
    main()
