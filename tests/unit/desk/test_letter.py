from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.desk.letter import MOVED_BY_SQS, UNKNOWN, Filter, Letter, age, request, statistics
from consumer.message.deadletter import entry
from consumer.message.outcome import Reject
from unit.doubles import message
from unit.texts import any_text

if TYPE_CHECKING:
    from consumer.message.message import Message

NOW = 1_700_000_100.0  # 100 s after the doubles' messages were sent
SOURCE = "arn:aws:sqs:eu-west-1:1:orders"


def text_attribute(value: str = "v") -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def dead(original: Message[str], reject: Reject, name: str = "d1", *, queue: str = "", **system: Any) -> Message[str]:
    """Give a message as it is received from the dead-letter queue, after `entry` has sent it there."""
    sent = entry(original, reject, original.receive_count, fifo=False, queue=queue).request
    received = message(name, sent["MessageBody"], **system)
    raw = sent["MessageAttributes"]
    return replace(received, raw_attributes=raw, attributes={name: one["StringValue"] for name, one in raw.items()})


def letter(name: str = "d1", reason: str = "no such order", error: Exception | None = None) -> Letter:
    return Letter.of(dead(message(f"of-{name}", count=3), Reject(reason, error), name))


def test_a_letter_says_what_its_consumer_said() -> None:
    found = letter(error=KeyError("id"))
    assert (found.message.id, found.message_id, found.attempt, found.receive_count) == ("d1", "of-d1", 3, 3)
    assert (found.reason, found.error, found.text) == ("no such order", "KeyError", "'id'")


def test_a_dead_letter_of_sqs_s_own_making_is_read_too() -> None:
    found = Letter.of(message("m1", DeadLetterQueueSourceArn=SOURCE))
    assert (found.message_id, found.reason, found.error, found.attempt) == ("m1", MOVED_BY_SQS, "", None)
    assert not found.is_from_another_queue(SOURCE)
    assert found.is_from_another_queue(SOURCE + "-2")
    assert not letter().is_from_another_queue(SOURCE)


@pytest.mark.parametrize(("queue", "of_another"), [("orders", False), ("mails", True), ("", False)])
def test_what_another_queue_s_consumer_has_rejected_is_told_by_the_name(queue: str, *, of_another: bool) -> None:
    found = Letter.of(dead(message(), Reject("no"), queue=queue))
    assert found.is_from_another_queue(SOURCE) is of_another


def test_the_queue_of_an_earlier_death_is_not_taken_for_this_one_s() -> None:
    moved = dead(message(), Reject("old"), queue="mails", DeadLetterQueueSourceArn=SOURCE)
    assert not Letter.of(moved).is_from_another_queue(SOURCE)


def test_the_reason_of_an_earlier_death_is_not_taken_for_this_one_s() -> None:
    moved = dead(message(), Reject("old"), DeadLetterQueueSourceArn=SOURCE)
    assert Letter.of(moved).reason == MOVED_BY_SQS


@pytest.mark.parametrize("said", ["", "{oops", "[1]", "null", '{"reason": 5, "attempt": "x"}', "[" * 100_000])
def test_a_reason_that_is_not_ours_is_no_error(said: str) -> None:
    found = Letter.of(replace(message(), attributes={"ConsumerReject": said}))
    assert (found.reason, found.message_id, found.attempt) == (UNKNOWN, "m1", None)


def test_a_list_s_row_holds_neither_body_nor_error_text_and_a_whole_letter_both() -> None:
    found = Letter.of(dead(message(body="secret body"), Reject("x", ValueError("secret text"))))
    assert "secret" not in json.dumps(found.public())
    assert "secret body" in json.dumps(found.whole())
    assert "secret text" in json.dumps(found.whole())


