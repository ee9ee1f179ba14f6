"""The template's parameters as people give them: words `Name=Value`, and files of these. Pure, but for the file."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from consumer.errors import ConsumerError, problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


PLANNED = "To deploy the first of these, as parameters of ecs/template.yaml:\n"  # in a plan's page, above the words


def of_file(path: Path) -> dict[str, str]:
    """Read a file: a plan's page, of which the parameters' lines count; nothing but such lines; or a plan's JSON.

    One without any is refused: a plan that failed leaves an empty file behind, and the defaults are another day's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsumerError(f"{path} cannot be read: {error}") from error
    found = (_of_json if text.lstrip().startswith("{") else _of_page)(text, str(path))
    if not found:
        raise ConsumerError(problem(str(path), "parameters", "none", "see whether `consumer plan` has said why"))
    return found


def of_words(words: Iterable[str], where: str = "the command line") -> dict[str, str]:
    """Read words `Name=Value`."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise ConsumerError(problem(where, "Name=Value", repr(word), "write each parameter as one such word"))
        found[name] = value
    return found


def _of_page(text: str, where: str) -> dict[str, str]:
    try:
        words = shlex.split(text.rpartition(PLANNED)[2].replace("\\\n", " "), comments=True)
    except ValueError as error:
        raise ConsumerError(f"{where}: {error}") from error
    return of_words(words, where)


def _of_json(text: str, where: str) -> dict[str, str]:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise ConsumerError(f"{where}: {error}") from error
    found = whole.get("parameters", whole)
    if isinstance(found, dict) and not all(map(str.isalnum, found)):  # CloudFormation has no other names for them
        remedy = (
            "name a file that `consumer plan --json` has written; `consumer plan --calibrated` takes calibrated figures"
        )
        raise ConsumerError(problem(where, "a plan's JSON, or an object of parameters", "another object", remedy))
    if not isinstance(found, dict) or not all(isinstance(value, str | int | float) for value in found.values()):
        raise ConsumerError(problem(where, "an object of names and values", "another", "see `consumer plan --json`"))
    return {name: str(value) for name, value in found.items()}
