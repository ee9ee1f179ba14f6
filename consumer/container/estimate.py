"""When the queue will be empty, as the agent last worked it out: a file in the run directory, for `consumer status`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from pathlib import Path

NAME = "estimate"
OLD = 150.0  # seconds: two minutes without a new one, and something is wrong with the agent or the queue


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the queue needs. Times are seconds since the epoch.

    verdict: drained, on track, at risk, late; or unknown, while nobody has measured or said how long a message takes,
    with neither `empty_at` nor `slack_seconds`. desired_containers: what the service wants now; 1 where there is none.
    """

    at: float
    verdict: str
    deadline: float
    timezone: str
    empty_at: float | None
    slack_seconds: float | None
    backlog: int
    seconds_per_message: float | None
    needed_containers: int
    needed_processes: int
    desired_containers: int


def write(folder: Path, estimate: Estimate) -> None:
    """Put it in the place of the last one. Raises OSError when that cannot be."""
    beside = folder / f"{NAME}.new"
    beside.write_text(json.dumps(asdict(estimate)))
    beside.replace(folder / NAME)


def read(folder: Path, now: float) -> dict[str, Any] | None:
    """Read it; None where there is none, or an old one, or what is no estimate."""
    try:
        found = TypeAdapter(Estimate).validate_json((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return asdict(found) if 0 <= now - found.at < OLD else None
