from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from consumer.errors import HandlerError, Reject
from consumer.message.body import Decoder, adapter, inside
from unit.doubles import message
from unit.texts import any_text


class Order(BaseModel):
    id: int
    kind: Literal["new", "old"] = "new"


@dataclass
class Plain:
    id: int


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | any_text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text(), inner, max_size=3),
    max_leaves=10,
)


def decoded(text: str, *envelopes: str, body: str = "json", expected: Any = Any) -> Any:
    found = Decoder(body, envelopes, expected).decode(message(body=text))
    assert found is not None
    return found.body


def rejected(text: str, *envelopes: str, body: str = "json", expected: Any = Any) -> str:
    with pytest.raises(Reject) as caught:
        Decoder(body, envelopes, expected).decode(message(body=text))
    return caught.value.reason


def runs(text: str, *envelopes: str) -> bool:
    return Decoder("json", envelopes).decode(message(body=text)) is not None


@given(value=JSON)
def test_a_json_body_is_its_value(value: Any) -> None:
    assert decoded(json.dumps(value)) == value
    assert decoded(json.dumps(value, ensure_ascii=False)) == value


def test_only_the_body_of_a_decoded_message_differs() -> None:
    raw = message(body="[1]")
    found = Decoder("json", ()).decode(raw)
    assert found is not None
    assert (found.id, found.text, found.receipt_handle) == (raw.id, "[1]", raw.receipt_handle)


@given(text=any_text())
def test_a_text_body_is_what_it_is(text: str) -> None:
    assert decoded(text, body="text") == text


def test_a_body_is_the_type_that_the_handler_asks_for() -> None:
    assert decoded('{"id": "7"}', expected=Order) == Order(id=7)
    assert decoded('{"id": 7}', expected=Plain) == Plain(7)
    assert decoded("[1, 2]", expected=tuple[int, int]) == (1, 2)
    assert decoded("12", body="text", expected=int) == 12


def test_a_body_that_fails_validation_says_where_and_what_but_never_its_values() -> None:
    reason = rejected('{"id": "customer-4711", "kind": "stolen-secret"}', expected=Order)
    assert reason.startswith("body: id: Input should be a valid integer")
    assert reason.endswith(", and 1 more")
    assert "4711" not in reason
    assert "stolen" not in reason


@pytest.mark.parametrize("text", ["", "{", "not json 4711", "{'id': 4711}", "\ufeff{}"])
@pytest.mark.parametrize("expected", [Any, Order])
def test_a_body_that_is_no_json_is_a_reject_without_its_text(text: str, expected: Any) -> None:
    reason = rejected(text, expected=expected)
    assert reason.startswith("body: ")
    assert "4711" not in reason


@pytest.mark.parametrize("expected", [Any, list[Any], Order])
def test_json_that_is_nested_too_deeply_is_a_reject(expected: Any) -> None:
    assert rejected("[" * 100_000 + "]" * 100_000, expected=expected).startswith("body: ")


def test_a_number_of_too_many_digits_is_a_reject() -> None:
    assert "digits" in rejected("1" * 5000)


def test_a_lone_surrogate_reaches_the_handler_and_is_a_reject_where_a_text_is_validated() -> None:
    assert decoded('"\\ud800"') == "\ud800"
    assert rejected('"\\ud800"', expected=str).startswith("body: ")


class Strict(BaseModel):
    id: str

    @field_validator("id")
    @classmethod
    def known(cls, value: str) -> str:
        return {"a": "A"}[value]


def test_a_slip_in_a_users_validator_is_his_failure_and_not_a_reject() -> None:
    with pytest.raises(KeyError):
        decoded('{"id": "4711"}', expected=Strict)


def sns(inner: Any) -> str:
    return json.dumps({"Type": "Notification", "Message": inner if isinstance(inner, str) else json.dumps(inner)})


def s3(*keys: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}


def test_envelopes_are_taken_off() -> None:
    assert decoded(sns({"id": 1}), "sns") == {"id": 1}
    assert decoded(json.dumps({"detail-type": "t", "detail": {"id": 1}}), "eventbridge") == {"id": 1}
    assert decoded(json.dumps(s3("a", "b")), "s3") == s3("a", "b")["Records"]


def test_envelopes_nest_with_the_outermost_first() -> None:
    assert decoded(sns(s3("a")), "sns", "s3") == s3("a")["Records"]
    assert decoded(sns({"detail": {"id": 1}}), "sns", "eventbridge", expected=Order) == Order(id=1)
    assert rejected(sns(s3("a")), "s3", "sns").startswith("body: expected the envelope s3")


def test_what_is_inside_an_envelope_may_be_text_or_typed() -> None:
    assert decoded(sns("just words"), "sns", body="text") == "just words"
    assert decoded(json.dumps({"detail": {"id": 1}}), "eventbridge", body="text") == '{"id": 1}'
    assert decoded(json.dumps(s3("a")), "s3", expected=list[dict[str, Any]]) == s3("a")["Records"]


def test_a_test_event_of_s3_is_no_run() -> None:
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}
    assert not runs(json.dumps(event), "s3")
    assert not runs(sns(event), "sns", "s3")
    assert runs(json.dumps(event))


def test_what_is_inside_stays_the_same_whatever_the_envelope_says_of_its_own_journey() -> None:
    assert inside(sns("just words"), ["sns"]) == "just words"
    assert inside('{"detail": {"b": 1, "a": 2}, "time": "00:01"}', ["eventbridge"]) == '{"a": 2, "b": 1}'
    assert inside(sns(s3("a")), ["sns", "s3"]) == inside(json.dumps(s3("a")), ["s3"])


@pytest.mark.parametrize("text", ["no JSON", "[" * 100_000, '{"Message": 1}', ""])
def test_a_body_that_is_not_in_its_envelope_is_all_that_there_is_inside(text: str) -> None:
    assert inside(text, ["sns"]) == text


@pytest.mark.parametrize("envelope", ["sns", "eventbridge", "s3"])
@pytest.mark.parametrize(
    "text", ["{}", "[]", "1", '"x"', "null", '{"Message": 1}', '{"detail": null}', '{"Records": {}}']
)
def test_a_wrong_envelope_is_a_reject_that_says_which_was_expected(envelope: str, text: str) -> None:
    assert rejected(text, envelope).startswith(f"body: expected the envelope {envelope} (an object with ")


class Typed(TypedDict):
    id: int


class Unknown:
    pass


class Halfway(BaseModel):
    item: NoSuchName  # type: ignore[name-defined]  # noqa: F821


OLD = pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes typing.TypedDict from Python 3.12 on")


@pytest.mark.parametrize("expected", [Unknown, Halfway, list[Halfway], "NoSuchName", pytest.param(Typed, marks=OLD)])
def test_a_type_that_pydantic_cannot_validate_is_refused_with_its_name(expected: Any) -> None:
    with pytest.raises(HandlerError, match="expected a type that pydantic validates; got Pydantic"):
        adapter(expected)
