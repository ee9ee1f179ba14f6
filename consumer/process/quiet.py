"""Whether this container takes no messages for now: a file in the run directory, which outlives every process.

Two may want it so, and each ends only what it has begun: a person, and the platform that is to take the container.
Standard library only: the commands that make and remove the files start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOOK = 1.0  # seconds between two looks while quiet; before that each receive is preceded by one
PERSON, PLATFORM = "quiet", "quiet.platform"  # whose wish it is: the file's name


def holds(folder: Path) -> bool:
    """Say whether the container is quiet."""
    return wished(folder, PERSON) or wished(folder, PLATFORM)


def wished(folder: Path, by: str) -> bool:
    """Say whether it is for this one's sake."""
    return (folder / by).exists()


def reasons(folder: Path) -> dict[str, str]:
    """Give who wishes it, `person` or `platform`, and why, where that is said."""
    return {who: _read(folder / by) for who, by in (("person", PERSON), ("platform", PLATFORM)) if wished(folder, by)}


def begin(folder: Path, by: str = PERSON, why: str = "") -> None:
    """Have the container take no more messages. Raises OSError when the run directory cannot be written to."""
    (folder / by).touch(mode=0o600)
    if why:
        (folder / by).write_text(why)


def end(folder: Path, by: str = PERSON) -> None:
    """Have it take messages again, as far as this one goes. Raises OSError as above."""
    (folder / by).unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has just ended
        return ""
