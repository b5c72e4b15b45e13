"""`cedtag completion SHELL`: the script that makes the shell complete commands, options, values and paths."""

from __future__ import annotations

import click

from cedtag.cli.shared.shells import SCRIPTS


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    cedtag completion bash > ~/.local/share/bash-completion/completions/cedtag
    cedtag completion zsh > _cedtag, in a folder of your $fpath
    cedtag completion fish > ~/.config/fish/completions/cedtag.fish
    """
    click.echo(SCRIPTS[shell], nl=False)
