"""What `consumer failed` prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from consumer.desk.letter import age
from consumer.desk.table import table
from consumer.desk.terminal import clean, say, some

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.desk.deadletters import Result

PAST = {"retry": "sent back", "remove": "removed"}
NAMES = {"retry": "retried", "remove": "removed"}
WIDE = 60  # characters of a reason in a table


def listing(found: Sequence[Mapping[str, Any]], now: float, *, as_json: bool, would: str) -> None:
    """Print letters, without their bodies; `would` is what a dry run would do to them."""
    dry = would in PAST
    if as_json:
        print(json.dumps(({"would": would} if dry else {}) | {"messages": found}))
        return
    rows = [
        (one["id"], one["message_id"], age(now - one["sent"]), _known(one["attempt"]), one["error"], one["reason"])
        for one in found
    ]
    head = ("id", "id in the queue", "age", "attempt", "error", "reason")
    if rows:
        print(table(head, [[_cell(value) for value in row] for row in rows]))
    print(f"would be {PAST[would]}: {len(found)}" if dry else f"{len(found)} failed")


def stats(kinds: Sequence[Mapping[str, Any]], now: float, *, as_json: bool) -> None:
    """Print how many letters there are of each reason and error."""
    if as_json:
        print(json.dumps({"stats": kinds}))
        return
    rows = [
        (one["count"], age(now - one["oldest"]), age(now - one["newest"]), _cell(one["error"]), _cell(one["reason"]))
        for one in kinds
    ]
    if rows:
        print(table(("count", "oldest", "newest", "error", "reason"), rows))
    print(f"{sum(one['count'] for one in kinds)} failed")


def show(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print all of the one letter, if it was found."""
    if as_json:
        print(json.dumps(found[0] if found else None))
        return
    for one in found:
        facts = {name: value for name, value in one.items() if name not in ("attributes", "body")}
        facts["sent"] = datetime.fromtimestamp(one["sent"], UTC).isoformat(sep=" ", timespec="seconds")
        for name, value in one["attributes"].items():
            facts[f"attribute {name}"] = f"{value['value']} ({value['type']})"
        rows = [(name, clean(str(value))) for name, value in facts.items() if value not in (None, "")]
        print(table(("field", "value"), rows))
        print(f"\n{_pretty(one['body'])}")


def done(result: Result, action: str, *, as_json: bool) -> None:
    """Print what became of the letters."""
    count = len(result.done) + result.moved
    if not as_json:
        print(f"{PAST[action]} {count}" + (f", of which the server {result.moved}" if result.moved else ""))
        return
    messages = [
        {"id": name, "message_id": result.messages[name]} | ({"new_id": new} if new else {})
        for name, new in result.done.items()
    ]
    failures = [{"id": name, "error": text} for name, text in result.failed.items()]
    both = [{"id": name, "error": text} for name, text in result.twice.items()]
    print(
        json.dumps(
            {
                NAMES[action]: count,
                "by_server": result.moved,
                "messages": messages,
                "failures": failures,
                "in_both": both,
                "missing": sorted(result.missing),
                "left": {"of_other_queues": result.of_others, "arrived_since": result.arrived, "behind": result.behind},
                "stopped": result.stopped,
            }
        )
    )


def remarks(result: Result) -> None:
    """Tell on stderr what else there is to know."""
    some(f"{name}: {text}" for name, text in (result.failed | result.twice).items())
    for name in sorted(result.missing):
        say(f"{name}: no such message of this queue is there; somebody else may be looking at it")
    if result.of_others:
        say(f"left: {result.of_others} that came from another queue")
    if result.arrived:
        say(f"left: {result.arrived} that came in since the start")
    if result.behind:
        say(f"not seen: about {result.behind} behind others of their groups, as SQS hands out a FIFO queue")
    for note in result.notes:
        say(note)
    if result.stopped:
        say(f"stopped: {result.stopped}")


def _known(value: object) -> object:
    return "" if value is None else value


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    return clean(value if len(value) <= WIDE else value[: WIDE - 3] + "...")


def _pretty(body: str) -> str:
    try:
        return clean(json.dumps(json.loads(body), indent=2, ensure_ascii=False), keep="\n")
    except (ValueError, RecursionError):
        return clean(body, keep="\n\t")
