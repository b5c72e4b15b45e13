"""What is taken of the inputs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from cedtag.errors import InputError
from cedtag.inputs.array_jobs import shard_of_task

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Search:
    """What is taken of the inputs.

    In folders, files with a suffix of audio or video are recordings, in any case of letters. Globs
    are matched, case-sensitively, against the path below the folder and against the name alone: `*`, `?` and `[a-z]`
    stay within one name, `**` does not; a folder that an exclude glob matches is not entered. Of a `shard` (i, n) only
    the recordings with `shard_of(relative, n) == i` are taken.
    """

    recursive: bool = True
    include_globs: tuple[str, ...] = ()
    exclude_globs: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise InputError(f"`shard` {self.shard}: expected (i, n) with i from 1 to n")


def parse_shard(text: str) -> tuple[int, int]:
    """(2, 8) for "2/8", the second of eight parts; "auto" is the task of an array of jobs that this process is."""
    if text == "auto":
        return shard_of_task(os.environ)
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    part, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= count:
        raise InputError(f"`shard` {text}: write I/N with I from 1 to N, such as 2/8, or auto")
    return part, count
