"""Any bytes as a body, an envelope or an attribute: a clear outcome, and never another error."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from consumer.desk.letter import Letter, request
from consumer.errors import Reject as Refusal
from consumer.message.body import Decoder
from consumer.message.deadletter import ATTRIBUTE, entry, size
from consumer.message.message import Message
from consumer.message.outcome import Reject
from support.nasty import MIB, NASTY
from unit.doubles import message, wire

SURROGATES = st.text(st.characters(exclude_categories=()), max_size=30)  # lone ones, too, as JSON may hold them
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | SURROGATES
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SURROGATES | st.sampled_from(["Message", "detail", "Records", "Event"]), inner, max_size=4)
    ),
    max_leaves=12,
)
WRAPPED = st.recursive(
    JSON.map(json.dumps),
    lambda inner: st.builds(
        lambda name, body, as_text: json.dumps({name: body if as_text else [body]}),
        st.sampled_from(["Message", "detail", "Records", "Event", "Type"]),
        inner,
        st.booleans(),
    ),
    max_leaves=4,
)
TEXTS = WRAPPED | SURROGATES | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
ENVELOPES = st.lists(st.sampled_from(["sns", "eventbridge", "s3"]), max_size=3)


class Order(BaseModel):
    id: int
    note: str = ""


@dataclass
class Plain:
    id: float


HUGE = ['{"' + "k" * MIB + '": 1}', json.dumps("x" * MIB), "[" * MIB, "9" * MIB, "\ud800"]


def refused(text: str, body: str, envelopes: list[str], expected: Any) -> str:
    """Decode; give the reason where it is rejected, else a word in its place. Any other error comes through."""
    try:
        Decoder(body, envelopes, expected).decode(message(body=text))
    except Refusal as refusal:
        return refusal.reason
    return "body: decoded"


@settings(max_examples=500)
@given(
    text=TEXTS,
    body=st.sampled_from(["json", "text"]),
    envelopes=ENVELOPES,
    expected=st.sampled_from([Any, Order, Plain, str, int, bytes, dict[str, Any], list[Order]]),
)
def test_any_body_is_decoded_or_rejected(text: str, body: str, envelopes: list[str], expected: Any) -> None:
    assert refused(text, body, envelopes, expected).startswith("body: ")


@pytest.mark.parametrize("expected", [Any, Order, Plain, str, int, bytes, dict[str, Any]])
@pytest.mark.parametrize("body", ["json", "text"])
@pytest.mark.parametrize("envelopes", [[], ["sns"], ["eventbridge"], ["s3"], ["eventbridge"] * 3, ["sns", "s3"]])
def test_a_nasty_body_is_decoded_or_rejected(body: str, envelopes: list[str], expected: Any) -> None:
    for text in NASTY + HUGE:
        assert refused(text, body, envelopes, expected).startswith("body: ")


ATTRIBUTES = st.dictionaries(
    SURROGATES,
    st.one_of(
        st.fixed_dictionaries({"DataType": SURROGATES, "StringValue": SURROGATES}),
        st.fixed_dictionaries({"DataType": st.just("Binary"), "BinaryValue": st.binary(max_size=40)}),
        st.fixed_dictionaries({"DataType": SURROGATES, "StringListValues": st.lists(SURROGATES, max_size=2)}),
    ),
    max_size=12,
)
SAID = st.none() | JSON.map(json.dumps) | SURROGATES | st.binary(max_size=40)


@example(
    text="\ud800",
    attributes={"\ud800": {"DataType": "\ud800", "StringValue": "\ud800"}},
    reason="\ud800",
    error="\ud800",
)
@given(text=TEXTS, attributes=ATTRIBUTES, reason=SURROGATES, error=SURROGATES)
def test_any_message_can_be_dead_lettered_with_its_reason(
    text: str, attributes: dict[str, Any], reason: str, error: str
) -> None:
    received = Message.of(wire(body=text) | {"MessageAttributes": attributes}, 0)
    sent = entry(received, Reject(reason, ValueError(error)), 1, fifo=False)
    assert sent.request["MessageBody"] == text
    assert sent.with_reason == (len({*attributes, ATTRIBUTE}) <= 10)
    assert size(text, attributes) >= len(text)
    json.dumps(sent.request, default=repr).encode()


@given(text=TEXTS, attributes=ATTRIBUTES, said=SAID)
def test_any_dead_letter_can_be_read_shown_and_sent_back(text: str, attributes: dict[str, Any], said: Any) -> None:
    raw = dict(attributes)
    if said is not None:
        raw[ATTRIBUTE] = {"DataType": "x", ("BinaryValue" if isinstance(said, bytes) else "StringValue"): said}
    letter = Letter.of(Message.of(wire(body=text) | {"MessageAttributes": raw}, 0))
    assert letter.reason
    json.dumps(letter.whole())
    back = request(letter, fifo=False, from_fifo=False)
    assert back["MessageBody"] == text
    assert back["MessageAttributes"].keys() == attributes.keys() - {ATTRIBUTE}
    assert replace(letter.message).text == text
