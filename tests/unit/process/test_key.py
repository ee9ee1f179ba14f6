"""What names the work of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumer.message.body import Decoder
from consumer.process.handlers import Handler
from consumer.process.hooks import Marks
from consumer.process.invoke import Invoker
from unit.doubles import message, settings

if TYPE_CHECKING:
    from consumer.testing import FakeClock


def invoker(clock: FakeClock) -> Invoker:
    marks = Marks(key=lambda given: given.body, key_ttl=60)
    handler = Handler(print, is_async=False, wants_context=False, decoder=Decoder("json", ()), marks=marks)
    return Invoker(handler, settings(), clock)


@pytest.mark.parametrize("body", ['"order-7"', '"é 𝄞 \\u0001"', '"' + "x" * 256 + '"'])
async def test_a_text_of_up_to_256_characters_is_a_key(body: str, clock: FakeClock) -> None:
    named = await invoker(clock).key(message(body=body))
    assert (type(named.value), named.error) == (str, None)


@pytest.mark.parametrize("body", ['""', "7", "null", '"' + "x" * 257 + '"', '"\\u0000"', '"a\\ud800"'])
async def test_what_no_database_could_hold_is_no_key(body: str, clock: FakeClock) -> None:
    named: Any = await invoker(clock).key(message(body=body))
    assert isinstance(named.error, TypeError)
    assert str(named.error).startswith("key=: expected a text of 1 to 256 characters")
