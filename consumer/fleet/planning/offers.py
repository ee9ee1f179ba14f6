"""Every way to have a day's messages done, side by side: a fleet of ours, and what else there is. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumer.fleet.cloud.sizes import GIB
from consumer.fleet.planning import capacity, price
from consumer.fleet.planning.bills import BILLED_START, Bill, bill
from consumer.fleet.planning.price import FREE, MONTH_DAYS

if TYPE_CHECKING:
    from consumer.fleet.planning.bills import Market
    from consumer.fleet.planning.capacity import Fleet
    from consumer.fleet.planning.workload import Workload

LAMBDA_LIMIT = 900.0  # seconds of one run (Lambda: quotas)
LAMBDA_LEAST, LAMBDA_MOST = 128, 10_240  # MiB
LAMBDA_VCPU = 1769  # MiB of a function that has one vCPU; others have their share of it (Lambda: function memory)
LAMBDA_PARALLEL = (2, 1000)  # an SQS event source's maximum concurrency; an account's usual quota
NEVER = "not in time, whatever the number"


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to have the messages done.

    size: of one container or function, in words. at_once: containers, tasks or runs. processes: in each of them.
    finish: seconds from the opening within which the queue is empty. None is said of what cannot be done.
    """

    key: str
    name: str
    size: str
    at_once: int | None = None
    processes: int = 1
    finish: float | None = None
    bill: Bill | None = None
    note: str = ""

    def in_time(self, load: Workload) -> bool:
        """Say whether the queue is empty by the deadline."""
        return self.finish is not None and self.finish <= load.window


def offers(load: Workload, best: Fleet, market: Market) -> list[Offer]:
    """Give the recommended fleet first, then everything else."""
    return [
        *(_chip(load, best, market, arm=arm, spot=spot) for arm in (True, False) for spot in (False, True)),
        *(_sparse(load, market, best.shape.concurrency, count) for count in (2, 1) if count < best.shape.processes),
        _fixed(load, best, market),
        _batch(load, market),
        _lambda(load, best, market),
    ]


def advice(load: Workload, found: list[Offer]) -> str:
    """Say which is cheaper, where it is in time: "fleet", "lambda", or "lambda while it is free"."""
    ours, function = found[0], next(one for one in found if one.key == "lambda")
    if not (ours.bill and function.bill and function.in_time(load)):
        return "fleet"
    if function.bill.month < ours.bill.month:
        return "lambda"
    return "lambda while it is free" if function.bill.after_free < ours.bill.after_free else "fleet"


def _chip(load: Workload, fleet: Fleet, market: Market, *, arm: bool, spot: bool) -> Offer:
    return _offer(
        load, fleet, bill(load, fleet, market, arm=arm, spot=spot),
        key=f"fargate_{'arm' if arm else 'x86'}{'_spot' if spot else ''}",
        name=f"Fargate {'ARM' if arm else 'x86'}, {'Spot' if spot else 'on demand'}",
        note="may be interrupted" if spot else "",
    )  # fmt: skip


def _sparse(load: Workload, market: Market, concurrency: int, processes: int) -> Offer:
    key, name = {2: ("two", "two processes per container"), 1: ("one", "one process per container")}[processes]
    size, containers = capacity.smallest(market.figures, processes, concurrency, load.turn), None
    if size:
        containers = capacity.enough(load, processes * concurrency)
    if not size or not containers:
        return Offer(key, name, str(size or ""), processes=processes, note=NEVER)
    fleet = capacity.Fleet(capacity.Shape(size, processes, concurrency), containers, containers)
    most = capacity.MOST_CONTAINERS
    note = f"over the policy's {most}" if containers > most else ""
    return _offer(load, fleet, bill(load, fleet, market), key=key, name=name, note=note)


def _fixed(load: Workload, best: Fleet, market: Market) -> Offer:
    paid = bill(load, best, market, lived=load.window)
    return _offer(load, best, paid, key="fixed", name="the same fleet until the deadline", note="")


def _offer(load: Workload, fleet: Fleet, paid: Bill, *, key: str, name: str, note: str) -> Offer:
    shape = fleet.shape
    finish = capacity.finish(load, shape.slots, fleet.containers)
    return Offer(key, name, str(shape.size), fleet.containers, shape.processes, finish, paid, note)


def _batch(load: Workload, market: Market) -> Offer:
    """Give a task of its own to each message: each pays for its start, and for a whole container around it."""
    key, name, start = "batch", "AWS Batch, a task per message", capacity.START
    slower = replace(load, shortest=load.shortest + start, mean=load.mean + start, longest=load.longest + start)
    size, tasks = capacity.smallest(market.figures, 1, 1, load.turn), capacity.enough(slower, 1)
    if not size or not tasks:
        return Offer(key, name, str(size or ""), note=NEVER)
    launched = load.messages / capacity.LAUNCHES
    finish = max(capacity.makespan(slower, tasks), launched + slower.longest)
    day = load.messages * price.billed(BILLED_START + load.mean) * market.second(size)
    slow = f"Fargate launches {capacity.LAUNCHES} tasks a second"
    note = "needs a job per message" if finish <= load.window else slow
    return Offer(key, name, str(size), tasks, 1, finish, Bill(day, MONTH_DAYS * day, MONTH_DAYS * day), note)


def _lambda(load: Workload, best: Fleet, market: Market) -> Offer:
    """Give a run of its own to each message, as many at once as the fleet has in hand."""
    held = market.figures.alone_mib + market.figures.message_mib
    memory = max(LAMBDA_LEAST, math.ceil(max(held, LAMBDA_VCPU * market.figures.message_cpu)))
    key, name, size = "lambda", "Lambda ARM, a run per message", f"{memory} MB"
    if load.longest > LAMBDA_LIMIT:
        return Offer(key, name, size, note="impossible: a run ends after 15 minutes")
    if memory > LAMBDA_MOST:
        return Offer(key, name, size, note=f"impossible: it has {LAMBDA_MOST:,} MB at most")
    least, most = LAMBDA_PARALLEL
    runs = min(most, max(least, best.slots))
    finish = capacity.makespan(load, runs)
    note = "needs no container" if finish <= load.window else f"late, with {most:,} runs at once"
    return Offer(key, name, size, runs, 1, finish, _lambda_bill(load, memory / GIB, market), note)


def _lambda_bill(load: Workload, gib: float, market: Market) -> Bill:
    prices, runs = market.prices, MONTH_DAYS * load.messages
    day = price.function(load.messages, load.mean, gib, arm=True, prices=prices)
    day += price.requests(2 * load.messages, prices)
    beyond = max(0.0, runs * load.mean * gib - FREE.lambda_gb_seconds) * prices.dollars("lambda_arm_gb_second")
    beyond += max(0.0, runs - FREE.lambda_requests) * prices.dollars("lambda_request")
    beyond += price.requests(max(0.0, 2 * runs - FREE.sqs_requests), prices)
    return Bill(day, MONTH_DAYS * day, beyond)
