"""What cedtag and ffmpeg read: `python -m benchmarks.compare_decoders FOLDER`, with `ffmpeg` and `ffprobe` installed.

Both give the mean of the channels at 16 kHz, through one resampler, in presentation time. The verdict of a file is
"same", or the first of what differs: the outcome, the length, the time (a shift), the samples.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, TYPE_CHECKING

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from cedtag.audio import Decoders, Decoding, Selection
from cedtag.audio.mono import MonoStream
from cedtag.errors import AudioError
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.records import SAMPLE_RATE_HZ, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from cedtag.audio.mono import Samples

_SLACK_S = 0.1  # in which lossy codecs keep or leave out what their encoders added
_LARGEST_SHIFT_S = 10
_SMALLEST_SHIFT_S = 0.02
_LARGEST_DIFFERENCE = 0.02
_FRAMES_PER_READ = 1 << 16
_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Reading:
    """What one program gave: `outcome` is ok, partial or failed; `head` is the first of `num_samples` at 16 kHz."""

    outcome: str
    said: str
    num_samples: int
    head: Samples

    @property
    def seconds(self) -> float:
        return self.num_samples / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two readings of one file.

    cedtag's sound is `shift_s` later; `difference` is its RMS as a share of ffmpeg's sound.
    """

    name: str
    cedtag: Reading
    ffmpeg: Reading
    shift_s: float
    difference: float

    @property
    def verdict(self) -> str:
        """The first thing that differs."""
        ours, theirs = self.cedtag, self.ffmpeg
        if ours.outcome == theirs.outcome == "failed":
            return "refused by both"
        if "failed" in (ours.outcome, theirs.outcome):
            return f"read by {'cedtag' if theirs.outcome == 'failed' else 'ffmpeg'} alone"
        if ours.outcome != theirs.outcome:
            return f"partial for {'cedtag' if ours.outcome == 'partial' else 'ffmpeg'} alone"
        if abs(ours.seconds - theirs.seconds) > _SLACK_S:
            return "length"
        if abs(self.shift_s) > _SMALLEST_SHIFT_S:
            return "shift"
        return "samples" if self.difference > _LARGEST_DIFFERENCE else "same"


@click.command(help=__doc__)
@click.argument("paths", nargs=-1, required=True)
@click.option("--seconds", "head_s", type=click.IntRange(1), default=600, show_default=True, help="Compared of a file.")
@click.option("--differing", is_flag=True, help="Show only files whose verdict is not that both read the same.")
def main(paths: tuple[str, ...], head_s: int, differing: bool) -> None:
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise click.ClickException(f"{program} is not on the PATH; install it")
    table, counts = _empty_table(), Counter[str]()
    for found in find_sources(paths, Search()):
        if isinstance(found, Source):
            compared = compare(found, head_s * SAMPLE_RATE_HZ)
            counts[compared.verdict] += 1
            if not differing or compared.verdict != "same":
                table.add_row(*_cells(compared))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    for verdict, count in counts.most_common():
        click.echo(f"{count:6} {verdict}")


def compare(source: Source, head_samples: int) -> Comparison:
    """Read a file with both programs: its first sound track, of which `head_samples` are compared."""
    ours, theirs = read_with_cedtag(source, head_samples), read_with_ffmpeg(source, head_samples)
    shift = shift_of(ours.head, theirs.head)
    return Comparison(source.name, ours, theirs, shift / SAMPLE_RATE_HZ, difference_of(ours.head, theirs.head, shift))


def read_with_cedtag(source: Source, head_samples: int) -> Reading:
    """Decode as a run does, but the first track, which is the one that ffmpeg is asked for."""
    try:
        with (
            Decoders(Decoding(selection=Selection(track="1"))) as decoders,
            decoders.open(source) as recording,
        ):
            num_samples, head = _counted(recording.blocks(), head_samples)
    except AudioError as error:
        return Reading("failed", str(error).removeprefix(f"{source.name}: "), 0, np.zeros(0, np.float32))
    return Reading("partial" if recording.problems else "ok", "; ".join(recording.problems), num_samples, head)


