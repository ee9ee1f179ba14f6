"""What a container, a process and a message in hand take: measured, or a default that says that it is one."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from consumer.errors import PlanError, problem, respelled

if TYPE_CHECKING:
    from pathlib import Path

OURS = "default: measured with this product's image and a handler that holds nothing"
GUESS = "default: a guess, since only your handler knows"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Memory in MiB, CPU as a share of one vCPU.

    container: PID 1 with the application loaded, and the agent; what is there before the first process. process: each
    forked from it, its share of what is shared included (PSS). message: each message in hand, at its highest. alone: a
    process that shares with nobody. message_cpu: while a message is in hand. each_cpu_s: the seconds of CPU that each
    message takes besides, to be received and deleted. measured: the day, or None.
    """

    container_mib: float = 85.0
    process_mib: float = 13.5
    message_mib: float = 50.0
    alone_mib: float = 47.2
    container_cpu: float = 0.005
    message_cpu: float = 0.01
    each_cpu_s: float = 0.0075
    measured: dt.date | None = None
    known: frozenset[str] = frozenset()

    def source(self, name: str) -> str:
        """Say where a figure is from."""
        if name in self.known:
            return f"measured {self.measured}"
        return GUESS if name.startswith("message_") else OURS

    @property
    def trusted(self) -> bool:
        """Whether what the handler itself takes has been measured."""
        return {"message_mib", "message_cpu"} <= self.known

    def memory(self, processes: int, concurrency: int) -> float:
        """Give the MiB that so many processes hold in one container, all busy."""
        return self.container_mib + processes * (self.process_mib + concurrency * self.message_mib)

    def cpu(self, processes: int, concurrency: int, turn: float) -> float:
        """Give the vCPUs that they use, with a new message every so many seconds in each place."""
        return self.container_cpu + processes * concurrency * (self.message_cpu + self.each_cpu_s / turn)


FIGURES = tuple(field.name for field in fields(Calibration) if field.name not in {"measured", "known"})
MOST = 1_000_000  # MiB: eight times Fargate's largest container
SHOWN = 100  # characters of what is wrong
FORM = '{"measured": "2026-11-20", "message_mib": 80, "message_cpu": 0.02}'


def read(path: Path) -> Calibration:
    """Read a JSON object of figures, by their names here, and the day on which they were measured.

    A figure that it leaves out keeps its default. Raises PlanError.
    """
    text = ""
    try:
        found = json.loads(text := path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        got = repr(text[:SHOWN]) if text else f"{path}: {reason}"
        raise PlanError(problem("--calibrated", f"a JSON file like {FORM}", got, "check it")) from error
    if not isinstance(found, dict):
        raise PlanError(problem(str(path), f"a JSON object like {FORM}", type(found).__name__, "write one"))
    day = _day(found.pop("measured", None), path)
    figures = {name: _figure(name, value, path) for name, value in found.items()}
    if not figures:
        raise PlanError(problem(str(path), f"at least one of {', '.join(FIGURES)}", "none", "add what you know"))
    return replace(Calibration(), **figures, measured=day, known=frozenset(figures))


def _day(value: object, path: Path) -> dt.date:
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise PlanError(
            problem(f"{path}, measured", "a day such as 2026-11-20", repr(value), "say when it was measured")
        ) from error


def _figure(name: str, value: object, path: Path) -> float:
    if name not in FIGURES:
        known = ", ".join(FIGURES)
        raise PlanError(problem(str(path), f"one of measured, {known}", name, respelled(name, FIGURES)))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise PlanError(problem(f"{path}, {name}", f"a number from 0 to {MOST:,}", repr(value)[:SHOWN], "correct it"))
    return float(value)
