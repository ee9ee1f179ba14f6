"""The demo's orders: read from a file and checked, so that each can be followed by its name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.desk.lines import Line, read
from consumer.errors import ConsumerError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"  # at the root of the repository; not part of the wheel
HANDLER = "orders:fetch_report"


@dataclass(frozen=True, slots=True)
class Orders:
    """The lines to send, the order named by each, and the seconds of work that they ask for."""

    lines: list[Line]
    ids: dict[int, str]
    seconds: list[float]


def examples() -> Path:
    """Find the folder of examples. Raises ConsumerError where there is none."""
    if not (EXAMPLES / "orders.py").is_file():
        raise ConsumerError(
            f"expected the demo's handler at {EXAMPLES / 'orders.py'}, got no such file: the examples come with the "
            "repository, not with the installed package. To do: clone the repository and say `make demo` there."
        )
    return EXAMPLES


def load(path: Path) -> Orders:
    """Read a file of orders. Raises ConsumerError when it is none, naming the line."""
    try:
        with path.open("rb") as stream:
            lines = list(read(stream))
    except OSError as error:
        raise ConsumerError(
            f"expected a file of orders at {path}, got: {error.strerror}. To do: check --orders."
        ) from None
    orders = Orders(lines, {}, [])
    seen: set[str] = set()
    for line in lines:
        order: Any = None if line.problem else json.loads(line.body)
        problem = line.problem or _problem(order, seen)
        if problem:
            raise ConsumerError(
                f"{path}, line {line.number}: {problem}. To do: correct the line, or leave --orders out."
            )
        orders.ids[line.number] = order["order_id"]
        orders.seconds.append(float(order.get("seconds", 30)))
        seen.add(order["order_id"])
    if not lines:
        raise ConsumerError(f"{path}: expected orders, one a line; got none. To do: leave --orders out.")
    return orders


def _problem(order: object, seen: set[str]) -> str:
    if not isinstance(order, dict) or not isinstance(order.get("order_id"), str):
        return "expected a JSON object with an order_id (text)"
    if order["order_id"] in seen:
        return f"expected each order once; got {order['order_id']} a second time"
    seconds = order.get("seconds", 30)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 600:  # noqa: PLR2004
        return f"expected seconds of 0 to 600; got {seconds!r}"
    return ""