def read_with_ffmpeg(source: Source, head_samples: int) -> Reading:
    """Decode with ffmpeg: silence where the container says that time passes, errors of checksums shown."""
    form = _probed(source.path)
    if form is None:
        return Reading("failed", "no audio stream", 0, np.zeros(0, np.float32))
    rate_hz, channels = form
    command = ["ffmpeg", "-nostdin", "-v", "error", "-err_detect", "crccheck", "-i", f"file:{source.path}"]
    command += ["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ar", f"{rate_hz}", "-ac", f"{channels}"]
    with (
        TemporaryFile() as talk,
        subprocess.Popen([*command, "-f", "f32le", "-"], stdout=subprocess.PIPE, stderr=talk) as process,
    ):
        assert process.stdout is not None
        limit = Timer(_TIMEOUT_S, process.kill)
        limit.start()
        num_samples, head = _counted(_mono(process.stdout, rate_hz, channels), head_samples)
        limit.cancel()
        process.wait()
        talk.seek(0)
        said = talk.read(1000).decode(errors="replace").strip().split("\n")[0]
    outcome = "failed" if not num_samples else "partial" if said or process.returncode else "ok"
    return Reading(outcome, said, num_samples, head)


def shift_of(ours: Samples, theirs: Samples) -> int:
    """By how many samples the sound of `ours` comes later, where the two are most alike."""
    length = min(len(ours), len(theirs), 60 * SAMPLE_RATE_HZ)
    if length == 0 or not ours[:length].any() or not theirs[:length].any():
        return 0
    size = 1 << (2 * length - 1).bit_length()
    product = np.fft.rfft(ours[:length], size) * np.conj(np.fft.rfft(theirs[:length], size))
    likeness = np.fft.irfft(product, size)
    reach = min(length, _LARGEST_SHIFT_S * SAMPLE_RATE_HZ)
    return int(np.argmax(np.concatenate([likeness[-reach:], likeness[:reach]]))) - reach


def difference_of(ours: Samples, theirs: Samples, shift: int) -> float:
    """The RMS of the difference, as a share of the RMS of `theirs`, once `ours` is moved by `shift` samples."""
    ours, theirs = ours[max(0, shift) :], theirs[max(0, -shift) :]
    length = min(len(ours), len(theirs))
    loudness = _rms(theirs[:length])
    difference = _rms(ours[:length] - theirs[:length])
    return difference / loudness if loudness else float(difference > 0)


def _counted(blocks: Iterable[Samples], head_samples: int) -> tuple[int, Samples]:
    """How many samples come, and the first of them."""
    num_samples, kept = 0, [np.zeros(0, np.float32)]
    for block in blocks:
        if num_samples < head_samples:
            kept.append(np.array(block[: head_samples - num_samples]))
        num_samples += len(block)
    return num_samples, np.concatenate(kept)


def _mono(pipe: IO[bytes], rate_hz: int, channels: int) -> Iterator[Samples]:
    """The mean of the channels that come through a pipe, at 16 kHz."""
    stream = MonoStream(rate_hz)
    while data := pipe.read(_FRAMES_PER_READ * 4 * channels):
        whole = len(data) - len(data) % (4 * channels)
        yield stream.push(np.frombuffer(data[:whole], "<f4").reshape(-1, channels))
    yield stream.flush()


def _probed(path: str) -> tuple[int, int] | None:
    """The rate and the channels of the first audio stream, or None without one that ffmpeg knows."""
    command = ["ffprobe", "-v", "quiet", "-select_streams", "a:0", "-show_streams", "-of", "json", f"file:{path}"]
    answer = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False).stdout
    streams = json.loads(answer or b"{}").get("streams", [])
    if not streams or not int(streams[0].get("channels", 0)) or not int(streams[0].get("sample_rate", 0)):
        return None
    return int(streams[0]["sample_rate"]), int(streams[0]["channels"])


def _rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def _empty_table() -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("file", "cedtag", "s", "ffmpeg", "s", "shift s", "RMS diff", "verdict", "what was said"):
        table.add_column(name, overflow="fold", justify="right" if name in ("s", "shift s", "RMS diff") else "left")
    return table


def _cells(compared: Comparison) -> Iterator[str]:
    ours, theirs = compared.cedtag, compared.ffmpeg
    yield from (compared.name, ours.outcome, f"{ours.seconds:.2f}", theirs.outcome, f"{theirs.seconds:.2f}")
    yield from (f"{compared.shift_s:+.3f}", f"{compared.difference:.1%}", compared.verdict)
    yield ours.said or (f"ffmpeg: {theirs.said}" if theirs.said else "")


if __name__ == "__main__":
    main()
