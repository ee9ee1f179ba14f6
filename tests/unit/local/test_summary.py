from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from consumer.local.accounts import Accounts
from consumer.local.deliveries import Deliveries
from consumer.local.summary import Ending, Summary, pointers, summarize, table, verdict, went_wrong

SENT = frozenset("abcdef")


def a_summary(ending: Ending, *, interrupted: bool = False, exit_code: int = 0) -> Summary:
    accounts = Accounts()
    for order_id in ending.completed:
        accounts.of(order_id).completed = 1
        accounts.of(order_id).seconds = 2.0
    deliveries = Deliveries(first_receive=100.0, last_delete=103.0)
    return summarize(
        ending,
        accounts,
        deliveries,
        memory=(100.04, 10.06),
        processes=4,
        interrupted=interrupted,
        exit_code=exit_code,
        log="container.log",
    )


def test_an_order_is_lost_when_it_is_in_no_place() -> None:
    ending = Ending(SENT, frozenset("ab"), {"c": "no"}, frozenset("d"))
    assert ending.lost == 2
    assert replace(ending, hidden=1).lost == 1
    assert replace(ending, hidden=3).lost == 0


def test_an_order_in_two_places_hides_no_lost_one() -> None:
    ending = Ending(SENT, frozenset("abcde"), {"a": "dead after all"}, frozenset("b"))
    assert ending.lost == 1


def test_efficiency_is_the_services_work_in_the_processes_time() -> None:
    summary = a_summary(Ending(SENT, frozenset("abcde"), {"f": "no"}))
    assert summary.seconds == 3.0
    assert summary.efficiency == round(5 * 2.0 / (4 * 3.0), 3)


def test_the_summary_has_every_name_that_was_promised() -> None:
    summary = a_summary(Ending(SENT, SENT, {}))
    promised = {
        "sent", "handled", "lost", "duplicates", "retried", "dead", "given_back", "processes", "efficiency", "seconds",
        "pss_total_mb", "pss_per_process_mb",
    }  # fmt: skip
    assert promised <= json.loads(json.dumps(summary.as_json())).keys()
    assert (summary.pss_total_mb, summary.pss_per_process_mb) == (100.0, 10.1)


def test_a_loss_is_a_failure_and_is_said_first() -> None:
    summary = a_summary(Ending(SENT, frozenset("ab"), {}), interrupted=True)
    assert went_wrong(summary)
    assert verdict(summary) == "4 of 6 orders are LOST."


def test_an_exit_code_is_a_failure_unless_the_user_ended_the_container() -> None:
    whole = Ending(SENT, SENT, {})
    assert not went_wrong(a_summary(whole))
    assert went_wrong(a_summary(whole, exit_code=137))
    assert not went_wrong(a_summary(whole, exit_code=137, interrupted=True))
    assert went_wrong(a_summary(whole, exit_code=70, interrupted=True))


def test_what_remains_is_said_when_the_user_stopped_it() -> None:
    summary = a_summary(Ending(SENT, frozenset("ab"), {}, frozenset("cd"), hidden=2), interrupted=True)
    assert "4 of 6 orders remained in the queue" in verdict(summary)
    assert "efficiency" not in table(summary, {})


def test_the_table_names_the_dead_order_and_its_reason() -> None:
    ending = Ending(SENT, frozenset("abcde"), {"f": "no such report"})
    assert "f, no such report" in table(a_summary(ending), ending.dead)


def test_every_line_fits_on_a_terminal() -> None:
    ending = Ending(SENT, frozenset("abcde"), {"R-0150": "the service refuses this order"})
    assert max(map(len, table(a_summary(ending), ending.dead).splitlines())) <= 100


def test_kills_and_what_was_written_twice_are_told_where_there_were_any() -> None:
    whole = Ending(SENT, SENT, {})
    killed = replace(a_summary(whole), killed=7)
    assert "killed" not in table(a_summary(whole), {})
    assert "7 processes were killed meanwhile: nothing was lost, nothing was written twice." in verdict(killed)
    assert not went_wrong(killed)
    assert max(map(len, table(killed, {}).splitlines())) <= 100
    twice = replace(killed, written_twice=1)
    assert went_wrong(twice)
    assert verdict(twice) == "1 reports were written TWICE."


def test_the_pointers_name_the_handler_and_the_log() -> None:
    text = pointers(Path("/clone/examples"), Path("/tmp/container.log"))
    assert "/clone/examples/orders.py" in text
    assert "/tmp/container.log" in text
