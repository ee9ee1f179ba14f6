"""A process's dealings with its ledger: a real one on SQLite, and a database that goes away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from consumer.errors import Reject as Rejected
from consumer.message import schema
from consumer.message.ledger import Claim
from consumer.message.outcome import Done, Outcome, Reject, Release, Retry
from consumer.process.claims import PATIENCE, Claims
from consumer.process.delivery import Delivery
from consumer.process.handlers import Handler
from consumer.process.invoke import End, Ran
from consumer.process.settle import Settler
from consumer.process.stop import Leaving
from unit.doubles import FakeInvoker, FakeQueue, Inline, Living, living, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from consumer.message.message import Message
    from consumer.process.context import Context
    from consumer.testing import FakeClock

HANDLER = Handler(print, is_async=False, wants_context=True, decoder=cast("Any", None))
AWAY = OperationalError("SELECT 1", {}, ConnectionError("connection refused"))
REFUSED = ProgrammingError("INSERT", {}, psycopg.errors.InsufficientPrivilege("permission denied for table orders"))


class Named(FakeInvoker):
    named: End | None = None

    async def key(self, message: Message[str]) -> End:
        return self.named or End(value=message.id)


class Desk:
    """Deliveries with a ledger whose calls are done at once."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        self.clock, self.journal = clock, list[str]()
        self.life: Living = living(clock, self.journal, database_url=f"sqlite:///{folder / 'ledger.db'}")
        self.queue = FakeQueue(clock, self.journal)
        self.runs: list[Context] = []
        self.work: Callable[[Context], object] = lambda _: None
        self.invoker = Named(self.run, self.journal)
        self.claims = Claims(self.life, HANDLER, self.invoker)
        self.claims.asking.lane = self.lane = Inline()
        schema.migrate(self.claims._engine)
        self.ledger = self.claims._ledger
        self.away = False
        self.error: DBAPIError = AWAY
        for name in ("claim", "renew", "done", "is_done", "dead", "release", "answers"):
            self.breakable(name)
        self.delivery = Delivery(self.life, self.queue, self.invoker, Settler(self.life, self.queue), self.claims)

    async def run(self, _: Message[str], context: Context, __: object) -> Ran:
        self.runs.append(context)
        try:
            answer = self.work(context)
            if hasattr(answer, "__await__"):
                await answer
        except Exception as error:  # noqa: BLE001 - as the real one
            return Ran("raised", error)
        return Ran("returned")

    def deliver(self) -> asyncio.Task[Outcome]:
        return asyncio.ensure_future(self.delivery.deliver(message()))

    async def stopped(self) -> Outcome:
        """Deliver, be told to stop meanwhile, and have no more time than for the last words."""
        delivery = self.deliver()
        await self.clock.advance(5)
        self.life.stop.tell("SIGTERM")
        self.life.stop.finish()
        await self.clock.advance(2.1)
        assert delivery.done()
        return delivery.result()

    def write(self, context: Context) -> None:
        context.session.execute(text("SELECT 1"))

    def breakable(self, name: str) -> None:
        """Have a call of the ledger answered by an error while the database is away."""
        real = getattr(self.ledger, name)

        def call(*given: Any, **more: Any) -> Any:
            if self.away:
                raise self.error
            return real(*given, **more)

        setattr(self.ledger, name, call)


