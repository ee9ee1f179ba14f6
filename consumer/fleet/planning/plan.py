"""A plan: the fleet to deploy, what else there is, what binds, and what becomes of it as the messages grow. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from consumer.errors import ImpossibleError
from consumer.fleet.planning import capacity
from consumer.fleet.planning.bills import Bill, bill, recommended
from consumer.fleet.planning.bounds import Bound, bounds, shortfalls
from consumer.fleet.planning.capacity import Limits
from consumer.fleet.planning.offers import Offer, offers

if TYPE_CHECKING:
    from consumer.fleet.planning.bills import Market
    from consumer.fleet.planning.capacity import Fleet
    from consumer.fleet.planning.workload import Workload

TIMES = (1, 10, 100, 1000)  # the messages of today


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted. processes: in each container; None is as many as are best."""

    load: Workload
    market: Market
    limits: Limits = field(default_factory=Limits)
    processes: int | None = None
    concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to deploy for a request; the offers begin with it. bounds: the tightest first."""

    request: Request
    fleet: Fleet
    offers: list[Offer]
    bounds: list[Bound]


@dataclass(frozen=True, slots=True)
class Stage:
    """The plan for more messages, its bill and what the fleet comes up against first; or why there is none."""

    messages: int
    fleet: Fleet | None
    bill: Bill | None = None
    tightest: Bound | None = None
    why: str = ""


def plan(request: Request) -> Plan:
    """Make a plan. Raises ImpossibleError when there is none."""
    load, market = request.load, request.market
    best = _best(request)
    return Plan(request, best, offers(load, best, market), bounds(load, best, market.figures, request.limits))


def growth(request: Request) -> list[Stage]:
    """Plan for more and more messages of the same kind, in the same window."""
    return [_stage(replace(request, load=replace(request.load, messages=n * request.load.messages))) for n in TIMES]


def _best(request: Request) -> Fleet:
    load, figures, limits = request.load, request.market.figures, request.limits
    fleets = capacity.fleets(load, figures, limits, processes=request.processes, concurrency=request.concurrency)
    best = recommended(load, fleets, request.market)
    if best is None:
        raise ImpossibleError("; ".join(shortfalls(load, figures, limits, request.processes, request.concurrency)))
    return best


def _stage(request: Request) -> Stage:
    load, market = request.load, request.market
    try:
        best = _best(request)
    except ImpossibleError as error:
        return Stage(load.messages, None, why=str(error))
    found = bounds(load, best, market.figures, request.limits)
    tightest = next(bound for bound in found if bound.within == "fleet")
    return Stage(load.messages, best, bill(load, best, market), tightest)
