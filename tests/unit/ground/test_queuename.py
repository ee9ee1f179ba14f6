"""Logs, metrics and the ledger know a queue by the same name."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from consumer import logs
from consumer.fleet import metrics
from consumer.message.ledger import Ledger


@pytest.mark.parametrize("given", ["orders.fifo", "https://sqs/1/orders.fifo", "https://sqs/1/orders.fifo/"])
def test_a_queue_has_one_name_however_it_is_given(given: str) -> None:
    assert logs.identity("worker_00", given)["queue"] == "orders.fifo"
    assert metrics.emf(given, 0.0, {metrics.BACKLOG: 1})[metrics.DIMENSION] == "orders.fifo"
    assert Ledger(create_engine("sqlite://"), given, retention=1).queue == "orders.fifo"
