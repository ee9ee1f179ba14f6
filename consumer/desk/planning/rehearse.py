"""`consumer rehearse`: a simulated day of the very template that is deployed, or a thousand of them, or other rules."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.desk import terminal
from consumer.desk.planning import rehearsepage, scene, words, workload
from consumer.desk.planning.many import play
from consumer.desk.planning.plot import Plotter
from consumer.errors import ConsumerError, ImpossibleError, problem
from consumer.fleet.cloud import resources, template
from consumer.fleet.planning import capacity
from consumer.fleet.planning.parameters import parameters
from consumer.fleet.planning.plan import Request, plan
from consumer.fleet.planning.said import counted
from consumer.fleet.rehearsal import policies, subject
from consumer.fleet.rehearsal.days import Kind
from consumer.fleet.rehearsal.hard import HARD
from consumer.limits import LONGEST_RUN
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Mapping

    from consumer.desk.planning.rehearsepage import Played
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.rehearsal.subject import Setup

ALONE = "one process per container"
SIZE = {"Cpu", "Memory", "Processes", "Concurrency", "OpenContainers", "MaxContainers"}  # the plan's, of each fleet


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    workload.add_arguments(parser)
    scene.add_arguments(parser)
    add = parser.add_argument
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
    add("--plot", action="append", default=[], type=Path, metavar="FILE", help="draw it: FILE.png or FILE.html")
    add("--json", action="store_true", help="print a JSON object")


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
    ours, planned = _setup(arguments, request, "ours"), scene.of(arguments, load)
    if arguments.spot_every and not ours.deployed.spot:
        remedy = "add --set SpotWeight=1, or leave it out"
        raise ConsumerError(problem("--spot-every", "a fleet of which a part is Spot", "SpotWeight=0", remedy))
    coming = replace(
        planned,
        arrivals=planned.arrivals.scaled(arguments.more),
        durations=planned.durations.scaled(arguments.longer),
    )
    kind = Kind(ours, coming, arguments.spread, arguments.seed, keep=arguments.days == 1)
    yield kind
    if arguments.policies:
        for other in (*policies.others(ours, planned), *_alone(arguments, request)):
            yield replace(kind, setup=other)
    if arguments.hard:
        for name, harder in HARD:
            changed, where = harder(ours, coming)
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
    if request.processes:  # its size is the plan's; where it runs, and what that costs, is as it is for ours
        chosen = {one: value for one, value in chosen.items() if one not in SIZE}
    deployment = _read(arguments, parameters(plan(request), arguments.timezone) | chosen)
    if remark := _crowded(deployment, request):
        terminal.say(f"{name}: {remark}")
    return subject.of(deployment, request.market, name)


def _read(arguments: Namespace, given: Mapping[str, str]) -> Deployment:
    try:
        return template.read(resources.text_of(arguments.template), **given)
    except ModuleNotFoundError as error:
        remedy = "pip install '.[plan]'"
        raise ConsumerError(
            problem("the template", "the extra `plan`, to read it", f"no {error.name}", remedy)
        ) from error


def _crowded(deployment: Deployment, request: Request) -> str:
    """Say where more processes are rehearsed than a container holds: in a rehearsal, none is out of memory."""
    size, processes = deployment.size, deployment.processes
    room = min(capacity.holds(size, request.market.figures, deployment.concurrency, request.load.turn))
    if processes <= room:
        return ""
    return f"by the plan's figures {size} are enough for {counted(room, 'process', 'processes')}, not for {processes}"