@pytest.fixture
async def desk(clock: FakeClock, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(clock, tmp_path)
    yield made
    made.claims._engine.dispose()
    made.claims._sessions.dispose()


async def test_a_message_that_other_containers_have_seen_crash_runs_alone_and_says_so_to_the_agent(desk: Desk) -> None:
    for alone in (False, True):
        claim = desk.ledger.claim("m1", "m1", "d", 90, "another")
        assert isinstance(claim, Claim)
        assert desk.ledger.crashed(claim, alone=alone)
    seen: list[tuple[bool, int]] = []
    desk.work = lambda _: seen.append(
        (desk.delivery.company.reserved, desk.life.sign.facts["in_hand"]["m1.1"]["crashes"])
    )
    assert await desk.deliver() == Done()
    assert seen == [(True, 1)]
    assert desk.runs[0].attempt == 2


async def test_what_has_crashed_alone_often_enough_anywhere_is_rejected_without_a_run(desk: Desk) -> None:
    for _ in range(3):
        claim = desk.ledger.claim("m1", "m1", "d", 90, "another")
        assert isinstance(claim, Claim)
        assert desk.ledger.crashed(claim, alone=True)
    outcome = await desk.deliver()
    assert isinstance(outcome, Reject)
    assert (outcome.reason, outcome.key, desk.runs) == ("crash", "m1", [])


@pytest.mark.parametrize(("seconds", "said"), [(9, 0), (11, 1), (200, 1)])
async def test_a_session_held_open_for_long_is_a_warning_with_the_handler_s_name(
    desk: Desk, seconds: float, said: int
) -> None:
    async def wait(context: Context) -> None:
        assert context.session is not None
        await desk.clock.sleep(seconds)

    desk.work = wait
    delivery = desk.deliver()
    await desk.clock.advance(seconds / 2)
    assert len(desk.life.lines.named("session_held")) == int(seconds == 200), "while it lasts, with a renewal"
    await desk.clock.advance(seconds)
    assert await delivery == Done()
    lines = desk.life.lines.named("session_held")
    assert [(line["handler"], line["message_id"]) for line in lines] == [("app:handle", "m1")] * said


async def test_what_a_callback_does_counts_and_a_wait_before_it_does_not(desk: Desk) -> None:
    async def wait(context: Context) -> None:
        await desk.clock.sleep(100)
        context.on_done(lambda _: desk.clock.freeze_jump(11))

    desk.work = wait
    delivery = desk.deliver()
    await desk.clock.advance(100)
    assert await delivery == Done()
    assert [line["seconds"] for line in desk.life.lines.named("session_held")] == [11.0]


async def test_while_the_database_is_away_a_message_not_yet_claimed_is_held_for_a_minute_then_given_back(
    desk: Desk,
) -> None:
    desk.away = True
    delivery = desk.deliver()
    await desk.clock.advance(PATIENCE - 1)
    assert not delivery.done()
    assert "extend m1 90" in desk.journal, "under lease"
    assert "ConnectionError: connection refused" in desk.life.sign.facts["trouble"]
    await desk.clock.advance(10)
    assert await delivery == Release("database_away")
    assert (desk.journal[-1], desk.runs) == ("delay m1 0", [])


async def test_a_database_that_hangs_holds_a_message_for_a_minute_too_and_the_next_call_has_a_thread_of_its_own(
    desk: Desk,
) -> None:
    desk.lane.hangs = True
    delivery = desk.deliver()
    await desk.clock.advance(PATIENCE + 1)
    assert await delivery == Release("database_away")
    assert desk.claims.asking.lane is not desk.lane
    assert "no answer for 60 s" in desk.life.sign.facts["trouble"]


async def test_a_call_that_hung_before_the_database_came_back_does_not_say_that_it_is_away_again(desk: Desk) -> None:
    asking = desk.claims.asking
    desk.lane.hangs = True
    old = asyncio.ensure_future(asking.ask(lambda: 1, seconds=10))
    await desk.clock.advance(9)
    desk.lane.hangs = False
    assert await asking.ask(lambda: 2, seconds=10) == 2
    await desk.clock.advance(2)
    assert await old is None
    assert (asking.away, desk.life.lines.named("database_away")) == (False, [])


async def test_a_renewal_that_the_close_overtakes_is_no_lost_claim(desk: Desk) -> None:
    renewals: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []

    async def work(_: Context) -> None:
        run = desk.lane.run
        desk.lane.run = lambda call: renewals.append((asyncio.Future(), call)) or renewals[-1][0]  # type: ignore[method-assign,func-returns-value]
        await desk.clock.sleep(40)
        desk.lane.run = run  # type: ignore[method-assign]

    desk.work = work
    delivery = desk.deliver()
    await desk.clock.advance(40)
    assert await delivery == Done()
    for answer, call in renewals:
        answer.set_result(call())
    await asyncio.sleep(0)
    assert renewals
    assert desk.life.lines.named("claim_lost") == []


async def test_a_database_s_clock_that_was_set_back_keeps_no_message_away_for_longer_than_a_lease(desk: Desk) -> None:
    claim = desk.ledger.claim("m1", "m1", "d", 86_400, "another")
    assert isinstance(claim, Claim)
    outcome = await desk.deliver()
    assert isinstance(outcome, Retry)
    assert outcome.delay <= 90 + 5


async def test_a_key_that_hangs_ends_the_process_which_its_thread_would_keep_from_every_other_message(
    desk: Desk,
) -> None:
    desk.invoker.named = End(TimeoutError("key=: still running after 10 s"), hung=True)
    outcome = await desk.deliver()
    assert isinstance(outcome, Retry)
    assert (desk.life.stop.leaving, desk.runs) == (Leaving.HUNG, [])


async def test_nothing_is_received_until_the_database_is_back_and_status_says_why(desk: Desk) -> None:
    desk.away = True
    delivery = desk.deliver()
    await desk.clock.advance(PATIENCE + 10)
    await delivery
    ready = asyncio.ensure_future(desk.claims.ready())
    await desk.clock.advance(600)
    assert not ready.done()
    assert desk.life.sign.facts["trouble"]
    desk.away = False
    await desk.clock.advance(6)
    assert ready.done()
    assert desk.life.sign.facts["trouble"] == ""
    assert [len(desk.life.lines.named(name)) for name in ("database_away", "database_back")] == [1, 1]


async def test_what_the_database_refuses_for_the_patience_ends_the_process_though_it_answers(desk: Desk) -> None:
    """No right, a table of somebody else's: waiting does not cure it."""
    desk.away, desk.error = True, REFUSED
    desk.ledger.answers = lambda: True  # type: ignore[method-assign]
    began = desk.clock.monotonic()
    while not desk.life.stop.requested.done():
        delivery = desk.deliver()
        await desk.clock.advance(61)
        assert await delivery == Release("database_away")
        await desk.claims.ready()
        assert desk.clock.monotonic() - began < 1000
    assert desk.clock.monotonic() - began > desk.life.settings.patience
    assert desk.life.stop.leaving is Leaving.REFUSED
    assert "permission denied for table orders" in desk.life.stop.detail
    assert not desk.runs


async def test_a_finished_run_that_the_database_refuses_for_the_patience_is_settled_and_its_process_leaves(
    desk: Desk,
) -> None:
    def work(_: Context) -> None:
        desk.away, desk.error = True, REFUSED

    desk.work = work
    delivery = desk.deliver()
    await desk.clock.advance(desk.life.settings.patience - 1)
    assert not delivery.done()
    await desk.clock.advance(10)
    assert await delivery == Done()
    assert desk.life.stop.leaving is Leaving.REFUSED


async def test_a_refusal_that_was_cured_is_forgotten(desk: Desk) -> None:
    desk.away, desk.error = True, REFUSED
    delivery = desk.deliver()
    await desk.clock.advance(3)
    desk.away = False
    await desk.clock.advance(6)
    assert await delivery == Done()
    await desk.clock.advance(1000)
    assert not desk.life.patience.over()


async def test_a_finished_run_keeps_its_lease_and_closes_when_the_database_is_back(desk: Desk) -> None:
    desk.work = lambda _: setattr(desk, "away", True)
    delivery = desk.deliver()
    await desk.clock.advance(1000)
    assert not delivery.done()
    assert desk.journal.count("extend m1 90") > 30
    desk.away = False
    await desk.clock.advance(6)
    assert await delivery == Done()
    assert (desk.journal[-1], len(desk.runs)) == ("delete m1", 1)
    row = desk.ledger.look_up("m1")
    assert row is not None
    assert row.state == "done"


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize(("writes", "last"), [(False, "delete m1"), (True, "delay m1 0")])
async def test_at_stop_the_database_has_two_seconds_and_then_the_queue_is_told(
    desk: Desk, last: str, *, writes: bool, hangs: bool
) -> None:
    """What was written is not in the database: to delete its message would be to lose it."""

    def work(context: Context) -> None:
        if writes:
            context.on_done(lambda session: session.execute(text("SELECT 1")))
        desk.away = True
        desk.lane.hangs = hangs

    desk.work = work
    await desk.stopped()
    assert desk.journal[-1] == last


async def test_a_long_word_of_the_database_s_is_one_line_of_status_and_health(desk: Desk) -> None:
    refused = OperationalError("SELECT 1", {}, ConnectionError("connection refused\n\tIs the server running?\n"))
    desk.claims.asking.unanswered(refused, desk.clock.monotonic())
    trouble = desk.life.sign.facts["trouble"]
    assert trouble == "the ledger's database is away: ConnectionError: connection refused Is the server running?"


async def test_at_stop_what_is_rejected_is_dead_lettered_though_it_had_written_and_the_database_is_away(
    desk: Desk,
) -> None:
    """What it wrote is rolled back all the same."""

    def work(context: Context) -> None:
        context.on_done(lambda session: session.execute(text("SELECT 1")))
        desk.away = True
        raise Rejected("not an order")

    desk.work = work
    assert isinstance(await desk.stopped(), Reject)


async def test_idle_connections_of_sessions_are_dropped_with_the_database(desk: Desk) -> None:
    """A handler would else learn by failing that its connection is dead."""
    desk.work = desk.write
    assert await desk.deliver() == Done()
    pool: Any = desk.claims._sessions.pool
    assert pool.checkedin() == 1
    desk.claims.asking.unanswered(AWAY, desk.clock.monotonic())
    desk.claims.asking.answered()
    fresh: Any = desk.claims._sessions.pool
    assert fresh.checkedin() == 0


async def test_a_callback_that_fails_each_time_while_the_database_answers_has_failed(desk: Desk) -> None:
    """Its own statement timeout, say, or another database's: to try for ever would keep the process from all others."""

    def slow(_: Any) -> None:
        raise AWAY

    desk.work = lambda context: context.on_done(slow)
    delivery = desk.deliver()
    await desk.clock.advance(1000)
    assert delivery.done(), desk.life.sign.facts["trouble"]
    assert isinstance(await delivery, Retry)


async def test_a_result_that_cannot_be_put_into_json_for_whatever_reason_ends_no_process(desk: Desk) -> None:
    class Changing(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("dictionary changed size during iteration")

    async def run(*_: object) -> Ran:
        return Ran("returned", value=Changing(a=1))

    desk.invoker.run = run
    assert await desk.deliver() == Done()
    assert desk.life.lines.named("result_not_kept")
