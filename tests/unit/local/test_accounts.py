from __future__ import annotations

from consumer.local.accounts import Accounts


def test_an_order_completed_twice_is_one_completed_order_and_one_duplicate() -> None:
    accounts = Accounts()
    accounts.of("a").completed = 2
    accounts.of("b").completed = 1
    accounts.of("c").calls = 3
    assert accounts.completed() == {"a", "b"}
    assert accounts.duplicates() == 1


def test_seconds_of_all_orders_are_summed() -> None:
    accounts = Accounts()
    accounts.of("a").seconds += 1.5
    accounts.of("b").seconds += 0.5
    assert accounts.seconds() == 2.0
