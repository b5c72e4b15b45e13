"""Globs over relative paths: `*`, `?` and `[a-z]` stay within one name, `**` does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_GLOB_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def glob_matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """A test whether any glob matches a relative path, or its last name."""
    try:
        regex = re.compile("|".join(map(_glob_regex, globs)) or "(?!)", re.DOTALL)
    except re.error as error:
        raise InputError(f"a glob of {' '.join(map(repr, globs))} cannot be read ({error}); escape [ as [[]") from error
    return lambda relative: bool(regex.fullmatch(relative) or regex.fullmatch(relative.rpartition("/")[2]))


def _glob_regex(glob: str) -> str:
    return "".join(_GLOB_REGEX.get(token) or _glob_part(token) for token in _GLOB_TOKEN.findall(glob))


def _glob_part(token: str) -> str:
    """The regex of one character, or of a set of them such as [a-z] or [!0-9]."""
    if len(token) == 1:
        return re.escape(token)
    negated = token[1] == "!"
    members = re.sub(r"([\\\[\]&|~^]|(?<=-)-)", r"\\\1", token[1 + negated : -1])
    return f"(?!/)[{'^' * negated}{members}]"
