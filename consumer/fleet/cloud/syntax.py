"""Metric math as it is written: text in, a tree out.

CloudWatch user guide, "Metric math syntax and functions": operators + - * / ^, comparisons, AND && OR ||, functions in
upper case, ids that begin with a small letter, arrays in brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from consumer.errors import TemplateError

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z]\w*)|(?P<sign><=|>=|==|!=|&&|\|\||[-+*/^()<>,]))"
)
SAME = {"&&": "AND", "||": "OR"}
LOOSEST_FIRST = (("OR",), ("AND",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
WORDS = {"AND", "OR"}  # in capitals, and no function


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written out."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """The id of a metric or of another expression."""

    id: str


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus before something."""

    inner: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and what is between them."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given."""

    function: str
    arguments: tuple[Tree, ...]


Tree: TypeAlias = Number | Name | Negative | Binary | Call


@lru_cache(maxsize=256)
def parse(text: str) -> Tree:
    """Read an expression. Raises TemplateError, which says where it stopped making sense."""
    return Parser(text).whole()


def names(tree: Tree) -> set[str]:
    """Give the ids that an expression mentions."""
    match tree:
        case Name(name):
            return {name}
        case Negative(inner):
            return names(inner)
        case Binary(_, left, right):
            return names(left) | names(right)
        case Call(_, items):
            return set().union(*map(names, items))
    return set()


class Parser:
    """A reader of one expression, token by token, with one function for each way in which things are joined."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def whole(self) -> Tree:
        """Read all of it."""
        tree = self._joined(0)
        if self._next:
            raise self._wrong(f"expected its end, got {self._next}")
        return tree

    def _split(self) -> list[str]:
        tokens, at, end = [], 0, len(self._text.rstrip())
        while at < end:
            found = TOKEN.match(self._text, at)
            if found is None:
                raise self._wrong(f"{self._text[at:].strip()[0]} has no meaning in metric math")
            tokens.append(SAME.get(found[found.lastgroup or 0], found[found.lastgroup or 0]))
            at = found.end()
        return tokens

    def _wrong(self, why: str) -> TemplateError:
        return TemplateError(f"metric math {self._text!r}: {why}")

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._next
        if not token or (expected and token != expected):
            raise self._wrong(f"expected {expected or 'a value'}, got {token or 'its end'}")
        self._at += 1
        return token

    def _joined(self, level: int) -> Tree:
        """Read what is joined by the operators of one level or of a tighter one, from left to right."""
        if level == len(LOOSEST_FIRST):
            return self._signed()
        tree = self._joined(level + 1)
        while self._next in LOOSEST_FIRST[level]:
            tree = Binary(self._take(), tree, self._joined(level + 1))
        return tree

    def _signed(self) -> Tree:
        if self._next == "-":
            self._take()
            return Negative(self._signed())
        base = self._value()
        if self._next == "^":
            self._take()
            return Binary("^", base, self._signed())
        return base

    def _value(self) -> Tree:
        read = self._take()
        if read[0].isdigit():
            return Number(float(read))
        if read == "(":
            tree = self._joined(0)
            self._take(")")
            return tree
        if not read[0].isalpha():
            raise self._wrong(f"expected a value, got {read}")
        return self._named(read)

    def _named(self, read: str) -> Tree:
        if self._next == "(" and read not in WORDS:
            self._take()
            if read != read.upper():
                raise self._wrong(f"the function {read} must be in capitals")
            return Call(read, self._listed(")"))
        if read[0].islower():
            return Name(read)
        raise self._wrong(f"the id {read} must begin with a small letter")

    def _listed(self, end: str) -> tuple[Tree, ...]:
        """Read what stands between commas, up to the bracket that closes it."""
        items: list[Tree] = []
        while self._next != end:
            if items:
                self._take(",")
            items.append(self._joined(0))
        self._take(end)
        return tuple(items)
