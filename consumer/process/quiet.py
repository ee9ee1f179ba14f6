"""Whether this container takes no messages for now: a file in the run directory, which outlives every process.

Standard library only: the commands that make and remove it start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOOK = 1.0  # seconds between two looks while quiet; before that each receive is preceded by one


def mark(folder: Path) -> Path:
    """Give the file that stands for it."""
    return folder / "quiet"


def holds(folder: Path) -> bool:
    """Say whether the container is quiet."""
    return mark(folder).exists()


def begin(folder: Path) -> None:
    """Have the container take no more messages. Raises OSError when the run directory cannot be written to."""
    mark(folder).touch(mode=0o600)


def end(folder: Path) -> None:
    """Have it take messages again. Raises OSError as above."""
    mark(folder).unlink(missing_ok=True)
