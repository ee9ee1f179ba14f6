"""Runs in real threads and on a real second loop; only the time limits are of the fake clock."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import threading
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from consumer.errors import Reject
from consumer.message.body import Decoder
from consumer.process import invoke, traces
from consumer.process.context import Context
from consumer.process.handlers import Handler
from consumer.process.invoke import Invoker, Ran
from consumer.process.stop import Stop
from support.programs import wait_until
from unit.doubles import message, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.message.message import Message
    from consumer.testing import FakeClock

CUSTOMER: contextvars.ContextVar[str] = contextvars.ContextVar("CUSTOMER", default="nobody")


class Bench:
    """One handler, invoked. Its first act is to set `began`, if it takes part."""

    def __init__(self, clock: FakeClock, function: Callable[..., Any], decoder: Decoder | None = None) -> None:
        self.clock = clock
        self.stop = Stop(clock, 95)
        self.context = Context(1, None, remaining=lambda: 60.0)
        handler = Handler(
            function, inspect.iscoroutinefunction(function), wants_context=True, decoder=decoder or Decoder("json", ())
        )
        self.invoker = Invoker(handler, settings(concurrency=2), clock)

    async def run(self, body: str = "{}", message_id: str = "m1") -> Ran:
        return await self.invoker.invoke(message(message_id, body=body), self.context, self.stop)

    def start(self) -> asyncio.Task[Ran]:
        return asyncio.ensure_future(self.run())


async def seen(event: threading.Event) -> None:
    """Wait for a real thread."""
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 20)


def both(raising: BaseException) -> list[Callable[..., Any]]:
    def sync(*_: object) -> None:
        raise raising

    async def concurrent(*_: object) -> None:
        raise raising

    return [sync, concurrent]


async def test_sync_and_async_handlers_are_given_the_decoded_message_and_the_context(clock: FakeClock) -> None:
    given: list[Any] = []

    def sync(message: Message[Any], context: Context) -> None:
        given.append((message.body, context, threading.current_thread()))

    async def concurrent(message: Message[Any], context: Context) -> None:
        await asyncio.sleep(0)
        given.append((message.body, context, threading.current_thread()))

    for function in (sync, concurrent):
        bench = Bench(clock, function)
        assert await bench.run('{"id": 1}') == Ran("returned")
        body, context, thread = given.pop()
        assert body == {"id": 1}
        assert context is bench.context
        assert thread is not threading.main_thread()


@pytest.mark.parametrize(
    "raising", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("x")]
)
async def test_whatever_a_handler_raises_is_caught_with_its_class(clock: FakeClock, raising: BaseException) -> None:
    for function in both(raising):
        ran = await Bench(clock, function).run()
        assert ran == Ran("raised", raising)
        bench = Bench(clock, function)
        await bench.run()
        assert (await bench.run()).error is raising  # and the next message finds everything in order


async def test_stop_iteration_is_an_exception_like_any_other(clock: FakeClock) -> None:
    sync, concurrent = both(StopIteration(1))
    assert isinstance((await Bench(clock, sync).run()).error, StopIteration)
    assert isinstance((await Bench(clock, concurrent).run()).error, RuntimeError)  # Python's own doing


async def test_a_traceback_begins_with_the_handler_s_own_frame(clock: FakeClock) -> None:
    for function in both(ValueError("x")):
        error = (await Bench(clock, function).run()).error
        assert error is not None
        assert traceback.extract_tb(error.__traceback__)[0].name in {"sync", "concurrent"}
    assert not __file__.startswith(invoke.PACKAGE)


async def test_a_folder_that_begins_like_ours_is_not_ours() -> None:
    assert not (invoke.PACKAGE.rstrip("/") + "_app/handlers.py").startswith(invoke.PACKAGE)


async def test_a_body_that_cannot_be_decoded_is_a_reject_without_a_run(clock: FakeClock) -> None:
    ran = await Bench(clock, lambda *_: pytest.fail("it ran")).run("{")
    assert ran.cause == "raised"
    assert isinstance(ran.error, Reject)


async def test_a_test_event_is_done_without_a_run(clock: FakeClock) -> None:
    async def concurrent(*_: object) -> None:
        pytest.fail("it ran")

    for function in (lambda *_: pytest.fail("it ran"), concurrent):
        bench = Bench(clock, function, Decoder("json", ["s3"]))
        assert await bench.run('{"Event": "s3:TestEvent"}') == Ran("returned")


async def unawaited() -> None:
    pass


def stream() -> Any:
    yield 1


async def async_stream() -> Any:
    yield 1


@pytest.mark.parametrize("make", [unawaited, stream, async_stream])
async def test_what_only_looks_like_a_run_is_a_failure(clock: FakeClock, make: Callable[[], Any]) -> None:
    ran = await Bench(clock, lambda *_: make()).run()
    assert ran.cause == "raised"
    assert isinstance(ran.error, TypeError)


async def test_a_sync_handler_past_its_limit_is_told_and_its_late_end_is_a_timeout(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    def sync(*_: object) -> None:
        began.set()
        go.wait(20)
        raise ValueError("gave up")

    bench = Bench(clock, sync)
    run = bench.start()
    await seen(began)
    await clock.advance(899)
    assert not bench.context.stopping
    await clock.advance(1)
    assert bench.context.stopping
    await clock.advance(9)
    assert not run.done()
    go.set()
    ran = await run
    assert (ran.cause, ran.hung, type(ran.error)) == ("timeout", False, TimeoutError)


async def test_a_success_within_the_grace_is_done(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    def sync(*_: object) -> None:
        began.set()
        go.wait(20)

    bench = Bench(clock, sync)
    run = bench.start()
    await seen(began)
    await clock.advance(905)
    go.set()
    assert await run == Ran("returned")


async def test_a_handler_that_overstays_its_grace_hangs(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    def sync(*_: object) -> None:
        began.set()
        go.wait(20)

    bench = Bench(clock, sync)
    run = bench.start()
    await seen(began)
    await clock.advance(909.9)
    assert not run.done()
    await clock.advance(0.1)
    ran = await run
    assert (ran.cause, ran.hung) == ("timeout", True)
    go.set()


async def test_an_async_handler_is_cancelled_at_its_limit(clock: FakeClock) -> None:
    began, cleaned = threading.Event(), threading.Event()

    async def concurrent(*_: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    bench = Bench(clock, concurrent)
    run = bench.start()
    await seen(began)
    await clock.advance(900)
    ran = await run
    assert (ran.cause, ran.hung) == ("timeout", False)
    assert cleaned.is_set()


async def test_what_an_async_handler_leaves_on_its_loop_is_known_until_it_ends(clock: FakeClock) -> None:
    release = threading.Event()

    async def keepalive() -> None:
        await asyncio.to_thread(release.wait, 20)

    async def concurrent(*_: object) -> None:
        asyncio.create_task(keepalive(), name="beacon")  # noqa: RUF006 - as a careless handler does

    bench = Bench(clock, concurrent)
    assert bench.invoker.tasks() == []
    await bench.run()
    assert [traces.named(task) for task in bench.invoker.tasks()] == [f"beacon ({keepalive.__qualname__})"]
    release.set()
    await asyncio.to_thread(wait_until, lambda: not bench.invoker.tasks(), "it has ended")


async def test_an_async_handler_that_bears_its_cancellation_and_returns_is_done(clock: FakeClock) -> None:
    began = threading.Event()

    async def concurrent(*_: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    bench = Bench(clock, concurrent)
    run = bench.start()
    await seen(began)
    await clock.advance(900)
    assert await run == Ran("returned")


async def test_an_async_handler_that_blocks_its_loop_blocks_no_timer_of_ours(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    async def concurrent(*_: object) -> None:
        began.set()
        go.wait(20)

    bench = Bench(clock, concurrent)
    run = bench.start()
    await seen(began)
    await clock.advance(910)
    assert (await run).hung
    go.set()


async def test_at_the_end_of_the_drain_a_sync_handler_is_left_running(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    def sync(*_: object) -> None:
        began.set()
        go.wait(20)

    bench = Bench(clock, sync)
    run = bench.start()
    await seen(began)
    bench.stop.finish()
    assert await run == Ran("interrupted", hung=True)
    go.set()


async def test_at_the_end_of_the_drain_an_async_handler_is_cancelled_and_has_a_moment(clock: FakeClock) -> None:
    began, cleaned = threading.Event(), threading.Event()

    async def concurrent(*_: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    bench = Bench(clock, concurrent)
    run = bench.start()
    await seen(began)
    bench.stop.finish()
    assert await run == Ran("interrupted")
    assert cleaned.is_set()


async def test_context_variables_and_log_tags_of_one_delivery_are_not_the_next_one_s(clock: FakeClock) -> None:
    found: list[tuple[str, dict[str, Any]]] = []

    def look(*_: object) -> None:
        found.append((CUSTOMER.get(), structlog.contextvars.get_contextvars()))
        CUSTOMER.set("somebody")
        structlog.contextvars.bind_contextvars(customer="somebody")

    async def look_too(*_: object) -> None:
        look()
        await asyncio.sleep(0)

    CUSTOMER.set("the control loop's own")
    for function in (look, look_too):
        bench = Bench(clock, function)
        for _ in range(3):
            await bench.run(message_id="m7")
        assert found == [("nobody", {"message_id": "m7", "attempt": 1})] * 3
        found.clear()
    assert structlog.contextvars.get_contextvars() == {}


async def test_a_task_of_the_handler_that_dies_takes_neither_the_delivery_nor_the_next_with_it(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def concurrent(*_: object) -> None:
        async def die() -> None:
            raise SystemExit(3)

        task = asyncio.ensure_future(die())
        await asyncio.wait([task])
        task.exception()

    bench = Bench(clock, concurrent)
    assert await bench.run() == Ran("returned")
    assert await bench.run() == Ran("returned")
    assert [record.message for record in caplog.records] == ["handler_task_raised"] * 2


class Value:
    """A body that can be watched."""


class Watching(Decoder):
    def __init__(self) -> None:
        super().__init__("text", ())
        self.made: list[weakref.ref[Value]] = []

    def _typed(self, value: Any) -> Any:
        del value
        body = Value()
        self.made.append(weakref.ref(body))
        return body


async def test_the_last_message_is_not_kept_alive_after_its_delivery(clock: FakeClock) -> None:
    def fail(message: Message[Any], _: object) -> None:
        raise ValueError(message)

    async def fail_too(message: Message[Any], context: object) -> None:
        await asyncio.sleep(0)
        fail(message, context)

    async def succeed(*_: object) -> None:
        await asyncio.sleep(0)

    for function in (fail, fail_too, succeed, lambda *_: None):
        decoder = Watching()
        bench = Bench(clock, function, decoder)
        for _ in range(2):
            await bench.run()
        for _ in range(100):  # turns in which the thread that ran it lets go of it
            gc.collect()
            if not any(ref() for ref in decoder.made):
                break
            await asyncio.sleep(0)
        assert [ref() for ref in decoder.made] == [None, None], function


async def test_reset_hooks_run_off_the_control_loop_and_those_that_fail_are_named(clock: FakeClock) -> None:
    threads: list[threading.Thread] = []

    def sync() -> None:
        threads.append(threading.current_thread())
        CUSTOMER.set("left behind")

    async def concurrent() -> None:
        threads.append(threading.current_thread())
        assert CUSTOMER.get() == "nobody"
        raise SystemExit(3)

    class Hook:
        def __call__(self) -> None:
            raise ValueError("x")

    bench = Bench(clock, lambda *_: None)
    failed = await bench.invoker.reset([sync, concurrent, Hook()])
    assert failed is not None
    assert [(name.rpartition(".")[2].split(" ")[0], type(error)) for name, error in failed] == [
        ("concurrent", SystemExit),
        ("Hook", ValueError),
    ]
    assert threading.main_thread() not in threads
    assert len(threads) == 2


async def test_a_reset_hook_that_hangs_is_noticed_after_ten_seconds_whatever_the_grace_is(clock: FakeClock) -> None:
    began, go = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        go.wait(20)

    bench = Bench(clock, lambda *_: None)
    bench.invoker._grace = 0
    assert await bench.invoker.reset([lambda: None]) == []
    resetting = asyncio.ensure_future(bench.invoker.reset([hang]))
    await seen(began)
    await clock.advance(9.9)
    assert not resetting.done()
    await clock.advance(0.1)
    assert await resetting is None
    go.set()
