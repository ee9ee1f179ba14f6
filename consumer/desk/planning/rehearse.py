"""`consumer rehearse`: a simulated day of the very template that is deployed, or a thousand of them, or other rules."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.desk import terminal
from consumer.desk.planning import rehearsepage, samples, words, workload
from consumer.desk.planning.many import play
from consumer.desk.planning.plot import Plotter
from consumer.errors import ConsumerError, ImpossibleError, problem
from consumer.fleet.cloud import resources, template
from consumer.fleet.planning import capacity
from consumer.fleet.planning.parameters import parameters
from consumer.fleet.planning.plan import Request, plan
from consumer.fleet.planning.said import counted, time_of_day
from consumer.fleet.planning.workload import DAY
from consumer.fleet.rehearsal import policies, subject
from consumer.fleet.rehearsal.arrivals import Burst, Given, Trickle
from consumer.fleet.rehearsal.day import Scene
from consumer.fleet.rehearsal.days import Kind
from consumer.fleet.rehearsal.durations import Between, Lognormal, Trace
from consumer.fleet.rehearsal.faults import Faults
from consumer.fleet.rehearsal.hard import HARD
from consumer.fleet.rehearsal.platform import Platform
from consumer.limits import LONGEST_RUN
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator

    from consumer.desk.planning.rehearsepage import Played
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.planning.workload import Workload
    from consumer.fleet.rehearsal.arrivals import Arrivals
    from consumer.fleet.rehearsal.durations import Durations
    from consumer.fleet.rehearsal.subject import Setup

ALONE = "one process per container"
SIZE = {"Cpu", "Memory", "Processes", "Concurrency", "OpenContainers", "MaxContainers"}  # the plan's, of each fleet
SIGMA = "seconds are lognormal about their average, with this sigma; a run past TimeLimit, which would be ended, is not"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    workload.add_arguments(parser)
    add = parser.add_argument
    _add_coming(parser.add_mutually_exclusive_group().add_argument)
    _add_lasting(parser.add_mutually_exclusive_group().add_argument)
    add(
        "--set",
        action="append",
        default=[],
        type=words.parameter,
        metavar="NAME=VALUE",
        help="another value for a parameter",
    )
    add("--template", type=Path, metavar="FILE", help="your own template (default: the one of ecs/)")
    add("--days", type=words.count, default=1, metavar="N", help="rehearse so many days (1)")
    add(
        "--spread",
        type=words.share,
        default=0.0,
        metavar="SHARE",
        help="messages vary by it: 0.3 is 30 %% more or fewer",
    )
    add("--seed", type=int, default=0, metavar="N", help="the same seed is the same days (0)")
    add("--jobs", type=words.count, metavar="N", help="processes that rehearse (default: one for each CPU)")
    add("--policies", action="store_true", help="compare other rules of scaling on the same days")
    add("--hard", action="store_true", help="rehearse days on which something is against it, too")
    add("--more", type=words.factor, default=1.0, metavar="X", help="so many times the messages that are planned for")
    add("--longer", type=words.factor, default=1.0, metavar="X", help="each takes so many times the seconds")
    add("--spot-every", type=words.length, default=0.0, metavar="TIME", help="a Spot interruption each so often: 20m")
    add("--gap", type=words.length, default=0.0, metavar="TIME", help="no metric arrives for so long at the start")
    add("--deploy-at", type=words.time, metavar="HH:MM", help="a deployment in the window")
    add("--start", type=words.run, metavar="A..B", help="seconds until a container has started (60..90)")
    add("--failing", type=words.share, default=0.0, metavar="SHARE", help="of the runs that fail")
    add("--crashing", type=words.share, default=0.0, metavar="SHARE", help="of the runs that end with their process")
    add("--plot", action="append", default=[], type=Path, metavar="FILE", help="draw it: FILE.png or FILE.html")
    add("--json", action="store_true", help="print a JSON object")


def _add_coming(add: Callable[..., Any]) -> None:
    add("--over", type=words.length, default=0.0, metavar="TIME", help="messages come one by one for so long, as 2h")
    add("--arrivals", type=Path, metavar="FILE", help="or at the times in a file, one HH:MM:SS or ISO time a line")


def _add_lasting(add: Callable[..., Any]) -> None:
    add("--trace", type=Path, metavar="FILE", help='measured seconds, one number or {"seconds": 1.5} a line')
    add("--sigma", type=words.sigma, metavar="S", help=SIGMA)


def main(arguments: Namespace) -> int:
    """Rehearse; return 0 when every deadline is made, 1 when one is missed, 64 when it makes no sense."""
    try:
        plotter = Plotter(arguments.plot)
        played = _played(arguments)
        if arguments.json:
            print(json.dumps(rehearsepage.as_json(played), indent=2))
        else:
            print(rehearsepage.page(played))
        for path in plotter.draw(played):
            terminal.say(f"drawn: {path}")
    except ImpossibleError as error:
        return terminal.complain("rehearse", str(error), 1)
    except ConsumerError as error:
        return terminal.complain("rehearse", str(error), Leaving.SETTINGS.value)
    _, ours = played[0]
    return 0 if all(day.deadline_made for day in ours) else 1


def _played(arguments: Namespace) -> Played:
    try:
        kinds = list(_kinds(arguments))
        for kind in kinds:
            _check_limit(kind)
        return [(kind, play(kind, arguments.days, arguments.jobs)) for kind in kinds]
    finally:
        terminal.clear()


def _kinds(arguments: Namespace) -> Iterator[Kind]:
    """Give the kinds of days to rehearse, ours first."""
    load = workload.load(arguments)
    request = Request(load, workload.market(arguments))
    ours, planned = _setup(arguments, request, "ours"), _scene(arguments, load)
    if arguments.spot_every and not ours.deployed.spot:
        remedy = "add --set SpotWeight=1, or leave it out"
        raise ConsumerError(problem("--spot-every", "a fleet of which a part is Spot", "SpotWeight=0", remedy))
    scene = replace(
        planned,
        arrivals=planned.arrivals.scaled(arguments.more),
        durations=planned.durations.scaled(arguments.longer),
    )
    kind = Kind(ours, scene, arguments.spread, arguments.seed, keep=arguments.days == 1)
    yield kind
    if arguments.policies:
        for other in (*policies.others(ours, planned), *_alone(arguments, request)):
            yield replace(kind, setup=other)
    if arguments.hard:
        for name, harder in HARD:
            changed, where = harder(ours, scene)
            yield replace(kind, setup=replace(changed, name=name), scene=where)


def _alone(arguments: Namespace, request: Request) -> Iterator[Setup]:
    """Give the fleet that has a container for each process, unless that is more than there can be."""
    try:
        yield _setup(arguments, replace(request, processes=1), ALONE)
    except ImpossibleError as error:
        terminal.say(f"{ALONE}: left out, since it is impossible. {error}")


def _check_limit(kind: Kind) -> None:
    """Refuse runs that would all be ended: how long a day takes on which they are not is no answer."""
    longest, limit = kind.scene.durations.longest, kind.setup.deployed.time_limit
    if longest > limit:
        enough = math.ceil(longest / 60) * 60
        remedy = f"deploy, and --set, TimeLimit={enough} or more"
        if enough > LONGEST_RUN:
            remedy = f"leave it out: no TimeLimit is over {LONGEST_RUN:,g} s, since SQS gives a message 12 h"
        got = f"a run of {longest:,g} s, which is ended, and dead-lettered in the end"
        raise ConsumerError(problem(f"{kind.name}: TimeLimit", f"no run of more than its {limit:,g} s", got, remedy))


def _setup(arguments: Namespace, request: Request, name: str) -> Setup:
    """Give what is to be deployed: the plan for this load, and what was asked for in its place."""
    chosen = dict(arguments.set)
    if (
        request.processes is not None
    ):  # its size is the plan's; where it runs, and what that costs, is as it is for ours
        chosen = {name: value for name, value in chosen.items() if name not in SIZE}
    given = parameters(plan(request), arguments.timezone) | chosen
    try:
        deployment = template.read(resources.text_of(arguments.template), **given)
    except ModuleNotFoundError as error:
        remedy = "pip install '.[plan]'"
        raise ConsumerError(
            problem("the template", "the extra `plan`, to read it", f"no {error.name}", remedy)
        ) from error
    if remark := _crowded(deployment, request):
        terminal.say(f"{name}: {remark}")
    return subject.of(deployment, request.market, name)


def _crowded(deployment: Deployment, request: Request) -> str:
    """Say where more processes are rehearsed than a container holds: in a rehearsal, none is out of memory."""
    size, processes = deployment.size, deployment.processes
    room = min(capacity.holds(size, request.market.figures, deployment.concurrency, request.load.turn))
    if processes <= room:
        return ""
    return f"by the plan's figures {size} are enough for {counted(room, 'process', 'processes')}, not for {processes}"


def _scene(arguments: Namespace, load: Workload) -> Scene:
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
