"""What commands show on a person's terminal beside their result: progress, problems, refusals. All on stderr."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 10  # problems listed for people; all of them with --json


def progress(so_far: object) -> None:
    """Show how far it is, in place of what was shown before: on one line, since no way leads back from a second."""
    if sys.stderr.isatty():
        room = shutil.get_terminal_size().columns - 2  # for the blank, and since a full line may break by itself
        sys.stderr.write(f"\r{str(so_far)[:room]} \x1b[K")
        sys.stderr.flush()


def clear() -> None:
    """Wipe the progress."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def some(problems: Iterable[str]) -> None:
    """Say the first problems, and how many more there are."""
    every = list(problems)
    for line in every[:SHOWN]:
        say(line)
    if len(every) > SHOWN:
        say(f"... and {len(every) - SHOWN} more; --json lists them all")


def complain(command: str, text: str, code: int) -> int:
    """Say why nothing was done; return the exit code."""
    say(f"consumer {command}: {text}")
    return code


def say(text: str) -> None:
    """Say one line."""
    print(clean(text), file=sys.stderr)


def clean(text: str, keep: str = "") -> str:
    """Take out what a terminal would obey: the text may have come in with a message. A line break becomes a space."""
    harmless = ((one if one.isprintable() or one in keep else _instead(one)) for one in text)
    return "".join(harmless)


def _instead(obeyed: str) -> str:
    return " " if obeyed.isspace() else "\N{REPLACEMENT CHARACTER}"
