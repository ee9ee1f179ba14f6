"""A plan as a person reads it, and as a machine does."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from consumer.desk.stack.given import PLANNED
from consumer.desk.table import table
from consumer.fleet.planning import capacity
from consumer.fleet.planning.bills import ALARM_METRICS, METRICS
from consumer.fleet.planning.bounds import bears
from consumer.fleet.planning.calibration import FIGURES
from consumer.fleet.planning.offers import advice
from consumer.fleet.planning.parameters import parameters, time_limit
from consumer.fleet.planning.said import counted, time_of_day
from consumer.fleet.planning.workload import HOUR
from consumer.limits import MEMORY_SHARE, TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.fleet.planning.bills import Bill
    from consumer.fleet.planning.capacity import Fleet
    from consumer.fleet.planning.offers import Offer
    from consumer.fleet.planning.plan import Plan, Stage
    from consumer.fleet.planning.workload import Workload

HUNDRED = 100
UNITS = {"mib": "MiB", "cpu": "vCPU", "s": "s"}
SHARED = {"memory": ("MiB", MEMORY_SHARE), "cpu": ("vCPU", capacity.CPU_SHARE)}  # the rest is kept free


def page(plan: Plan, stages: list[Stage], zone: str) -> str:
    """Lay a plan out for a person."""
    parts = [
        _task(plan, zone), _fleet(plan), _offers(plan), _growth(stages), _figures(plan), _prices(plan),
        _parameters(plan, zone),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _task(plan: Plan, zone: str) -> str:
    load = plan.request.load
    kind = (
        f"{load.shortest:g} s"
        if load.shortest == load.longest
        else (f"{load.shortest:g} to {load.longest:g} s, {load.mean:g} on average,")
    )
    return (
        f"{counted(load.messages, 'message')} of {kind} from {time_of_day(load.opens)} "
        f"until {time_of_day(load.deadline)} {zone}: {_hours(load)} of work"
    )


def _hours(load: Workload) -> str:
    return f"{load.messages * load.mean / HOUR:,.1f} hours"


def _fleet(plan: Plan) -> str:
    load, fleet = plan.request.load, plan.fleet
    shape, paid = fleet.shape, plan.offers[0].bill
    each = f", {shape.concurrency} messages in each of these" if shape.concurrency > 1 else ""
    done = f"{_done(plan, plan.offers[0])} at the latest, in whatever order"
    rows = [
        ("done", f"{done} messages come, if they take {_hours(load)} together"),
        ("costs", f"{_dollars(paid.month if paid else 0)} a month in {plan.request.market.prices.region}"),
        ("bad days", f"up to {counted(fleet.most, 'container')}: {_bears(load, fleet)} in time"),
        ("at most", f"{2 * fleet.most * shape.size.vcpu:g} vCPU of the account's quota for Fargate, while one deploys"),
        ("", f"{capacity.connections(shape, fleet.most):,} connections to a ledger's database, while one deploys"),
        *(("uses", text) for text in _bounds(plan)),
        *(("note", text) for text in (*_boldness(plan), *_patience(load), *_advice(plan))),
    ]
    inside = f"{counted(shape.processes, 'process', 'processes')} in {'it' if fleet.containers == 1 else 'each'}"
    head = f"Recommended: {counted(fleet.containers, 'container')} of {shape.size}, {inside}{each}"
    return "\n".join([head, *(f"  {word:8}  {text}" for word, text in rows)])


def _bounds(plan: Plan) -> Iterator[str]:
    for bound in plan.bounds:
        if bound.share >= 0.01:  # noqa: PLR2004 - less than a hundredth is no news
            amounts = f"{_amount(bound.used)} of {_amount(bound.limit)}"
            if bound.key in SHARED:
                unit, share = SHARED[bound.key]
                whole = f"{amounts} {unit}, which is {share:.0%} of {_amount(bound.limit / share)}"
                yield f"{bound.share:.0%} of the {bound.name} that is planned with: {whole}"
            else:
                yield f"{bound.share:.0%} of the {bound.within}'s {bound.name}: {amounts}"


def _amount(number: float) -> str:
    return f"{number:,.0f}" if number >= HUNDRED else f"{number:.4g}"


def _bears(load: Workload, fleet: Fleet) -> str:
    number = bears(load, fleet.shape.slots, fleet.most)
    return f"{counted(number, 'message')} {'is' if number == 1 else 'are'}"


def _boldness(plan: Plan) -> Iterator[str]:
    if not plan.request.market.figures.trusted:
        yield "what your handler takes is a guess until it is measured (--calibrated): see the figures below"
        if plan.fleet.shape.processes > capacity.MEASURED_PROCESSES:
            yield f"more than {capacity.MEASURED_PROCESSES} processes in a container, which that guess may not bear"


def _patience(load: Workload) -> Iterator[str]:
    """Say that a run may take longer than is usual: else each would be ended, and dead-lettered."""
    if (limit := time_limit(load)) != TIME_LIMIT:
        yield f"TimeLimit={limit}: one run may take {load.longest:,g} s; usually each is ended after {TIME_LIMIT:g}"


def _advice(plan: Plan) -> Iterator[str]:
    """Say it where something else is cheaper: who needs no container should not look after one."""
    found, ours = advice(plan.request.load, plan.offers), plan.offers[0].bill
    function = next(one for one in plan.offers if one.key == "lambda").bill
    if found == "fleet" or not (ours and function):
        return
    if found == "lambda":
        yield f"you may not need this: Lambda costs {_dollars(function.month)} a month, this {_dollars(ours.month)}"
    else:
        yield (
            f"you may not need this: beyond the free tier, where nothing else uses it, Lambda costs "
            f"{_dollars(function.after_free)} a month, this {_dollars(ours.after_free)}"
        )


def _offers(plan: Plan) -> str:
    rows = [
        (
            one.name, one.size, "-" if one.at_once is None else one.at_once, one.processes, _done(plan, one),
            *_money(one.bill), one.note,
        )
        for one in plan.offers
    ]  # fmt: skip
    return table(("", "size", "at once", "processes", "done by", "$ a day", "$ a month", "after free", ""), rows)


def _growth(stages: list[Stage]) -> str:
    if not stages:
        return ""
    head = (
        "messages",
        "containers",
        "of",
        "processes",
        "in hand",
        "connections",
        "$ a day",
        "$ a month",
        "first bound",
    )
    return table(head, [_stage(stage) for stage in stages])


def _stage(stage: Stage) -> tuple[object, ...]:
    fleet, bound, paid = stage.fleet, stage.tightest, stage.bill
    if not (fleet and bound and paid):
        return (f"{stage.messages:,}", "-", "-", "-", "-", "-", "-", "-", stage.why)
    shape = fleet.shape
    return (
        f"{stage.messages:,}",
        f"{fleet.containers}..{fleet.most}",
        str(shape.size),
        shape.processes,
        f"{fleet.slots:,}",
        f"{capacity.connections(shape, fleet.most):,}",
        *_money(paid)[:2],
        f"{bound.name}: {bound.share:.0%}",
    )


def _figures(plan: Plan) -> str:
    figures = plan.request.market.figures
    rows = [(name, getattr(figures, name), UNITS[name.rsplit("_", 1)[1]], figures.source(name)) for name in FIGURES]
    return table(("figure", "value", "unit", "source"), rows)


def _prices(plan: Plan) -> str:
    prices = plan.request.market.prices
    seen = dict.fromkeys((str(prices.of(item).date), prices.of(item).source) for item in prices.table)
    return table(("prices of", "source"), list(seen)) + (
        f"\nA month has 30 days, {METRICS} metrics and {ALARM_METRICS} metrics in alarms. Not in any figure: what your "
        "handler calls,\nlogs, traffic, NAT, the database, the registry's images, a dashboard beyond the account's "
        "third ($3).\n"
        "After free: the month where nothing else uses the account's free tiers."
    )


def _parameters(plan: Plan, zone: str) -> str:
    words = [f"{name}={value}" for name, value in parameters(plan, zone).items()]
    lines = [" ".join(words[number : number + 5]) for number in range(0, len(words), 5)]
    return f"{PLANNED}  " + " \\\n  ".join(lines)


def _done(plan: Plan, offer: Offer) -> str:
    if offer.finish is None:
        return "never"
    return time_of_day(plan.request.load.opens + offer.finish) + ("" if offer.in_time(plan.request.load) else " late")


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"


def _money(paid: Bill | None) -> tuple[str, str, str]:
    if paid is None:
        return ("-", "-", "-")
    return f"{paid.day:8,.2f}", f"{paid.month:9,.2f}", f"{paid.after_free:9,.2f}"


def as_json(plan: Plan, stages: list[Stage], zone: str) -> dict[str, Any]:
    """Give a plan as an object: names stay, additions are free."""
    market = plan.request.market
    return {
        "workload": asdict(plan.request.load) | {"timezone": zone},
        "recommended": {
            "cpu": plan.fleet.shape.size.cpu,
            "memory_mib": plan.fleet.shape.size.memory,
            "processes": plan.fleet.shape.processes,
            "concurrency": plan.fleet.shape.concurrency,
            "containers": plan.fleet.containers,
            "most_containers": plan.fleet.most,
        },
        "advice": advice(plan.request.load, plan.offers),
        "offers": [asdict(one) | {"done_by": _done(plan, one)} for one in plan.offers],
        "bounds": [asdict(one) for one in plan.bounds],
        "growth": [asdict(one) for one in stages],
        "figures": {
            name: {"value": getattr(market.figures, name), "source": market.figures.source(name)} for name in FIGURES
        },
        "prices": {
            item: {"dollars": found.dollars, "date": str(found.date), "source": found.source}
            for item, found in market.prices.table.items()
        },
        "parameters": parameters(plan, zone),
    }
