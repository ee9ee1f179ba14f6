"""The books that the ledger keeps: a message is claimed before it is run, and closed before the queue is told."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from consumer.errors import LedgerError, NotWritten, described
from consumer.lane import Lane
from consumer.message import database, schema, transaction
from consumer.message.body import inside
from consumer.message.ledger import Claim, Elsewhere, Ledger, Settled
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.message.transaction import Transaction
from consumer.process.asking import Asking
from consumer.process.books import Books
from consumer.process.crashes import Record
from consumer.process.invoke import Ran
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from consumer.process.delivery import InHand
    from consumer.process.handlers import Handler
    from consumer.process.invoke import Invoker
    from consumer.process.life import Life

PATIENCE = 60.0  # seconds for which a message that is not claimed is held while the database is away
HELD = 10.0  # seconds for which a handler may hold a session open without a warning
TRIES = 5  # of callbacks that fail as if the database were away
AFTERWARDS = (1.0, 5.0)  # seconds after the end of another's claim


class Claims(Books):
    """One process's dealings with the ledger."""

    fenced = True

    def __init__(self, life: Life, handler: Handler, invoker: Invoker) -> None:
        settings = life.settings
        width = min(4, settings.concurrency)
        self._clock, self._stop, self._pulse, self._log = life.clock, life.stop, life.pulse, life.log
        self._lease_seconds, self._envelopes = settings.visibility_timeout, settings.envelope
        self._engine = database.of(settings, width)
        self._sessions = transaction.sessions(settings)
        self._ledger = Ledger.of(settings, self._engine)
        self._invoker, self._handler = invoker, settings.handler
        self._ttl = handler.marks.key_ttl if handler.marks.key else None
        self.asking = Asking(life, self._engine, self._sessions, width)

    async def open(self) -> bool:
        """Bring the table up to date, however long the database takes; return True once it is ready for messages."""
        stop = self._stop
        try:
            return await self.asking.ask(lambda: schema.migrate(self._engine) or True, until=stop.requested) or False
        except LedgerError as error:
            self._log.error("wrong_settings", problem=str(error))
            stop.retire(Leaving.SETTINGS, str(error))
            return False

    async def ready(self) -> None:
        """Wait while the database is away: a message that is received could not be claimed."""
        stop = self._stop
        while self.asking.away and not stop.requested.done():
            await self.asking.ask(self._ledger.answers, seconds=PATIENCE, until=stop.requested, proves=False)

    def transaction(self) -> Transaction:
        """Make room for what a handler writes."""
        return Transaction(self._sessions, self._clock.monotonic)

    async def claim(self, hand: InHand, decide: Callable[[InHand], Outcome]) -> Outcome | None:
        """Claim a message; None when it is ours to run, else what becomes of it without a run."""
        message = hand.message
        named = await self._invoker.key(message)
        if named.hung:
            self._stop.tell(f"key= hangs on message {message.id}", Leaving.HUNG)  # its thread is the handlers' own
        if named.error is not None:
            hand.ran = Ran("raised", named.error)
            return decide(hand)
        text = inside(message.text, self._envelopes)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        holder = f"{hand.key}.{message.receipt_handle}"[-128:]
        answer = await self.asking.ask(
            lambda: self._ledger.claim(named.value, message.id, digest, self._seconds_of(hand), holder),
            seconds=PATIENCE,
        )
        match answer:
            case None:
                return Release("database_away")
            case Claim():
                hand.claim = answer
                hand.number(answer.attempt)
                on_record = self.crashes(hand, Record()).crashes
                self._pulse.hold(
                    hand.key, claim=answer.key, fence=answer.fence, crashes=on_record, attempt=answer.attempt
                )
                return None
            case Settled(state=schema.DONE):
                return self._done_already(hand, answer, digest)
            case Settled(reason=reason):
                return Reject(reason, cause="dead_already", key=named.value)
            case Elsewhere(seconds=seconds):
                seconds = min(seconds, self._lease_seconds)  # longer only when the database's clock was set back
                return Retry(math.ceil(seconds) + self._clock.uniform(*AFTERWARDS), cause="elsewhere")

    def _done_already(self, hand: InHand, earlier: Settled, digest: str) -> Done:
        if earlier.message_id == hand.message.id:
            return Done("done_already")
        if earlier.digest != digest:
            hand.log.error("key_of_another_body", earlier=earlier.message_id, meanwhile="this message is not run")
        else:
            hand.log.warning("repeated", earlier=earlier.message_id, meanwhile="this message is not run")
        return Done("deduplicated")

    def crashes(self, hand: InHand, noted: Record) -> Record:
        """Put together what every container knows and what this one does, which may have been alone in seeing it."""
        claim = hand.claim
        return noted.at_least(max(claim.crashes, int(claim.suspect)), claim.crashes) if claim else noted

    def renew(self, hand: InHand) -> None:
        """Hold the claim as long as the lease. A renewal that fails costs nothing: the next one is soon enough."""
        claim = hand.claim
        self._look_at_session(hand)
        if claim is not None:
            renewal = self.asking.lane.run(lambda: self._ledger.renew(claim, self._seconds_of(hand)))
            renewal.add_done_callback(lambda done: self._renewed(hand, done))

    async def close(self, hand: InHand, decide: Callable[[InHand], Outcome]) -> Outcome:
        """Write down how a run ended, with what the handler wrote; return what the queue must be told."""
        if hand.written is not None:
            hand.written.over = True
            if hand.ran.hung:  # in a lane of its own: in the ledger's, a renewal may be waiting for this very lock
                Lane("unlock").run(hand.written.unlock)
        outcome = decide(hand)
        if isinstance(outcome, Reject) and hand.claim is not None:  # for whoever sends it again: see desk/reopening.py
            outcome = replace(outcome, key=hand.claim.key)
        counts = isinstance(outcome, Done) and hand.written is not None and not hand.written.empty
        try:
            ours = await self.asking.ask(lambda: self._close(hand, outcome))
        except NotWritten as failed:
            hand.ran = Ran("raised", failed.__cause__)
            return await self.close(hand, decide)
        self._look_at_session(hand)
        if ours is None and counts:  # to delete the message would be to lose what was written
            return Release("database_away")
        return LeftAlone("fenced") if ours is False else outcome

    def _close(self, hand: InHand, outcome: Outcome) -> bool:
        """Close in the database; return whether it was still ours. Blocking; may be said again, its answer lost."""
        claim, ledger = hand.claim, self._ledger
        assert claim is not None
        assert hand.written is not None
        if isinstance(outcome, Done):
            return self._commit(hand, claim, hand.written)
        if not hand.ran.hung:  # else its thread may be using it still, and keeps it until the process has left
            hand.written.roll_back()
        match outcome:
            case Retry(cause=cause) if outcome.failed:
                return ledger.failed(claim, described(hand.ran.error) if hand.ran.error else cause)
            case Reject(reason=reason):
                return ledger.dead(claim, reason)
            case _:
                return ledger.release(claim)

    def _commit(self, hand: InHand, claim: Claim, written: Transaction) -> bool:
        """Close as done, with what the handler wrote. Raises NotWritten when that can never come to be."""
        ledger = self._ledger
        if written.empty:
            return ledger.done(claim, _as_json(hand), self._ttl)
        if written.committing and ledger.is_done(claim):  # only the answer was lost
            return True
        if written.lost is not None:  # it must run again, not be closed without its writes
            raise NotWritten from written.lost
        try:
            session = written.write()
            if not ledger.done(claim, _as_json(hand), self._ttl, within=session.connection()):
                return False
            written.committing = True
            session.commit_with_message()
        except BaseException as error:
            own = not database.away(error) or database.timed_out(error)
            if own or (written.opened_by_handler and not written.committing):
                raise NotWritten from error
            if written.opened_by_handler:
                written.lost = error
            written.tries += 1
            written.roll_back()
            if written.tries >= TRIES and not ledger.is_done(claim):  # it answers: the trouble is the callback's own
                raise NotWritten from error
            raise  # asked again, it finds out whether the commit had come through
        finally:
            written.roll_back()
        return True

    def _seconds_of(self, hand: InHand) -> float:
        return max(1.0, min(self._lease_seconds, hand.lease.until - self._clock.monotonic()))

    def _look_at_session(self, hand: InHand) -> None:
        """Say once that a session is held for long: its connection, and what it has locked, are kept from others."""
        written = hand.written
        if written is not None and not written.said and written.held > HELD:
            written.said = True
            hand.log.warning(
                "session_held", handler=self._handler, seconds=round(written.held, 1),
                instead="context.on_done(function) writes after the handler, when there is no more waiting",
            )  # fmt: skip

    def _renewed(self, hand: InHand, done: asyncio.Future[bool]) -> None:
        over = hand.written is not None and hand.written.over  # a renewal may be overtaken by the close
        if done.exception() is None and not done.result() and not over:
            hand.context.tell()
            hand.log.warning("claim_lost", meanwhile="somebody else has claimed the message; this run will not count")


def _as_json(hand: InHand) -> str | None:
    """Put what the handler returned into JSON, for `consumer.lookup`."""
    if hand.ran.value is None:
        return None
    try:
        return json.dumps(hand.ran.value)
    except Exception as error:  # noqa: BLE001 - the value is the user's, and may change while it is read
        hand.log.warning("result_not_kept", error=described(error), expected="a value that JSON can hold, or None")
        return None
