"""`consumer demo`: a real container drains a queue on this machine, through a handler that waits for a slow service."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from consumer.clock import Clock
from consumer.desk.sender import Sender
from consumer.errors import INTERRUPTED, ConsumerError, problem
from consumer.local import chaos, server, upstream
from consumer.local import orders as order_file
from consumer.local.chaos import Killer, Reports
from consumer.local.container import Container
from consumer.local.drain import Drain
from consumer.local.interrupt import Interrupt
from consumer.local.queues import Queues
from consumer.local.summary import Ending, Summary, pointers, summarize, table, verdict, went_wrong
from consumer.local.view import view

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from consumer.local.orders import Orders
    from consumer.local.upstream import Upstream

FAILED = 1


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print only the results, as one JSON object")
    parser.add_argument(
        "--chaos", action="store_true", help="kill processes while they work; a ledger has each report written once"
    )
    parser.add_argument("--processes", type=int, default=8, metavar="N", help="consumer processes (default: 8)")
    parser.add_argument(
        "--orders", type=Path, metavar="FILE", help="orders, one JSON object a line (default: 240 of them)"
    )


def main(arguments: Namespace) -> int:
    """Run the demo; return 0 when every order is accounted for, 130 when stopped by Ctrl-C, 1 otherwise."""
    try:
        with Interrupt() as interrupt:
            return _run(arguments, Clock(), interrupt)
    except ConsumerError as error:
        print(f"consumer demo: {error}", file=sys.stderr)
    except (ClientError, BotoCoreError) as error:
        got = f"{type(error).__name__}: {error}"
        print(f"consumer demo: expected answers from the queue server; got {got}.", file=sys.stderr)
    except OSError as error:
        with suppress(OSError):  # the terminal may be what is gone
            print(
                f"consumer demo: expected to write to the screen and to {tempfile.gettempdir()}; got {error}.",
                file=sys.stderr,
            )
    return FAILED


def _run(arguments: Namespace, clock: Clock, interrupt: Interrupt) -> int:
    if arguments.processes < 1:
        raise ConsumerError(problem("--processes", "1 or more", str(arguments.processes), "leave it out"))
    examples = order_file.examples()
    orders = order_file.load(arguments.orders or examples / "orders.jsonl")
    folder = Path(tempfile.mkdtemp(prefix="consumer-demo-"))
    with ExitStack() as stack:
        screen = view(clock, silent=arguments.json)
        stack.callback(screen.close)
        url = stack.enter_context(server.serving(folder, clock))
        service = stack.enter_context(upstream.serving(clock))
        queues = Queues(clock)
        stack.callback(queues.remove)
        names = _send(queues, orders, clock)
        screen.say(_introduction(orders, arguments.processes, url))
        reports = Reports(folder) if arguments.chaos else None
        container = Container(folder, examples, _settings(queues, service, arguments.processes, reports))
        stack.callback(container.kill)
        killer = Killer(container.run_dir, clock) if arguments.chaos else None
        drain = Drain(container, queues, names, screen, clock, interrupt, killer)
        drain.run()
        code = drain.stop()
        screen.close()
        written = reports.written() if reports else service.accounts.completed()
        ending = _ending(queues, orders, written)
        summary = summarize(
            ending,
            service.accounts,
            drain.deliveries,
            memory=(drain.memory.total(), drain.memory.per_process()),
            processes=arguments.processes,
            interrupted=interrupt.asked,
            exit_code=code,
            log=str(container.log),
            killed=killer.kills if killer else None,
            written_twice=len(written) - len(set(written)),
        )
    _print(summary, ending, examples, as_json=arguments.json)
    return FAILED if went_wrong(summary) else INTERRUPTED if summary.interrupted else 0


def _send(queues: Queues, orders: Orders, clock: Clock) -> dict[str, str]:
    """Send the orders; return each message's order."""
    result = Sender(queues.sqs, queues.url, clock).send(orders.lines)
    if result.failed or result.stopped:
        why = next(iter(result.failed.values()), result.stopped)
        raise ConsumerError(
            f"expected the queue to take {len(orders.lines)} orders; it took {len(result.sent)}: {why}."
        )
    return {message_id: orders.ids[number] for number, message_id in result.sent.items()}


def _settings(queues: Queues, service: Upstream, processes: int, reports: Reports | None) -> dict[str, str]:
    ours = {
        "CONSUMER_QUEUE_URL": queues.url,
        "CONSUMER_HANDLER": order_file.HANDLER,
        "CONSUMER_PROCESSES": str(processes),
        "UPSTREAM_URL": service.url,
    }
    return ours | ({"CONSUMER_HANDLER": chaos.HANDLER, "CONSUMER_DATABASE_URL": reports.url} if reports else {})


def _ending(queues: Queues, orders: Orders, completed: Iterable[str]) -> Ending:
    """Look where the orders are, in the queues and in others' accounts: not in what the container says of itself."""
    remaining, hidden = queues.remaining()
    return Ending(frozenset(orders.ids.values()), frozenset(completed), queues.dead(), frozenset(remaining), hidden)


def _introduction(orders: Orders, processes: int, url: str) -> str:
    shortest, longest = min(orders.seconds), max(orders.seconds)
    return (
        f"{len(orders.lines)} orders for reports wait in a queue on {url}.\n"
        f"A container with {processes} processes hands them to a slow service, which takes {_span(shortest)} to "
        f"{_span(longest)} for each.\n"
        f"Here all times are divided by {upstream.SPEED}: it takes {shortest / upstream.SPEED:.1f} to "
        f"{longest / upstream.SPEED:.1f} s."
    )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - as people say it


def _print(summary: Summary, ending: Ending, examples: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary.as_json()))
        return
    print(f"\n{verdict(summary)}\n\n{table(summary, ending.dead)}\n\n{pointers(examples, Path(summary.log))}")