def test_a_binary_attribute_can_be_shown() -> None:
    raw = {"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    binary = replace(message(), raw_attributes=raw, attributes={"b": b"\x00\xff"})
    assert Letter.of(binary).whole()["attributes"] == {"b": {"type": "Binary", "value": "00ff"}}


@given(any_text(min_size=1), st.dictionaries(any_text(min_size=1, max_size=8), any_text(min_size=1), max_size=8))
def test_what_goes_back_is_what_came(body: str, attributes: dict[str, str]) -> None:
    raw = {name: text_attribute(value) for name, value in attributes.items() if name != "ConsumerReject"}
    original = replace(message(body=body), raw_attributes=raw)
    back = request(Letter.of(dead(original, Reject("x"))), fifo=False, from_fifo=False)
    assert back == {"MessageBody": body, "MessageAttributes": raw}


def test_a_trace_and_a_fair_queue_s_group_survive_a_death_and_a_retry() -> None:
    there = entry(message(MessageGroupId="g", AWSTraceHeader="Root=1"), Reject("x"), 1, fifo=False).request
    assert there["MessageSystemAttributes"] == {"AWSTraceHeader": text_attribute("Root=1")}
    assert there["MessageGroupId"] == "g"


def test_a_trace_goes_back_with_its_message() -> None:
    back = request(Letter.of(message("m1", AWSTraceHeader="Root=1")), fifo=False, from_fifo=False)
    assert back["MessageSystemAttributes"] == {"AWSTraceHeader": text_attribute("Root=1")}


def test_a_group_goes_back_where_the_queue_knows_it() -> None:
    grouped = Letter.of(message("m1", MessageGroupId="g", MessageDeduplicationId="first"))
    assert request(grouped, fifo=True, from_fifo=True)["MessageGroupId"] == "g"
    assert request(grouped, fifo=False, from_fifo=False)["MessageGroupId"] == "g"
    assert "MessageGroupId" not in request(grouped, fifo=False, from_fifo=True)
    assert request(letter(), fifo=True, from_fifo=False)["MessageGroupId"] == "of-d1"


def test_a_deduplication_id_swallows_no_first_retry_and_every_repeated_one() -> None:
    first = Letter.of(message("m1", MessageGroupId="g", MessageDeduplicationId="first"))
    used = [request(one, fifo=True, from_fifo=True)["MessageDeduplicationId"] for one in (first, first)]
    later = request(letter("another death"), fifo=True, from_fifo=True)["MessageDeduplicationId"]
    assert used[0] == used[1]
    assert len({"first", "m1", used[0], later}) == 4


@pytest.mark.parametrize(
    ("chosen", "through"),
    [
        (Filter(), True),
        (Filter(ids=frozenset(["d1"])), True),
        (Filter(ids=frozenset(["of-d1"])), True),
        (Filter(ids=frozenset(["d2"])), False),
        (Filter(reason="NO SUCH"), True),
        (Filter(reason="other"), False),
        (Filter(error="KeyError"), True),
        (Filter(error="Key"), False),
        (Filter(older=99), True),
        (Filter(older=101), False),
        (Filter(newer=101), True),
        (Filter(newer=99), False),
        (Filter(reason="no such", error="ValueError"), False),
    ],
)
def test_a_filter_lets_through_what_is_asked_for(chosen: Filter, *, through: bool) -> None:
    assert chosen.lets_through(letter(error=KeyError("id")), NOW) is through
    assert chosen.lets_all_through == (chosen == Filter())


def test_statistics_count_by_reason_and_error() -> None:
    letters = [letter(error=KeyError()), letter(error=KeyError()), letter(error=OSError()), letter(reason="a")]
    found = [(one["reason"], one["error"], one["count"]) for one in statistics(one.public() for one in letters)]
    assert found == [("no such order", "KeyError", 2), ("a", "", 1), ("no such order", "OSError", 1)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (180_000, "2 d 2 h")],
)
def test_an_age_is_told_in_two_units(seconds: float, said: str) -> None:
    assert age(seconds) == said
