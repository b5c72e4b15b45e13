"""`cedtag extract RESULTS... -o FOLDER`: the sound of events or of the best windows, as clips."""

from __future__ import annotations

from pathlib import Path

import click

from cedtag.cli.shared.options import SectionedCommand, option, options_in

clip_options = options_in(
    "Clips",
    option("-o", "--output", required=True, metavar="FOLDER", help="Where clips and clips.csv are written."),
    option(
        "-f",
        "--audio-format",
        type=click.Choice(["wav", "flac"]),
        default="wav",
        show_default=True,
        help="Of the clips.",
    ),
    option("--name", metavar="TEMPLATE", help="Of a clip, without suffix; see below.  [default: by class and score]"),
    option("--labels", multiple=True, metavar="L", help="Only this class (name, MID or index); repeatable."),
    option(
        "--max-per-class",
        type=click.IntRange(min=0),
        default=10,
        show_default=True,
        metavar="N",
        help="The N best of each class; 0 takes all.",
    ),
    option(
        "--pad",
        type=click.FloatRange(min=0),
        default=0.0,
        show_default=True,
        metavar="S",
        help="Seconds more on both sides, as far as the recording goes.",
    ),
    option("--root", default=".", metavar="DIR", help="Where the paths in RESULTS begin.  [default: this folder]"),
    option("--overwrite", is_flag=True, help="Replace clips that are there."),
)


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...", type=click.Path())
@clip_options
def command(
    results: tuple[str, ...],
    output: str,
    audio_format: str,
    name: str | None,
    labels: tuple[str, ...],
    max_per_class: int,
    pad: float,
    root: str,
    overwrite: bool,
) -> int:
    """Cut the events or windows in RESULTS out of their recordings, at their own rate and with all their channels.

    No sample changes: 16 and 24 bit stay what they are, everything else becomes float (in flac, 24 bit).
    FOLDER/clips.csv says where each clip came from. A --name may hold {label} {mid} {index} {number} {score} {name}
    {start} {end}, such as "{label}_{number:03d}", and folders.
    """
    from cedtag.cli.shared.failures import DONE, SOME_FAILED
    from cedtag.errors import AudioError, InputError, OutputError
    from cedtag.results.convert import read_all
    from cedtag.results.extract import NAME, TABLE, best_clips, cut_all, named, write_table
    from cedtag.run.outputs.files import writing
    from cedtag.system.terminal import printable

    folder = Path(output)
    _, found = read_all([Path(path) for path in results], "long")
    clips = named(best_clips(found, max_per_class, labels), folder, name or NAME, audio_format)
    if not clips:
        raise InputError("there is nothing to cut in these results; see --labels, or tag with a lower --threshold")
    for path in (folder / TABLE, *(clip.path for clip in clips)):
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: this file exists; use --overwrite to replace it, or another -o")
    cuts, failed = [], 0
    with writing(folder):
        for outcome in cut_all(clips, pad, Path(root)):
            if isinstance(outcome, AudioError):
                failed += 1
                click.echo(f"cedtag: {printable(str(outcome))}", err=True)
            else:
                cuts.append(outcome)
        order = {clip.path: place for place, clip in enumerate(clips)}
        write_table(folder / TABLE, sorted(cuts, key=lambda cut: order[cut.clip.path]))
    click.echo(f"{len(cuts)} clips in {printable(output)}, {failed} recordings failed", err=True)
    return SOME_FAILED if failed else DONE
