"""Many days of one kind, and what they came to together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING

from consumer import clock
from consumer.fleet.rehearsal.day import Day, Scene, day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.fleet.rehearsal.subject import Setup


@dataclass(frozen=True, slots=True)
class Kind:
    """Days of one kind. spread: share by which a day's messages may be more or fewer. keep: keep each day's minutes."""

    setup: Setup
    scene: Scene
    spread: float = 0.0
    seed: int = 0
    keep: bool = False

    @property
    def name(self) -> str:
        """Give what its setup is called."""
        return self.setup.name

    def play(self, number: int, tell: Callable[[float], None] | None = None) -> Day:
        """Rehearse one of them. The same seed and number are the same day, under whatever rules."""
        setup, scene, seed = self.setup, self.scene, f"{self.seed}/{number}"
        factor = 1.0 + self.spread * (2.0 * clock.dice(seed, "spread").random() - 1.0)
        scene = replace(scene, arrivals=scene.arrivals.scaled(factor))
        played = day(setup.deployed, setup.rules(scene.start), scene, seed, tell)
        return played if self.keep else replace(played, timeline=())


@dataclass(frozen=True, slots=True)
class Summary:
    """What many days came to.

    feasible: days that the most containers, all there from the start, would have made. missed: of these, those that
    were not made. told: of all that were not made, those of which people were told in time. rang: days that were made
    although an alarm had said that they were in danger. asked: the most containers that an alarm has asked for. done:
    days whose messages were all done, of which over_bound and finish are.
    """

    days: int
    made: int
    feasible: int
    missed: int
    told: int
    rang: int
    asked: int
    done: int
    over_bound_median: float | None
    over_bound_p99: float | None
    container_seconds: float
    cost: float
    peak_containers: int
    interrupted: float
    finish_median: float | None
    finish_latest: float | None


def summary(days: Sequence[Day], told_by: float) -> Summary:
    """Put days together. told_by: seconds since midnight, until when a warning is of use."""
    over = sorted(one.over_bound for one in days if one.over_bound is not None)
    finished = sorted(one.finish for one in days if one.finish is not None)
    failed = [one for one in days if not one.deadline_made]
    return Summary(
        days=len(days),
        made=len(days) - len(failed),
        feasible=sum(one.feasible for one in days),
        missed=sum(one.feasible for one in failed),
        told=sum(one.warned is not None and one.warned <= told_by for one in failed),
        rang=sum(one.warned is not None for one in days if one.deadline_made),
        asked=max(one.asked for one in days),
        done=len(finished),
        over_bound_median=median(over) if over else None,
        over_bound_p99=over[min(len(over) - 1, int(0.99 * len(over)))] if over else None,
        container_seconds=fmean(one.container_seconds for one in days),
        cost=fmean(one.cost for one in days),
        peak_containers=max(one.peak_containers for one in days),
        interrupted=fmean(one.interrupted for one in days),
        finish_median=median(finished) if finished else None,
        finish_latest=finished[-1] if finished else None,
    )
