"""Sounds that can be made honestly: 5 s of each at 16 kHz, never twice the same, under AudioSet's names."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

Samples: TypeAlias = NDArray[np.float32]

SECONDS = 5.0
NUM_SAMPLES = int(SECONDS * SAMPLE_RATE_HZ)
TIME_S = np.arange(NUM_SAMPLES) / SAMPLE_RATE_HZ

SENTENCES = (
    "The quick brown fox jumps over the lazy dog while the sun goes down behind the old mill.",
    "Please leave your name and your number after the tone, and we will call you back tomorrow.",
    "In the morning the market opens early, and the baker brings fresh bread to the square.",
    "How much wood would a woodchuck chuck, if a woodchuck could chuck wood all day long?",
    "Twenty one, forty two, eighty four. The next train to the coast leaves from platform nine.",
    "We measured the temperature of the water every hour, from midnight until the following noon.",
    "Nobody knew where the letters came from, but everyone in the village read them aloud.",
    "This is a voice that a machine has made; it says what it is told to say, and nothing else.",
)
VOICES = ("en-gb", "en-us", "de", "fr", "es", "it", "en-gb+f2", "en-us+f4", "en-gb+m3", "en-us+m7", "sv+f3", "nl+m5")


def silence(rng: Generator) -> Samples:
    """Digital silence, or the faint noise of an input with nothing on it."""
    level_db = rng.uniform(-95, -78)
    return _at_level(rng.standard_normal(NUM_SAMPLES), level_db) if rng.random() < 0.7 else np.zeros(NUM_SAMPLES, "f4")


def white_noise(rng: Generator) -> Samples:
    return _at_level(rng.standard_normal(NUM_SAMPLES), rng.uniform(-40, -12))


def pink_noise(rng: Generator) -> Samples:
    return _at_level(_coloured(rng, slope=1.0), rng.uniform(-40, -12))


def sine_wave(rng: Generator) -> Samples:
    hertz = np.exp(rng.uniform(np.log(150), np.log(6000)))
    return _recorded(np.sin(2 * np.pi * hertz * TIME_S + rng.uniform(0, 6)), rng)


def chirp_tone(rng: Generator) -> Samples:
    """Sweeps, up or down, straight or exponential, one or several."""
    seconds = rng.choice([0.5, 1.0, 2.5, 5.0])
    low, high = np.sort(np.exp(rng.uniform(np.log(150), np.log(7000), 2)))
    high = max(high, 3 * low)
    ramp = (TIME_S % seconds) / seconds
    ramp = 1 - ramp if rng.random() < 0.5 else ramp
    hertz = low + (high - low) * ramp if rng.random() < 0.5 else low * (high / low) ** ramp
    return _recorded(_tone(np.minimum(hertz, 7600)), rng)


def beep(rng: Generator) -> Samples:
    """Short tones with pauses, as machines make them."""
    hertz = rng.uniform(600, 3500)
    period, duty = rng.uniform(0.25, 1.2), rng.uniform(0.2, 0.5)
    on = (TIME_S + rng.uniform(0, period)) % period < duty * period
    return _recorded(_richer(hertz, rng) * _smooth(on), rng)


def siren(rng: Generator) -> Samples:
    """Wail, yelp, or two tones in turn."""
    low, high = rng.uniform(400, 800), rng.uniform(1000, 1700)
    kind = rng.integers(3)
    period = (rng.uniform(3, 6), rng.uniform(0.25, 0.5), rng.uniform(0.8, 1.6))[kind]
    turn = (TIME_S / period + rng.random()) % 1
    sweep = 1 - np.abs(2 * turn - 1)
    if kind == 2:
        low, high, sweep = rng.uniform(400, 500), rng.uniform(550, 750), _smooth(turn < 0.5)
    hertz = low + (high - low) * sweep
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ
    harmonics = np.arange(5)
    strengths = rng.uniform(0.2, 0.6) ** harmonics.astype(np.float64)
    return _recorded(strengths @ np.sin((harmonics[:, None] + 1) * phase), rng)


def dial_tone(rng: Generator) -> Samples:
    """The two tones of North America, or the one of Europe."""
    pair = (350.0, 440.0) if rng.random() < 0.6 else (425.0, 425.0)
    phases = [2 * np.pi * hertz * TIME_S + rng.uniform(0, 6) for hertz in pair]
    return _recorded(np.sin(phases).sum(0), rng)


def touch_tones(rng: Generator) -> Samples:
    """A telephone number in DTMF."""
    on, off = rng.uniform(0.07, 0.25), rng.uniform(0.05, 0.3)
    key = ((TIME_S + rng.uniform(0, on)) // (on + off)).astype(int)
    low = rng.choice([697.0, 770.0, 852.0, 941.0], key[-1] + 1)[key]
    high = rng.choice([1209.0, 1336.0, 1477.0], key[-1] + 1)[key]
    return _recorded((_tone(low) + _tone(high)) * _smooth(TIME_S % (on + off) < on), rng)


def mains_hum(rng: Generator) -> Samples:
    base = rng.choice([50.0, 60.0])
    harmonics = np.arange(1, 13)
    strengths = rng.uniform(0.2, 1, 12) / harmonics ** rng.uniform(0.3, 1.2)
    phases = 2 * np.pi * base * harmonics[:, None] * TIME_S + rng.uniform(0, 6, (12, 1))
    return _recorded(strengths @ np.sin(phases), rng)


def speech(rng: Generator) -> Samples:
    """A sentence from the speech synthesiser espeak-ng, which must be on the PATH."""
    command = ["espeak-ng", "--stdout", "-v", str(rng.choice(VOICES)), "-s", str(rng.integers(120, 210))]
    command += ["-p", str(rng.integers(20, 80)), " ".join(rng.permutation(SENTENCES)[:2])]
    spoken, rate_hz = soundfile.read(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))
    resampled = soxr.resample(spoken, rate_hz, SAMPLE_RATE_HZ)
    first = int(rng.integers(max(1, min(len(resampled) - NUM_SAMPLES, NUM_SAMPLES))))
    return _recorded(np.resize(resampled[first:], NUM_SAMPLES), rng)


SOUNDS: dict[str, Callable[[Generator], Samples]] = {
    "Silence": silence,
    "White noise": white_noise,
    "Pink noise": pink_noise,
    "Sine wave": sine_wave,
    "Chirp tone": chirp_tone,
    "Beep, bleep": beep,
    "Siren": siren,
    "Dial tone": dial_tone,
    "Telephone dialing, DTMF": touch_tones,
    "Mains hum": mains_hum,
    "Speech": speech,
}


def _at_level(signal: NDArray[np.floating], level_db: float) -> Samples:
    """The signal with this root mean square in dB below full scale."""
    rms = np.sqrt(np.mean(signal**2)) + 1e-12
    return np.asarray(np.clip(signal / rms * 10 ** (level_db / 20), -1, 1), np.float32)


def _recorded(signal: NDArray[np.floating], rng: Generator) -> Samples:
    """The signal at some level, with some noise of any colour below it, as a recording has."""
    level_db = rng.uniform(-32, -10)
    noise = _coloured(rng, slope=rng.uniform(0, 2))
    return _at_level(signal, level_db) + _at_level(noise, level_db - rng.uniform(15, 60))


def _coloured(rng: Generator, slope: float) -> NDArray[np.float64]:
    """Noise whose power falls with the frequency to the power of `slope`: 0 is white, 1 pink."""
    spectrum = np.fft.rfft(rng.standard_normal(NUM_SAMPLES))
    hertz = np.maximum(np.fft.rfftfreq(NUM_SAMPLES, 1 / SAMPLE_RATE_HZ), 20)
    return np.fft.irfft(spectrum / hertz ** (slope / 2), NUM_SAMPLES)


def _tone(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ)


def _richer(hertz: float, rng: Generator) -> NDArray[np.float64]:
    """A tone with, half of the time, weaker harmonics."""
    strengths = np.array([1, *rng.uniform(0, 0.4, 2)]) if rng.random() < 0.5 else np.array([1, 0, 0])
    return np.asarray(strengths @ np.sin(2 * np.pi * hertz * np.array([[1], [2], [3]]) * TIME_S))


def _smooth(on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A switch that takes 5 ms, so that it does not click."""
    edge = np.hanning(int(0.005 * SAMPLE_RATE_HZ))
    return np.convolve(on, edge / edge.sum(), mode="same")
