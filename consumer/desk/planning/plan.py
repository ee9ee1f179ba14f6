"""`consumer plan`: how many containers of which size a day's messages need, and what that and the alternatives cost."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from consumer.desk import terminal
from consumer.desk.planning import planpage, words, workload
from consumer.errors import ConsumerError, ImpossibleError
from consumer.fleet.planning.capacity import Limits
from consumer.fleet.planning.plan import Request, growth, plan
from consumer.limits import MOST_CONCURRENCY
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    workload.add_arguments(parser)
    parser.add_argument("--processes", type=words.count, metavar="N", help="processes per container (default: best)")
    several = partial(words.count, most=MOST_CONCURRENCY)
    parser.add_argument("--concurrency", type=several, default=1, metavar="N", help="messages per process (1)")
    parser.add_argument("--parallel", type=words.count, metavar="N", help="messages at once that your API bears")
    parser.add_argument("--connections", type=words.count, metavar="N", help="that the ledger's database gives you")
    parser.add_argument("--growth", action="store_true", help="plan for 10, 100 and 1,000 times the messages, too")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def main(arguments: Namespace) -> int:
    """Print a plan; return 0, 1 when nothing will do, 64 when the request makes no sense."""
    try:
        request = _request(arguments)
        found = plan(request)
        stages = growth(request) if arguments.growth else []
    except ImpossibleError as error:
        return terminal.complain("plan", str(error), 1)
    except ConsumerError as error:
        return terminal.complain("plan", str(error), Leaving.SETTINGS.value)
    if arguments.json:
        print(json.dumps(planpage.as_json(found, stages, arguments.timezone), indent=2))
    else:
        print(planpage.page(found, stages, arguments.timezone))
    return 0


def _request(arguments: Namespace) -> Request:
    return Request(
        workload.load(arguments),
        workload.market(arguments),
        Limits(arguments.connections, arguments.parallel),
        arguments.processes,
        arguments.concurrency,
    )
