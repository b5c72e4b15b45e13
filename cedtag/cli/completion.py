"""`cedtag completion SHELL`: the script that makes the shell complete commands, options and paths."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

# shell -> the name of its file in completions/
SHELLS = {"bash": "cedtag.bash", "zsh": "_cedtag", "fish": "cedtag.fish"}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash   cedtag completion bash > ~/.local/share/bash-completion/completions/cedtag
    zsh    cedtag completion zsh  > a folder of your $fpath, as _cedtag
    fish   cedtag completion fish > ~/.config/fish/completions/cedtag.fish
    """
    click.echo(completion_script(shell), nl=False)


def completion_script(shell: str) -> str:
    """The script of a shell, as click makes it."""
    from cedtag.cli import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None
    return kind(cli, {}, "cedtag", COMPLETE_VARIABLE).source().rstrip() + "\n"
