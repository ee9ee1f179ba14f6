"""The demo's results: the sums, pure, and how they are told."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consumer.local.accounts import Accounts
    from consumer.local.deliveries import Deliveries


KILLED = 128 + signal.SIGKILL
TERMINATED = 128 + signal.SIGTERM
INTERRUPTED = 128 + signal.SIGINT  # Ctrl-C in the moment between its fork and its having a session of its own


@dataclass(frozen=True, slots=True)
class Ending:
    """Where the orders are once the container has left, by their names; `hidden` ones in the queue have none to see."""

    sent: frozenset[str]
    completed: frozenset[str]
    dead: Mapping[str, str]
    remaining: frozenset[str] = frozenset()
    hidden: int = 0

    @property
    def lost(self) -> int:
        """Count the orders sent that are neither done, nor in the dead-letter queue, nor still in the queue."""
        return max(0, len(self.sent - self.completed - self.dead.keys() - self.remaining) - self.hidden)


@dataclass(frozen=True, slots=True)
class Summary:
    """What `--json` prints. Names once published stay.

    killed: processes, with --chaos; None without. written_twice: reports beyond the one of each order.
    """

    sent: int
    handled: int
    lost: int
    duplicates: int
    retried: int
    dead: int
    given_back: int
    remaining: int
    processes: int
    efficiency: float
    seconds: float
    pss_total_mb: float | None
    pss_per_process_mb: float | None
    interrupted: bool
    exit_code: int
    log: str
    killed: int | None = None
    written_twice: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give the object to print."""
        return asdict(self)


def summarize(
    ending: Ending,
    accounts: Accounts,
    deliveries: Deliveries,
    *,
    memory: tuple[float | None, float | None],
    **others: Any,  # noqa: ANN401 - the summary's own fields
) -> Summary:
    """Draw up the results. Efficiency: seconds of the service's work per second of the processes' time. Pure."""
    capacity = others["processes"] * deliveries.drain_seconds
    total, each = (round(mb, 1) if mb is not None else None for mb in memory)
    return Summary(
        sent=len(ending.sent),
        handled=len(ending.completed & ending.sent),
        lost=ending.lost,
        duplicates=accounts.duplicates(),
        retried=deliveries.outcomes["retry"],
        dead=len(ending.dead),
        given_back=deliveries.outcomes["release"],
        remaining=len(ending.remaining) + ending.hidden,
        efficiency=round(accounts.seconds() / capacity, 3) if capacity else 0.0,
        seconds=round(deliveries.drain_seconds, 1),
        pss_total_mb=total,
        pss_per_process_mb=each,
        **others,
    )


def went_wrong(summary: Summary) -> bool:
    """Say whether to leave with a failure. A container stopped by the user may be killed, or end before it is up."""
    accepted = {0, KILLED, TERMINATED, INTERRUPTED} if summary.interrupted else {0}
    return summary.lost > 0 or summary.written_twice > 0 or summary.exit_code not in accepted


def table(summary: Summary, dead: Mapping[str, str]) -> str:
    """Tell the results to people. Pure."""
    one = next((f": {order_id}, {reason or 'see the log'}" for order_id, reason in dead.items()), "")
    each = _mb(summary.pss_per_process_mb)
    calls = "calls to the service" if summary.killed is not None else "reports"
    rows = [
        ("sent", summary.sent, "orders put on the queue"),
        ("handled", summary.handled, "orders whose report was made"),
        ("dead", summary.dead, f"in the dead-letter queue{one}"),
        ("remaining", summary.remaining, "still in the queue"),
        ("lost", summary.lost, "in none of these places"),
        ("", "", ""),
        *_kills(summary),
        ("duplicates", summary.duplicates, f"{calls} made once more than needed"),
        ("retried", summary.retried, "runs that failed, the service being too busy; tried again after a pause"),
        ("given back", summary.given_back, "runs broken off because their process had to stop"),
    ]
    if summary.seconds:
        share = f"of the {summary.processes} processes' time went into the service's work, the rest is overhead"
        rows += [
            ("", "", ""),
            ("time", f"{summary.seconds:.1f} s", "from the first receive to the last delete"),
            *([] if summary.interrupted else [("efficiency", f"{summary.efficiency:.1%}", share)]),  # of a whole drain
            ("memory", _mb(summary.pss_total_mb), f"the whole container; {each} for each process"),
        ]
    return "\n".join(f"  {name:<11}{figure!s:>8}   {text}".rstrip() for name, figure, text in rows)


def _kills(summary: Summary) -> list[tuple[str, int | str, str]]:
    if summary.killed is None:
        return []
    return [
        ("killed", summary.killed, "processes, each with an order in hand, which then another one had"),
        ("twice", summary.written_twice, "reports written once more than needed: calls may be repeated, these not"),
        ("", "", ""),
    ]


def _mb(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} MB"


def verdict(summary: Summary) -> str:
    """Say in a sentence or two how it went. Pure."""
    if summary.lost:
        return f"{summary.lost} of {summary.sent} orders are LOST."
    if summary.written_twice:
        return f"{summary.written_twice} reports were written TWICE."
    if went_wrong(summary):
        return f"The container left with exit code {summary.exit_code} instead of 0; its log says why."
    if summary.interrupted:
        left = f"{summary.remaining} of {summary.sent} orders remained in the queue, which ended with this demo"
        return f"Stopped by you: {left}. None is lost."
    empty = f"The queue is empty: all {summary.sent} orders are accounted for."
    if summary.killed is None:
        return empty
    return f"{empty}\n{summary.killed} processes were killed meanwhile: nothing was lost, nothing was written twice."


def pointers(examples: Path, log: Path) -> str:
    """Say where to look next. Pure."""
    root = examples.parent
    rows = [
        (examples / "orders.py", "the handler, to be copied"),
        (log, "the container's log: a JSON line for each delivery"),
        (root / "docs" / "settings.md", "every setting; `consumer settings` shows their values"),
        (root / "README.md", "when a message is deleted, and how to run your own"),
    ]
    width = max(len(str(path)) for path, _ in rows)
    return "\n".join(["Where to look next", *(f"  {path!s:<{width}}  {text}" for path, text in rows)])
