"""Where the time of decoding goes: `python -m benchmarks.decoding`, processor ms per 10 s of 44.1 kHz stereo, alone.

`decoder` gives frames, `downmix` the mean of their channels, `resampler` 16 kHz; `checks` are peaks, energies and what
is not finite, `rest` is opening, the audit and Python between. `whole` is all of it in this process. What PyAV decodes
is decoded in a child process, and `child` is what that adds: pipes and copies on both sides, or would add.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import soxr

from cedtag.audio import Decoders, Decoding
from cedtag.audio.audio_file import open_audio
from cedtag.audio.in_process import decoder_of, open_in_process
from cedtag.audio.mono import MonoStream, downmix
from cedtag.bench.corpus import CONTAINERS, can_be_made, write_recording
from cedtag.inputs.sources import typed_source
from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.mono import Samples
    from cedtag.records import Source

PARTS = ("decoder", "downmix", "resampler", "checks", "rest", "whole", "child")


@click.command(help=__doc__)
@click.argument("files", nargs=-1, type=click.Path(exists=True))
@click.option("--seconds", default=60, show_default=True, help="Length of the synthetic recordings, without FILES.")
@click.option("--rounds", default=5, show_default=True, help="Repetitions, in turn; medians are shown.")
def main(files: tuple[str, ...], seconds: int, rounds: int) -> None:
    with TemporaryDirectory() as folder:
        paths = files or [
            str(write_recording(Path(folder) / f"a.{kind}", seconds)) for kind in CONTAINERS if can_be_made(kind)
        ]
        taken: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(rounds):
            for path in paths:
                taken[path].append(costs_ms(typed_source(path)))
    click.echo(f"| file | {' | '.join(PARTS)} |\n|{'---|' * (len(PARTS) + 1)}")
    for path, found in taken.items():
        cells = (f"{median(costs[part] for costs in found):.2f}" for part in PARTS)
        click.echo(f"| {Path(path).name} | {' | '.join(cells)} |")


def costs_ms(source: Source) -> dict[str, float]:
    """The processor milliseconds that each part takes for ten seconds of one recording."""
    pieces, rate_hz = _pieces(source)
    tens = sum(map(len, pieces)) / rate_hz / 10
    mixes = [downmix(piece) for piece in pieces]
    seconds = {
        "decoder": _cpu_s(lambda: _decode(source)),
        "downmix": _cpu_s(lambda: [downmix(piece) for piece in pieces]),
        "resampler": _cpu_s(lambda: _resample(mixes, rate_hz)),
        "whole": _cpu_s(lambda: _read(source)),
    }
    seconds["checks"] = _cpu_s(lambda: _push(pieces, rate_hz)) - seconds["downmix"] - seconds["resampler"]
    seconds["rest"] = seconds["whole"] - sum(seconds[part] for part in ("decoder", "downmix", "resampler", "checks"))
    seconds["child"] = _in_child_s(source) - seconds["whole"]
    return {part: 1e3 * value / tens for part, value in seconds.items()}


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _pieces(source: Source) -> tuple[list[Samples], int]:
    with closing(open_audio(source)) as file, closing(decoder_of(file)) as decoder:
        return [piece.copy() for piece in decoder.frames()], decoder.rate_hz


def _decode(source: Source) -> None:
    with closing(open_audio(source)) as file, closing(decoder_of(file)) as decoder:
        for _ in decoder.frames():
            pass


def _resample(mixes: list[Samples], rate_hz: int) -> None:
    if rate_hz != SAMPLE_RATE_HZ:
        stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        for mix in mixes:
            stream.resample_chunk(mix)


def _push(pieces: list[Samples], rate_hz: int) -> None:
    mono = MonoStream(rate_hz)
    for piece in pieces:
        mono.push(piece)


def _read(source: Source) -> None:
    with open_in_process(open_audio(source)) as recording:
        for _ in recording.blocks():
            pass


def _in_child_s(source: Source) -> float:
    """Both processes together, without the start of the child."""
    once, thrice = _with_child_s(source, 1), _with_child_s(source, 3)
    return (thrice - once) / 2


def _with_child_s(source: Source, times: int) -> float:
    before = _all_s()
    with Decoders(Decoding(isolate=True)) as decoders:
        for _ in range(times):
            with decoders.open(source) as recording:
                for _ in recording.blocks():
                    pass
    return _all_s() - before


def _all_s() -> float:
    """The processor seconds of this process and of all children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    sys.exit(main())
