"""The arguments that say when messages come, how long each takes and what goes wrong: of a day to rehearse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from consumer.desk import terminal
from consumer.desk.planning import samples, words
from consumer.errors import ConsumerError, problem
from consumer.fleet.planning.said import time_of_day
from consumer.fleet.planning.workload import DAY
from consumer.fleet.rehearsal.arrivals import Burst, Given, Trickle
from consumer.fleet.rehearsal.day import Scene
from consumer.fleet.rehearsal.durations import Between, Lognormal, Trace
from consumer.fleet.rehearsal.faults import Faults
from consumer.fleet.rehearsal.platform import Platform

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from consumer.fleet.planning.workload import Workload
    from consumer.fleet.rehearsal.arrivals import Arrivals
    from consumer.fleet.rehearsal.durations import Durations

SIGMA = "seconds are lognormal about their average, with this sigma; a run past TimeLimit, which would be ended, is not"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what a day to rehearse has beyond its messages and its window."""
    add = parser.add_mutually_exclusive_group().add_argument
    add("--over", type=words.length, default=0.0, metavar="TIME", help="messages come one by one for so long, as 2h")
    add("--arrivals", type=Path, metavar="FILE", help="or at the times in a file, one HH:MM:SS or ISO time a line")
    add = parser.add_mutually_exclusive_group().add_argument
    add("--trace", type=Path, metavar="FILE", help='measured seconds, one number or {"seconds": 1.5} a line')
    add("--sigma", type=words.sigma, metavar="S", help=SIGMA)
    add = parser.add_argument
    add("--spot-every", type=words.length, default=0.0, metavar="TIME", help="a Spot interruption each so often: 20m")
    add("--gap", type=words.length, default=0.0, metavar="TIME", help="no metric arrives for so long at the start")
    add("--deploy-at", type=words.time, metavar="HH:MM", help="a deployment in the window")
    add("--start", type=words.run, metavar="A..B", help="seconds until a container has started (60..90)")
    add("--failing", type=words.share, default=0.0, metavar="SHARE", help="of the runs that fail")
    add("--crashing", type=words.share, default=0.0, metavar="SHARE", help="of the runs that end with their process")


def of(arguments: Namespace, load: Workload) -> Scene:
    """Give the day that the arguments ask for. Raises ConsumerError."""
    deploy_at = _deployed_at(arguments, load)
    faults = Faults(arguments.spot_every, arguments.failing, arguments.crashing, arguments.gap, deploy_at)
    platform = Platform(start=arguments.start[::2]) if arguments.start else Platform()
    arrivals, durations = _arrivals(arguments, load), _durations(arguments, load)
    return Scene(load.opens, load.opens + load.window, arrivals, durations, faults, platform)


def _deployed_at(arguments: Namespace, load: Workload) -> float | None:
    if arguments.deploy_at is None:
        return None
    after: float = (arguments.deploy_at - load.opens) % DAY  # the window may go over midnight
    if after > load.window:
        wanted = f"a time from {time_of_day(load.opens)} until {time_of_day(load.deadline)}"
        raise ConsumerError(problem("--deploy-at", wanted, time_of_day(arguments.deploy_at), "name one in the window"))
    return load.opens + after


def _arrivals(arguments: Namespace, load: Workload) -> Arrivals:
    if arguments.arrivals:
        times = samples.arrivals(arguments.arrivals, load.opens, arguments.timezone)
        if remark := samples.outside(times, load, arguments.timezone):
            terminal.say(remark)
        return Given(times)
    if arguments.over:
        return Trickle(load.opens, load.opens + arguments.over, load.messages)
    return Burst(load.opens, load.messages)


def _durations(arguments: Namespace, load: Workload) -> Durations:
    if arguments.trace:
        return Trace(samples.trace(arguments.trace))
    if arguments.sigma is not None:
        return Lognormal(load.mean, arguments.sigma)
    return Between(load.shortest, load.mean, load.longest)
