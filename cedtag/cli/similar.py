"""`cedtag similar CLIP... STORE`: the windows of a store that sound like examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note, note_written
from cedtag.cli.shared.options import Option, SectionedCommand, gathered, option
from cedtag.cli.shared.store_model import store_model_options
from cedtag.similar.settings import FORMATS, MOST, SimilarSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.errors import AudioError
    from cedtag.similar.search import SimilarWindow
    from cedtag.similar.settings import StoreModel

similar_options = gathered(
    "settings",
    SimilarSettings,
    (
        "Windows",
        [
            option("num_best", "-k", "--top-k", type=click.IntRange(1, MOST), metavar="N", help="The N most similar."),
            option("diverse", "--diverse", help="Only the best window of each recording."),
            option(
                "unlike",
                "--not",
                metavar="CLIP",
                help="Leave out windows that are nearer to this example than to any CLIP; repeatable.",
            ),
        ],
    ),
)


@click.command(cls=SectionedCommand)
@click.argument("names", nargs=-1, required=True, metavar="CLIP... STORE", type=click.Path())
@similar_options
@click.option("-o", "--output", cls=Option, section="Output", metavar="FILE", help="File of the rows.")
@click.option(
    "-f",
    "--format",
    "format_name",
    cls=Option,
    section="Output",
    type=click.Choice(FORMATS),
    help="[default: by the suffix of -o, else a table, in a pipe tsv]",
)
@click.option(
    "--clips",
    cls=Option,
    section="Output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Cut the windows out of their recordings, too, as `cedtag extract` does.",
)
@click.option(
    "--root",
    cls=Option,
    section="Output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder where the paths in STORE begin.  [default: this folder]",
)
@click.option("--overwrite", cls=Option, section="Output", is_flag=True, help="Replace existing files.")
@store_model_options
def command(
    names: tuple[str, ...],
    settings: SimilarSettings,
    output: str | None,
    format_name: str | None,
    clips: Path | None,
    root: Path | None,
    overwrite: bool,
    model: StoreModel,
) -> int:
    """Find the windows of STORE that sound like CLIP, from `cedtag tag --store`.

    CLIP is a recording, a folder of them, or a place in the store, written STORE#RECORDING@SECOND: then STORE need not
    be named again. All windows of a recording are examples; a window of the store is as similar as its nearest example.

    \b
    cedtag similar owl.wav archive
    cedtag similar archive#site/0412.wav@12.5 -k 50 --diverse
    cedtag similar owls/ --not dogs/ archive -o owls.csv --clips found/
    """
    from cedtag.cli.shared.failures import run_code
    from cedtag.cli.shared.store_model import ClipReport, loader_of
    from cedtag.errors import InputError
    from cedtag.similar.places import store_of_place
    from cedtag.similar.rows import format_of
    from cedtag.similar.search import find_similar
    from cedtag.store import open_store
    from cedtag.system.destinations import OutputPath, check_outputs

    path, examples = (store_of_place(names[-1]), names) if store_of_place(names[-1]) else (Path(names[-1]), names[:-1])
    assert path is not None
    if not examples:
        raise InputError("name an example and a store: cedtag similar CLIP STORE")
    format_name = format_of(output, format_name)
    if output not in (None, "-"):
        check_outputs([OutputPath(Path(str(output)), "output")], [*names, *settings.unlike], overwrite=overwrite)
    store, report = open_store(path), ClipReport()
    found = find_similar(store, examples, settings, loader_of(store, model), report.add)
    _write(found, output, format_name)
    failed = report.failed
    if clips is not None:
        failed += _cut(found, clips, root or Path(), overwrite=overwrite)
    if store.is_unfinished:
        note(f"{path}: windows of a run that has not ended are not among those that were searched")
    return run_code(complete=not failed)


def _write(found: Sequence[SimilarWindow], output: str | None, format_name: str | None) -> None:
    from cedtag.cli.shared.table import show
    from cedtag.similar.rows import columns_of, rows_of, text_of
    from cedtag.system.atomic import writing, writing_whole

    if format_name is None:
        show(columns_of(found), rows_of(found))
        return
    encoded = text_of(found, format_name).encode("utf-8", "surrogateescape")
    if output in (None, "-"):
        click.echo(encoded, nl=False)
        return
    path = Path(str(output))
    with writing(path), writing_whole(path) as out:
        out.write(encoded)
    note_written([path], f"{len(found)} windows")


def _cut(found: Sequence[SimilarWindow], folder: Path, root: Path, *, overwrite: bool) -> int:
    """Write the clips; how many recordings failed."""
    from cedtag.cli.shared.failures import printable_traceback
    from cedtag.results.clip_settings import ClipSettings
    from cedtag.results.extract import extract_clips
    from cedtag.system.terminal import printable

    failures: list[AudioError] = []

    def report(error: AudioError) -> None:
        failures.append(error)
        click.echo(f"{printable_traceback(error)}cedtag: {printable(str(error))}", err=True)

    settings = ClipSettings(
        folder, name="{number:03d}_{score:.2f}_{name}_{start:.3f}", max_per_class=0, root=root, overwrite=overwrite
    )
    cuts = extract_clips((window.to_result() for window in found), settings, report)
    note(f"{folder}: {len(cuts)} clips, listed in clips.csv")
    return len(failures)
