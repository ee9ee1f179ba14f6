from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.local.deliveries import Deliveries, Follower

if TYPE_CHECKING:
    from pathlib import Path

MIDNIGHT = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def line(message_id: str, outcome: str, at: float, seconds: float) -> bytes:
    stamp = f"2026-01-01T00:00:{at:09.6f}Z"
    event = {"event": "delivered", "message_id": message_id, "outcome": outcome, "timestamp": stamp, "seconds": seconds}
    return json.dumps(event).encode() + b"\n"


def test_outcomes_are_counted_and_a_retried_message_is_not_settled() -> None:
    deliveries = Deliveries()
    deliveries.feed(
        line("a", "done", 3, 1) + line("b", "retry", 4, 1) + line("c", "reject", 5, 1) + line("d", "release", 6, 1)
    )
    assert deliveries.settled == {"a", "c"}
    assert deliveries.outcomes == {"done": 1, "retry": 1, "reject": 1, "release": 1}


def test_the_drain_lasts_from_the_first_receive_to_the_last_delete() -> None:
    deliveries = Deliveries()
    deliveries.feed(line("b", "done", 4, 0.5) + line("a", "done", 5, 3) + line("c", "retry", 9, 1))
    assert deliveries.first_receive == pytest.approx(MIDNIGHT + 2)
    assert deliveries.drain_seconds == pytest.approx(3)


def test_lines_may_come_in_pieces_and_between_others() -> None:
    deliveries = Deliveries()
    data = b"supervisord started\n" + line("a", "done", 3, 1) + b'[1]\n{"event": "other"}\n' + line("b", "done", 4, 1)
    for start in range(0, len(data), 7):
        deliveries.feed(data[start : start + 7])
    assert deliveries.done == {"a", "b"}


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    deliveries = Deliveries()
    assert deliveries.rate(MIDNIGHT) == 0
    deliveries.feed(line("a", "done", 1, 1) + line("b", "done", 25, 1) + line("c", "done", 30, 1))
    assert deliveries.rate(MIDNIGHT + 30) == pytest.approx(0.2)


def test_nothing_delivered_is_no_time_at_all() -> None:
    assert Deliveries().drain_seconds == 0


def test_a_follower_gives_each_byte_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")
    follower = Follower(path)
    assert follower.more() == b"one"
    with path.open("ab") as log:
        log.write(b"two")
    assert follower.more() == b"two"
    assert follower.more() == b""
