"""Bugs, planted into the product on purpose: the checker must catch each, or it proves nothing.

Each is a slip that a change to the product could make. A directed scenario in test_planted_bugs.py brings it to light.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from consumer.message.lease import Lease
from consumer.message.ledger import Claim, Ledger, Settled
from consumer.message.outcome import Done, Reject
from consumer.message.schema import ledger
from consumer.process.claims import Claims
from consumer.process.settle import Settler

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = Path(os.environ.get("CALLS", "/nowhere")).with_name("died")


def die_once() -> None:
    """Die at the worst moment, the first time that somebody comes here."""
    if not ONCE.exists():
        ONCE.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def delete_before_close() -> None:
    """The queue is told before the ledger: a death between them loses the message."""
    original = Claims.close

    async def close(self: Claims, hand: Any, decide: Callable[[Any], Any]) -> Any:
        if isinstance(decide(hand), Done):
            await hand.lease._queue.delete(hand.message)
            die_once()
        return await original(self, hand, decide)

    Claims.close = close  # type: ignore[method-assign]


def delete_before_dead_letter() -> None:
    """Poison is deleted before it is sent to the dead-letter queue: a death between them loses it."""
    original = Settler._tell

    async def tell(self: Settler, hand: Any, outcome: Any) -> None:
        if isinstance(outcome, Reject):
            await self._queue.delete(hand.message)
            die_once()
        await original(self, hand, outcome)

    Settler._tell = tell  # type: ignore[method-assign]


def effect_in_a_transaction_of_its_own() -> None:
    """What the handler has written is committed before the message is closed: a death between them does it twice."""
    original = Claims._commit

    def commit(self: Claims, hand: Any, claim: Claim, written: Any) -> Any:
        for callback in written._callbacks:
            callback(written._begun())
        written._callbacks.clear()
        written._begun().commit_with_message()
        die_once()
        return original(self, hand, claim, written)

    Claims._commit = commit  # type: ignore[method-assign]


def no_fence() -> None:
    """Whoever closes, closes: also one whose claim has long been another's."""

    def change(self: Ledger, claim: Claim, values: dict[str, Any], within: Any = None) -> bool:
        statement = update(ledger).where(self._is(claim.key)).values(values)
        if within is not None:
            return bool(within.execute(statement).rowcount == 1)
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    Ledger._change = change  # type: ignore[method-assign]


def no_claim() -> None:
    """A message is run whatever the ledger says of it."""
    original = Ledger.claim

    def claim(self: Ledger, key: str, *rest: Any) -> Any:
        answer = original(self, key, *rest)
        return Claim(key, 1, failures=0, crashes=0, suspect=False) if isinstance(answer, Settled) else answer

    Ledger.claim = claim  # type: ignore[method-assign,assignment]


def no_renewal() -> None:
    """A lease is left to itself: a run that takes longer than it is begun a second time."""
    Lease._start = lambda self: None  # type: ignore[method-assign]  # noqa: ARG005 - the name is its own


def renewal_after_settling() -> None:
    """A lease goes on being renewed when its message has been given back: nobody sees that again."""

    async def stop(self: Lease) -> None: ...

    Lease.stop = stop  # type: ignore[method-assign]


BUGS = {
    bug.__name__: bug
    for bug in (
        delete_before_close,
        delete_before_dead_letter,
        effect_in_a_transaction_of_its_own,
        no_fence,
        no_claim,
        no_renewal,
        renewal_after_settling,
    )
}


def plant(name: str) -> None:
    """Plant a bug into this process and what is forked from it; nothing where none is named."""
    if name:
        BUGS[name]()
