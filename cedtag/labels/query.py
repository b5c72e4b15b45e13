"""Conditions on the scores of a window, such as `Siren > 0.3 and not Music > 0.5`.

    condition  = term { "or" term }
    term       = factor { "and" factor }
    factor     = "not" factor | "(" condition ")" | label comparison number
    comparison = ">" | ">=" | "<" | "<=" | "==" | "!="

A label is a name, a MID or an index. A name stands in quotes, single or double, when it holds a parenthesis, a
comparison, or one of the words and, or, not; in quotes, two of them stand for one. Case counts nowhere.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEEPEST = 50  # nested conditions; nobody means more
COMPARISONS: dict[str, Callable[[Any, float], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<sign>[<>=!]=?|[()])|(?P<word>[^\s()<>=!"'][^\s()<>=!"]*)|(?P<end>$))"""
)


class Probabilities(Protocol):
    """The scores by class: a number for one window, an array `(windows,)` for many."""

    def __getitem__(self, index: int, /) -> Any: ...


# Whether it holds: a truth value for one window, an array `(windows,)` of them for many.
Condition: TypeAlias = "Callable[[Probabilities], Any]"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `kind` is quoted, sign, word or end, and `column` counts from 1."""

    kind: str
    text: str
    column: int


def parse_condition(text: str, classes_of: Callable[[str], Sequence[int]]) -> Condition:
    """The function that checks the scores of a window against the condition.

    `classes_of` gives the classes of a label, whose best score counts; its InputError is reported with the column.
    """
    parser = _Parser(text, classes_of)
    condition = parser.condition(0)
    if parser.token.kind != "end":
        raise parser.wrong("only 'and' or 'or' can follow a condition")
    return condition


def compared(text: str, classes_of: Callable[[str], Sequence[int]]) -> list[tuple[Sequence[int], float]]:
    """The classes of each comparison in a condition, and the number that their best score is compared with."""
    parser = _Parser(text, classes_of)
    parser.condition(0)
    return parser.compared


class _Parser:
    """Goes through the text once; `token` is what comes next."""

    def __init__(self, text: str, classes_of: Callable[[str], Sequence[int]]) -> None:
        self._text, self._classes_of = text, classes_of
        self._end = 0
        self.compared: list[tuple[Sequence[int], float]] = []
        self.token = self._read()

    def condition(self, depth: int) -> Condition:
        parts = [self._term(depth)]
        while self._skip("or"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda scores: reduce(np.logical_or, (part(scores) for part in parts))

    def _term(self, depth: int) -> Condition:
        parts = [self._factor(depth)]
        while self._skip("and"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else lambda scores: reduce(np.logical_and, (part(scores) for part in parts))

    def _factor(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} conditions stand in one another")
        if self._skip("not"):
            denied = self._factor(depth + 1)
            return lambda scores: np.logical_not(denied(scores))
        if self._skip("("):
            condition = self.condition(depth + 1)
            if not self._skip(")"):
                raise self.wrong("a ) is missing")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        classes = self._label()
        if self.token.text not in COMPARISONS:
            raise self.wrong("a comparison such as > 0.3 is missing")
        compare = COMPARISONS[self._next().text]
        number = self._number()
        self.compared.append((classes, number))
        return lambda scores: compare(reduce(np.maximum, (scores[index] for index in classes)), number)

    def _label(self) -> Sequence[int]:
        first = self.token
        if first.kind == "quoted":
            quote = first.text[0]
            name = self._next().text[1:-1].replace(quote * 2, quote)
        else:
            words = []
            while self.token.kind == "word" and self.token.text.lower() not in ("and", "or", "not"):
                words.append(self._next().text)
            name = " ".join(words)
        if not name:
            raise self.wrong("a label is missing")
        try:
            return self._classes_of(name)
        except InputError as error:
            raise self.wrong(str(error), first) from None

    def _number(self) -> float:
        token = self.token
        try:
            number = float(token.text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise self.wrong("a number from 0 to 1 is missing")
        self._next()
        return number

    def _skip(self, text: str) -> bool:
        if self.token.kind == "quoted" or self.token.text.lower() != text:
            return False
        self._next()
        return True

    def _next(self) -> Token:
        token, self.token = self.token, self._read()
        return token

    def _read(self) -> Token:
        match = _TOKEN.match(self._text, self._end)
        if match is None:
            column = len(self._text[: self._end]) + 1
            raise self.wrong("a quote is not closed", Token("", self._text[self._end :].strip(), column))
        assert match.lastgroup is not None
        self._end = match.end()
        return Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1)

    def wrong(self, what: str, token: Token | None = None) -> InputError:
        """The error at a token, the next one if none is named."""
        where = token or self.token
        near = f" at {where.text!r}" if where.text else " at the end"
        return InputError(f"`where` {self._text!r}, column {where.column}{near}: {what}")
