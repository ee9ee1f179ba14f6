"""Many days at once, on all processors. The same seed gives the same days, however many of them rehearse."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.desk.planning.progress import Tell
    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

FEW = 8  # days that are rehearsed sooner than processes are started
CHUNK = 8


def play(kind: Kind, days: int, jobs: int | None, tell: Tell, name: str) -> list[Day]:
    """Rehearse so many days of a kind; give them in order. tell: how far it is."""
    jobs = min(jobs or os.cpu_count() or 1, days)
    if days == 1:
        return [_one(kind, tell, name)]
    if jobs == 1 or days < FEW:
        return [_counted(kind.play(number), tell, name, number, days) for number in range(days)]
    # spawned: a fork would take along the thread that draws the progress
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        played = pool.map(kind.play, range(days), chunksize=CHUNK)
        return [_counted(day, tell, name, number, days) for number, day in enumerate(played)]


def _one(kind: Kind, tell: Tell, name: str) -> Day:
    start, length = kind.scene.start, kind.scene.deadline - kind.scene.start

    def minute(now: float, backlog: int) -> None:
        tell(name, min(1.0, max(0.0, (now - start) / length)), f"{_clock(now)}  {backlog:,} messages left")

    return kind.play(0, minute)


def _counted(day: Day, tell: Tell, name: str, number: int, days: int) -> Day:
    tell(name, (number + 1) / days, f"{number + 1:,} of {days:,} days")
    return day


def _clock(now: float) -> str:
    return f"{int(now // 3600) % 24:02d}:{int(now // 60) % 60:02d}"
