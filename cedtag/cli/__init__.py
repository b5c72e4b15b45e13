"""The command line. Nothing here loads more than click before a command runs."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from cedtag import __version__
from cedtag.cli.shared.common_options import with_common_options
from cedtag.cli.shared.failures import COULD_NOT_PROCEED, HANDLED, exit_code, sentence_for
from cedtag.cli.shared.interrupts import wait_for_loading
from cedtag.cli.shared.presets import offered_presets
from cedtag.cli.shared.process import keep_stdout_for_data, leave, open_closed_streams, use_utf8_names
from cedtag.cli.shared.shells import VARIABLE, answer, paths
from cedtag.cli.shared.shortages import shortage_of, shortage_of_threads
from cedtag.cli.shared.suggestions import is_absent_word, suggestions_for
from cedtag.system.telemetry import disable_telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

    from cedtag.cli.tag.run import LoadTagger

# command -> (the module of its click command, what it does). `cedtag PATH` is `cedtag tag PATH`.
COMMANDS = {
    "tag": ("cedtag.cli.tag", "Tag recordings (the default: a first word that is no command is a path)."),
    "events": ("cedtag.cli.events", "Show onset and offset of each class, from recordings or results."),
    "report": ("cedtag.cli.report", "Make one page for the browser from results."),
    "query": ("cedtag.cli.query", "Ask a store of scores what tagging would show, without hearing again."),
    "captions": ("cedtag.cli.captions", "Add cues for sounds to the subtitles of a film."),
    "extract": ("cedtag.cli.extract", "Cut events or the best windows of each class out of their recordings."),
    "convert": ("cedtag.cli.convert", "Write results in other formats: for editors, data frames, evaluations."),
    "merge": ("cedtag.cli.merge", "Join the outputs of shards."),
    "store": ("cedtag.cli.store", "Show, verify, compact and edit a store of scores."),
    "similar": ("cedtag.cli.similar", "Find the windows of a store that sound like examples."),
    "learn": ("cedtag.cli.learn", "Learn a class of your own from a few examples and a store."),
    "labels": ("cedtag.cli.labels", "List or find the classes."),
    "models": ("cedtag.cli.models", "List, download, find and remove checkpoints."),
    "evaluate": ("cedtag.cli.evaluate", "Evaluate a model, or existing results, on labelled recordings."),
    "finetune": ("cedtag.cli.finetune", "Train a model on your own recordings and classes."),
    "distill": ("cedtag.cli.distill", "Store what large models give for your recordings, to train a small one."),
    "demo": ("cedtag.cli.demo", "Tag a sample with a small model, both in the package."),
    "bench": ("cedtag.cli.bench", "Measure how fast this machine tags, and what to type for it."),
    "doctor": ("cedtag.cli.doctor", "Test this installation; what a bug report needs."),
    "completion": ("cedtag.cli.completion", "Print the completion script of a shell."),
}
DEFAULT_COMMAND = "tag"
CONTEXT = {
    "help_option_names": ["-h", "--help"],
    # So that lines made for tools that write --top_k can be pasted.
    "token_normalize_func": lambda token: token.replace("_", "-"),
    "max_content_width": 100,
}


class Commands(click.Group):
    """Commands that are loaded when they are used; anything else is taken as what to tag."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return with_common_options(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = ("-h", "--help", "-V", "--version")
        if args and args[0] not in COMMANDS and args[0] not in own:
            args = _help_or_path(ctx, args)
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("cedtag", "[OPTIONS] PATH...")
        formatter.write_usage("cedtag", "COMMAND [OPTIONS] ...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        tag = self.get_command(ctx, DEFAULT_COMMAND)
        assert tag is not None
        tag.format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text(
            "Variables set options: CEDTAG_TOP_K=3 for tagging, CEDTAG_FINETUNE_EPOCHS=20 for finetune; values of an "
            "option that repeats stand on a line each. docs/settings.md has the table."
        )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            tag = self.get_command(ctx, DEFAULT_COMMAND)
            assert tag is not None
            return tag.shell_complete(tag.make_context("tag", [], ctx, resilient_parsing=True), incomplete)
        if incomplete.startswith("@"):
            return offered_presets(incomplete)
        names = [CompletionItem(n, help=text) for n, (_, text) in COMMANDS.items() if n.startswith(incomplete)]
        return [*names, *paths(incomplete)]


def _help_or_path(ctx: click.Context, args: list[str]) -> list[str]:
    """The arguments that a first word which is no command stands for; UsageError for one that is near a command."""
    word = args[0]
    if not ctx.resilient_parsing and is_absent_word(word):
        if word == "help":
            return [*args[1:2], "--help"]
        if near := suggestions_for(word, COMMANDS):
            meant = " or ".join(f"`cedtag {one}`" for one in near)
            raise click.UsageError(f"{word}: no such file, folder or command; did you mean {meant}?", ctx)
    return [DEFAULT_COMMAND, *args]


@click.group(cls=Commands, context_settings=CONTEXT, no_args_is_help=False, invoke_without_command=True)
@click.version_option(__version__, "-V", "--version", message="cedtag %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Tag sounds in recordings, folders and archives with the CED models.

    \b
    cedtag birds.wav                 its tags, every 10 seconds
    cedtag archive/ -o tags.csv      a whole tree; killed or stopped, it continues
    cedtag archive/ -f jsonl | jq .  for pipelines
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


def main(load: LoadTagger | None = None) -> NoReturn:
    """The console script."""
    use_utf8_names()
    open_closed_streams()
    wait_for_loading()
    leave(run(keep_stdout_for_data(sys.argv[1:]), load))


def run(args: Sequence[str], load: LoadTagger | None = None) -> int:
    """Run one command line; every way out is a sentence on stderr and an exit code.

    `load` replaces the function that loads the model, for programs that have one already.
    """
    disable_telemetry()
    if shell := os.environ.get(VARIABLE):
        click.echo("".join(f"{line}\n" for line in answer(cli, shell)), nl=False)
        return 0
    try:
        # Not through click's own `main`, which turns a closed pipe into exit code 1.
        with cli.make_context("cedtag", list(args), obj=load) as context:
            result = cli.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as way_out:
        return way_out.exit_code
    except HANDLED as error:
        if isinstance(error, KeyboardInterrupt) and (shortage := shortage_of_threads()):
            return _failed(f"cedtag: {shortage}", COULD_NOT_PROCEED)
        return _failed(sentence_for(error), exit_code(error))
    except Exception as error:
        if (shortage := shortage_of(error)) is None:
            raise  # a bug of ours, and its traceback is what helps
        return _failed(f"cedtag: {shortage}", COULD_NOT_PROCEED)
    return result if isinstance(result, int) else 0


def _failed(sentence: str, code: int) -> int:
    """Print what went wrong; the exit code."""
    with suppress(OSError):  # standard error may be full, or closed
        if sentence:
            click.echo(sentence, err=True)
    return code
