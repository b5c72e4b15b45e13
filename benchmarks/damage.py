"""Which damage is noticed, by format: `python -m benchmarks.damage` prints the table in docs/inputs.md.

Every file is damaged at each tenth of its length in four ways. An outcome counts as unnoticed if samples are missing
or others, and the recording is neither partial nor failed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.audio import Decoders
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded_by, write, write_av

if TYPE_CHECKING:
    from cedtag.audio.mono import Samples

# By name in the table: the file, the encoder of FFmpeg (None: libsndfile writes it) and the sampling rate.
FORMATS = {
    "FLAC": ("a.flac", None, 16_000),
    "FLAC in Matroska": ("flac.mka", "flac", 16_000),
    "FLAC in MP4": ("flac.mp4", "flac", 16_000),
    "Ogg Vorbis": ("a.ogg", None, 16_000),
    "Ogg Opus": ("a.opus", "libopus", 48_000),
    "WavPack": ("a.wv", "wavpack", 16_000),
    "TTA": ("a.tta", "tta", 16_000),
    "AC-3": ("a.ac3", "ac3", 48_000),
    "WAV (PCM)": ("a.wav", None, 16_000),
    "AIFF (PCM)": ("a.aiff", None, 16_000),
    "CAF (PCM)": ("a.caf", None, 16_000),
    "MP3": ("a.mp3", None, 16_000),
    "AAC (ADTS)": ("a.aac", "aac", 16_000),
    "AAC in MP4": ("a.m4a", "aac", 16_000),
    "ALAC in MP4": ("alac.m4a", "alac", 16_000),
    "Opus in WebM": ("a.webm", "libopus", 48_000),
    "WMA": ("a.wma", "wmav2", 16_000),
    "AAC in MPEG-TS": ("a.ts", "aac", 16_000),
}
# These carry a checksum of every byte of sound.
CHECKED = ("FLAC", "FLAC in Matroska", "FLAC in MP4", "Ogg Vorbis", "Ogg Opus", "WavPack", "TTA", "AC-3")
KINDS = ("cut", "zeroed", "flipped", "garbage")
_SECONDS = 2


def recording(folder: Path, name: str) -> Path:
    """Write two seconds of sound in a format."""
    file, codec, rate_hz = FORMATS[name]
    samples, path = bursts(_SECONDS, rate_hz) + np.float32(1e-3), folder / file
    if codec is None:
        return write(path, samples, rate_hz)
    write_av(path, samples, rate_hz, codec)
    return path


def unnoticed(decoders: Decoders, path: Path, kind: str) -> int:
    """Return at how many of nine places damage of one kind changes samples without a word."""
    original, problems = _outcome(decoders, path)
    assert original is not None
    assert not problems, problems
    data = path.read_bytes()
    damaged = path.with_name(f"damaged{path.suffix}")
    count = 0
    for tenth in range(1, 10):
        damaged.write_bytes(_damaged(data, kind, len(data) * tenth // 10 + 99))
        samples, problems = _outcome(decoders, damaged)
        count += not problems and not (samples is not None and np.array_equal(samples, original))
    return count


def _damaged(data: bytes, kind: str, at: int) -> bytes:
    length = max(1, len(data) // 40)
    if kind == "cut":
        return data[:at]
    if kind == "zeroed":
        return data[:at] + bytes(length) + data[at + length :]
    if kind == "flipped":
        return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
    return data[:at] + np.random.default_rng(at).bytes(length) + data[at + length :]


def _outcome(decoders: Decoders, path: Path) -> tuple[Samples | None, list[str]]:
    try:
        samples, problems, _ = decoded_by(decoders, path)
    except AudioError as error:
        return None, [str(error)]
    return samples, problems


def row(decoders: Decoders, folder: Path, name: str) -> str:
    """Return the row of a format in the table."""
    path = recording(folder, name)
    counts = [unnoticed(decoders, path, kind) for kind in KINDS]
    cells = ("not always" if count else "yes" for count in counts)
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    click.echo(f"| format | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}")
    with Decoders() as decoders, tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            click.echo(row(decoders, Path(folder), name))


if __name__ == "__main__":
    main()
