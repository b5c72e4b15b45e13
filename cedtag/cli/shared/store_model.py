"""The model of a store, loaded when a clip is to be heard, and what became of the clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import gathered, option
from cedtag.similar.settings import StoreModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.cli.tag.run import LoadTagger
    from cedtag.records import FileEnd, FileFailed, Skipped
    from cedtag.scoring import LoadedModel
    from cedtag.store.read import Store

store_model_options = gathered(
    "model",
    StoreModel,
    (
        "Model",
        [
            option(
                "base",
                "--base",
                show_default=False,
                metavar="NAME",
                help="Where the model of STORE is now: as for cedtag -m.  [default: as the store names it]",
            ),
            option("offline", "--offline", help="Never use the network."),
            option(
                "cache_dir",
                "--cache-dir",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Folder for downloaded checkpoints.",
            ),
        ],
    ),
)


def loader_of(store: Store, model: StoreModel) -> Callable[[], LoadedModel]:
    """A function that gives the model of a store, which is loaded once."""

    @cache
    def load() -> LoadedModel:
        from cedtag.checkpoints import cache
        from cedtag.cli.shared.console import download_bar
        from cedtag.similar.store_model import choice_of, compute_of
        from cedtag.tagger import Tagger

        choice = choice_of(store, model)
        cache.configure(offline=choice.offline, cache_dir=choice.cache_dir)
        loads: LoadTagger = click.get_current_context().obj or Tagger.load
        with download_bar(choice.model) as on_progress:
            return loads(choice, compute_of(store), on_progress=on_progress).model

    return load


class ClipReport:
    """Says which clips could not be heard, or not whole, and counts them."""

    def __init__(self) -> None:
        self.failed = 0

    def add(self, outcome: FileEnd | FileFailed | Skipped) -> None:
        """Take the outcome of a clip."""
        from cedtag.records import FileEnd, FileFailed
        from cedtag.system.terminal import printable

        if isinstance(outcome, FileFailed):
            self.failed += 1
            click.echo(f"cedtag: failed: {printable(outcome.error)}", err=True)
        elif isinstance(outcome, FileEnd):
            self.failed += bool(outcome.problems)
            for problem in outcome.problems:
                click.echo(f"cedtag: partial: {printable(f'{outcome.source.name}: {problem}')}", err=True)
