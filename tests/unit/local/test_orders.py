from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.errors import ConsumerError
from consumer.local import orders as order_file

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_orders_are_what_the_demo_promises() -> None:
    orders = order_file.load(order_file.examples() / "orders.jsonl")
    parsed = [json.loads(line.body) for line in orders.lines]
    assert len(parsed) == 240
    assert min(orders.seconds) >= 30
    assert max(orders.seconds) <= 300
    assert sum("unavailable" in order for order in parsed) == 18
    assert sum(order.get("unknown", False) for order in parsed) == 1
    assert 35 < sum(orders.seconds) / 100 / 8 < 42  # seconds of the demo with 8 processes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected orders, one a line; got none"),
        ("[]", "line 1: expected a JSON object with an order_id"),
        ('{"order_id": 1}', "line 1: expected a JSON object with an order_id"),
        ('{"order_id": "a"}\n{"order_id": "a"}', "line 2: expected each order once; got a"),
        ('{"order_id": "a", "seconds": "9"}', "line 1: expected seconds"),
        ('\n{"order_id": ', "line 2: not JSON"),
    ],
)
def test_what_is_no_order_is_named_by_its_line(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text(text)
    with pytest.raises(ConsumerError, match=problem):
        order_file.load(path)


def test_a_missing_file_of_orders_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(ConsumerError, match=r"expected a file of orders at .*To do"):
        order_file.load(tmp_path / "none.jsonl")


def test_missing_examples_say_where_they_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(order_file, "EXAMPLES", tmp_path)
    with pytest.raises(ConsumerError, match="clone the repository"):
        order_file.examples()
