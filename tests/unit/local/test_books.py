from __future__ import annotations

from consumer.local.books import Books


def test_an_order_completed_twice_is_one_completed_order_and_one_duplicate() -> None:
    books = Books()
    books.account("a").completed = 2
    books.account("b").completed = 1
    books.account("c").calls = 3
    assert books.completed() == {"a", "b"}
    assert books.duplicates() == 1


def test_seconds_of_all_orders_are_summed() -> None:
    books = Books()
    books.account("a").seconds += 1.5
    books.account("b").seconds += 0.5
    assert books.seconds() == 2.0
