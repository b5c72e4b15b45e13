"""A progress bar over work whose extent is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

if TYPE_CHECKING:
    from cedtag.cli.shared.options import Logging


def progress_bar(logging: Logging, text: str, total: int = 0) -> tqdm[NoReturn]:
    """A bar on standard error: where it is asked for, or by default on a terminal."""
    is_wanted = logging.progress if logging.progress is not None else sys.stderr.isatty()
    return tqdm(total=total, desc=text, disable=logging.quiet or not is_wanted, file=sys.stderr, leave=False)


def show_actors(bar: tqdm[NoReturn], at_work: int, number: int) -> None:
    """Show beside a bar how many actors of a cluster are at work, and of how many."""
    bar.set_postfix_str(f"{at_work} of {number} actors", refresh=False)


def write_beside_bars(line: str) -> None:
    """Write a line to standard error that no bar overwrites, in one piece: a signal never parts it from its end."""
    tqdm.write(f"{line}\n", file=sys.stderr, end="")
