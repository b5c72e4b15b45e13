"""`cedtag doctor`: whether this installation works, on one screen."""

from __future__ import annotations

import json

import click

from cedtag.cli.shared.failures import COULD_NOT_PROCEED, DONE
from cedtag.cli.shared.options import Option
from cedtag.system.terminal import printable


@click.command()
@click.option("--network", is_flag=True, help="Ask the Hub, too, whether it can be reached.", cls=Option)
@click.option(
    "-f",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed.",
    cls=Option,
)
def command(network: bool, format: str) -> int:
    """Show versions, device, decoders, caches and limits, and test that scores are right.

    Paste what it prints into a bug report. The exit code is 1 when something cannot work.
    """
    from cedtag.doctor.checks import checks

    found = []
    for check in checks(network=network):
        found.append(check)
        if format == "text":
            mark = "" if check.ok else "FAILED: "
            click.echo(f"{check.name:<12} {mark}{printable(check.found)}")
    if format == "json":
        click.echo(json.dumps({check.name: {"found": check.found, "ok": check.ok} for check in found}, indent=1))
    return DONE if all(check.ok for check in found) else COULD_NOT_PROCEED
