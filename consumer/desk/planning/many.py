"""Many days at once, on all processors. The same seed gives the same days, however many of them rehearse."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from consumer.desk import terminal

if TYPE_CHECKING:
    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

FEW = 8  # days that are rehearsed sooner than processes are started
CHUNK = 8
BAR = 30  # characters


def play(kind: Kind, days: int, jobs: int | None) -> list[Day]:
    """Rehearse so many days of a kind; give them in order, and show how far it is."""
    jobs = min(jobs or os.cpu_count() or 1, days)
    if days == 1:
        return [_one(kind)]
    if jobs == 1 or days < FEW:
        return [_counted(kind, kind.play(number), number, days) for number in range(days)]
    # spawned: what draws may have threads by now, which a fork would leave behind
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        played = pool.map(kind.play, range(days), chunksize=CHUNK)
        return [_counted(kind, day, number, days) for number, day in enumerate(played)]


def _one(kind: Kind) -> Day:
    start, length = kind.scene.start, kind.scene.deadline - kind.scene.start
    return kind.play(0, lambda now: _show(kind, (now - start) / length))


def _counted(kind: Kind, day: Day, number: int, days: int) -> Day:
    _show(kind, (number + 1) / days)
    return day


def _show(kind: Kind, share: float) -> None:
    share = min(1.0, max(0.0, share))
    terminal.progress(f"{kind.name}  {'#' * round(BAR * share):{BAR}}  {share:.0%}")
