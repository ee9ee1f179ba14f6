from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from consumer.message.message import Message
from unit.doubles import wire


def test_a_message_is_read_as_receive_message_gives_it() -> None:
    given = wire("m1", "the body", count=4, MessageGroupId="g", MessageDeduplicationId="d", SequenceNumber="7")
    given["MessageAttributes"] = {
        "trace": {"DataType": "String", "StringValue": "abc"},
        "number": {"DataType": "Number", "StringValue": "12"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    message = Message.of(given, 1_700_000_002.5)
    assert (message.id, message.body, message.text) == ("m1", "the body", "the body")
    assert message.receipt_handle == "handle-m1-4"
    assert message.receive_count == 4
    assert (message.sent, message.first_received, message.received) == (1.7e9, 1_700_000_001.5, 1_700_000_002.5)
    assert (message.group_id, message.deduplication_id, message.sequence_number) == ("g", "d", "7")
    assert message.attributes == {"trace": "abc", "number": "12", "blob": b"\x00"}
    assert message.system["SequenceNumber"] == "7"
    assert message.raw_attributes == given["MessageAttributes"]


def test_a_message_with_the_least_that_sqs_sends_is_read() -> None:
    message = Message.of({"MessageId": "m", "ReceiptHandle": "h", "Body": "b"}, 1.0)
    assert (message.receive_count, message.sent, message.group_id) == (1, 0.0, None)
    assert message.attributes == {}


def test_a_message_cannot_be_changed_and_does_not_show_its_handle_or_wire_text() -> None:
    message = Message.of(wire(body="secret-body"), 1.0)
    with pytest.raises(FrozenInstanceError):
        message.id = "other"  # type: ignore[misc]
    assert "handle-" not in repr(message)
    assert repr(message).count("secret-body") == 1  # the decoded body only
