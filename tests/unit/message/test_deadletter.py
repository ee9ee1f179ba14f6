from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.message.deadletter import KEY_MAX, entry, explain, size
from consumer.message.outcome import Reject
from unit.doubles import message

ANY_TEXT = st.text(st.characters(), max_size=3000)


def text_attribute(value: str = "v") -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def test_the_reason_travels_as_one_attribute_beside_the_message_s_own() -> None:
    given_message = replace(message(body="the body", count=3), raw_attributes={"trace": text_attribute()})
    sent = entry(given_message, Reject("no such order", KeyError("id")), 3, fifo=False)
    assert sent.with_reason
    assert set(sent.request) == {"MessageBody", "MessageAttributes"}
    assert sent.request["MessageBody"] == "the body"
    assert sent.request["MessageAttributes"]["trace"] == text_attribute()
    facts = json.loads(sent.request["MessageAttributes"]["ConsumerReject"]["StringValue"])
    assert facts | {"digest": ""} == {
        "reason": "no such order", "error": "KeyError", "text": "'id'", "digest": "", "message_id": "m1",
        "attempt": 3, "receive_count": 3, "sent": 1_700_000_000.0,
    }  # fmt: skip
    assert len(facts["digest"]) == 16


def test_ten_attributes_leave_no_room_for_the_reason_but_the_message_travels() -> None:
    ten = {f"a{number}": text_attribute() for number in range(10)}
    nine = dict(list(ten.items())[:9])
    assert entry(replace(message(), raw_attributes=nine), Reject("x"), 1, fifo=False).with_reason
    sent = entry(replace(message(), raw_attributes=ten), Reject("x"), 1, fifo=False)
    assert not sent.with_reason
    assert sent.request["MessageAttributes"] == ten


def test_a_reason_that_is_already_there_is_replaced() -> None:
    ten = {f"a{number}": text_attribute() for number in range(9)} | {"ConsumerReject": text_attribute("old")}
    sent = entry(replace(message(), raw_attributes=ten), Reject("new"), 1, fifo=False)
    assert sent.with_reason
    assert "new" in sent.request["MessageAttributes"]["ConsumerReject"]["StringValue"]


def test_a_full_message_travels_without_the_reason() -> None:
    room = 1024 * 1024 - size("", {"ConsumerReject": text_attribute(explain(message(), Reject("x"), 1))})
    assert entry(message(body="b" * room), Reject("x"), 1, fifo=False).with_reason
    sent = entry(message(body="b" * (room + 1)), Reject("x"), 1, fifo=False)
    assert not sent.with_reason
    assert sent.request["MessageAttributes"] == {}


def test_binary_attributes_travel_and_their_size_counts() -> None:
    binary = {"blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff", "StringListValues": []}}
    sent = entry(replace(message(), raw_attributes=binary), Reject("x"), 1, fifo=False)
    assert sent.request["MessageAttributes"]["blob"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert size("\u00e9", binary) == 2 + len("blob") + len("Binary") + 2


def test_a_fifo_queue_keeps_the_group_and_is_given_the_message_s_id() -> None:
    sent = entry(message(MessageGroupId="g"), Reject("x"), 1, fifo=True)
    assert sent.request["MessageGroupId"] == "g"
    assert sent.request["MessageDeduplicationId"] == "m1"
    assert entry(message(), Reject("x"), 1, fifo=True).request["MessageGroupId"] == "m1"


@example(reason="\x00" * 3000, text="\x00" * 3000)
@example(reason="\U0001d11e" * 3000, text="\ud800" * 3000)
@example(reason="x" * 3000, text='"' * 3000)
@given(reason=ANY_TEXT, text=ANY_TEXT)
def test_the_reason_is_ascii_json_of_at_most_two_kib_with_any_text(reason: str, text: str) -> None:
    written = explain(message(), Reject(reason, ValueError(text), key="k" * (KEY_MAX - 2)), 7, "q" * 80)
    facts = json.loads(written)
    assert len(written.encode("ascii")) <= 2048
    assert facts["attempt"] == 7
    assert reason.startswith(facts["reason"])
    assert text.startswith(facts["text"])


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def test_an_exception_that_cannot_be_put_into_words_is_dead_lettered_all_the_same() -> None:
    assert json.loads(explain(message(), Reject("failed 5 times", Mute()), 5))["error"] == "Mute"


@pytest.mark.parametrize("length", [10, 5000])
def test_the_digest_tells_errors_apart_whose_texts_are_cut(length: int) -> None:
    one, other = (
        json.loads(explain(message(), Reject("x", ValueError("a" * length + end)), 1))["digest"] for end in "xy"
    )
    assert one != other
