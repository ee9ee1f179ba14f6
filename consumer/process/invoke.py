"""Calls one handler under its time limit, off the control loop: `def` in a thread, `async def` on a loop of its own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from consumer.lane import Lane, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from consumer.clock import Clock
    from consumer.message.message import Message
    from consumer.process.context import Context
    from consumer.process.handlers import Handler
    from consumer.process.stop import Stop
    from consumer.settings import Settings

PACKAGE = str(Path(__file__).parents[1]) + os.sep
HOOK_LIMIT = 10.0  # seconds for one reset hook, and for naming a message's work
KEY_MAX = 256  # characters in the ledger's column
UNKEPT = re.compile(r"[\0\ud800-\udfff]")  # characters that a body may hold and a database not
LAST_WORDS = 1.0  # seconds that a cancelled coroutine has for its finally blocks when the process must leave


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended.

    cause: returned, raised, timeout (ended late, or not within its grace), interrupted (the process must leave).
    hung: the handler is still running.
    value: what it returned.
    """

    cause: str
    error: BaseException | None = None
    hung: bool = False
    value: Any = None


@dataclass(frozen=True, slots=True)
class End:
    """What came out of a function: an error, or a value. hung: it has not ended."""

    error: BaseException | None = None
    value: Any = None
    hung: bool = False


class Call(Protocol):
    """A run under way."""

    @property
    def done(self) -> asyncio.Future[End]:
        """Done when the function has ended; what it raised is in its result."""

    def cancel(self) -> None:
        """Cancel a coroutine; a thread cannot be."""


class Invoker:
    """Runs the user's code. Nothing that it raises, SystemExit included, comes out as an exception."""

    def __init__(self, handler: Handler, settings: Settings, clock: Clock) -> None:
        self._handler = handler
        self._clock = clock
        self._limit = settings.time_limit
        self._grace = settings.time_limit_grace
        self._threads = Lane("handler", settings.concurrency)
        self._loop = UserLoop()

    async def invoke(self, message: Message[str], context: Context, stop: Stop) -> Ran:
        """Run the handler for one message, until it ends, overstays its limit and grace, or the process must leave."""
        call = self._start(message, context)
        if await self._clock.first(call.done, stop.over, seconds=self._limit):
            return await self._ended_or_interrupted(call)
        context.tell()
        call.cancel()
        await self._clock.first(call.done, stop.over, seconds=self._grace)
        if not call.done.done():
            return Ran("timeout", TimeoutError(f"still running {self._grace:g} s after its time limit"), hung=True)
        if call.done.result().error is None:  # late, but the work is done: running it again would do it twice
            return Ran("returned", value=call.done.result().value)
        return Ran("timeout", TimeoutError(f"time limit of {self._limit:g} s passed"))

    async def key(self, message: Message[str]) -> End:
        """Name the work of a message: by the handler's `key=`, else by its id."""
        name, decoder = self._handler.marks.key, self._handler.decoder
        if name is None:
            return End(value=message.id)

        def named() -> str:
            decoded = decoder.decode(message)
            found = message.id if decoded is None else name(decoded)
            if not isinstance(found, str) or not 0 < len(found) <= KEY_MAX or UNKEPT.search(found):
                raise TypeError(
                    f"key=: expected a text of 1 to {KEY_MAX} characters that a database holds; got {found!r:.80}"
                )
            return found

        call = self._run(named, contextvars.Context(), is_async=False)
        if not await self._clock.first(call.done, seconds=HOOK_LIMIT):
            return End(TimeoutError(f"key=: still running after {HOOK_LIMIT:g} s"), hung=True)
        return call.done.result()

    async def reset(self, hooks: list[Callable[[], Any]]) -> list[tuple[str, BaseException]] | None:
        """Run the user's reset hooks; return those that failed, or None when one hangs."""
        failed = []
        for hook in hooks:
            call = self._run(hook, contextvars.Context(), is_async=inspect.iscoroutinefunction(hook))
            if not await self._clock.first(call.done, seconds=HOOK_LIMIT):
                return None
            error = call.done.result().error
            if error is not None:
                failed.append((getattr(hook, "__qualname__", repr(hook)), error))
        return failed

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Give what goes on on the user's loop, which between two messages should be nothing."""
        return self._loop.tasks()

    async def _ended_or_interrupted(self, call: Call) -> Ran:
        if not call.done.done():
            call.cancel()
            await self._clock.first(call.done, seconds=LAST_WORDS if self._handler.is_async else 0)
            return Ran("interrupted", hung=not call.done.done())
        end = call.done.result()
        return Ran("returned", value=end.value) if end.error is None else Ran("raised", end.error)

    def _start(self, message: Message[str], context: Context) -> Call:
        handler = self._handler
        own = contextvars.Context()  # empty, and this delivery's alone: nothing leaks to the next message
        own.run(structlog.contextvars.bind_contextvars, message_id=message.id, attempt=context.attempt)

        def run() -> Any:  # noqa: ANN401 - the user's
            decoded = handler.decoder.decode(message)
            return None if decoded is None else handler.call(decoded, context)

        return self._run(run, own, is_async=handler.is_async)

    def _run(self, function: Callable[[], Any], own: contextvars.Context, *, is_async: bool) -> Call:
        if is_async:
            return self._loop.run(function, own)
        return InThread(self._threads.run(lambda: own.run(caught, function)))


@dataclass(frozen=True, slots=True)
class InThread:
    """A run in a thread, which nothing can cancel."""

    done: asyncio.Future[End]

    def cancel(self) -> None:
        """Leave it: it has been told."""


def caught(function: Callable[[], Any]) -> End:
    """Call a function; give what came of it."""
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - SystemExit from a handler is a failure of its delivery
        return End(_users_own(error))
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        return End(TypeError("the handler returned a generator that nobody runs: it must not yield"))
    if inspect.iscoroutine(result):
        result.close()
    if inspect.isawaitable(result):
        kind = type(result).__name__
        return End(TypeError(f"the handler returned a {kind} that nobody awaits: declare it with async def"))
    return End(value=result)


class OnLoop:
    """A run on the user's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[End]) -> None:
        self.done = done
        self.task: asyncio.Task[End] | None = None
        self._loop = loop

    def cancel(self) -> None:
        """Cancel the coroutine, from the control loop's thread."""
        self._loop.call_soon_threadsafe(lambda: self.task and self.task.cancel())

    def begin(self, coroutine: Coroutine[Any, Any, End], own: contextvars.Context) -> None:
        """Start the coroutine; in the user's loop's thread."""
        self.task = self._loop.create_task(coroutine, context=own)
        self.task.add_done_callback(self._report)

    def _report(self, task: asyncio.Task[End]) -> None:
        end = End(asyncio.CancelledError()) if task.cancelled() else task.result()
        self.done.get_loop().call_soon_threadsafe(self.done.set_result, end)


class UserLoop:
    """An event loop in a thread of its own, for async handlers: one that blocks it blocks no lease."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Give the tasks that have not ended; from any thread."""
        return list(asyncio.all_tasks(self._loop)) if self._loop else []

    def run(self, function: Callable[[], Any], own: contextvars.Context) -> OnLoop:
        """Run an async function; its future is done on the running loop."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Worker(partial(_forever, self._loop), "handler-loop").start()
        call = OnLoop(self._loop, asyncio.get_running_loop().create_future())
        self._loop.call_soon_threadsafe(lambda: call.begin(_caught(function), own))
        return call


async def _caught(function: Callable[[], Any]) -> End:
    try:
        result = function()
        return End(value=None if result is None else await result)
    except BaseException as error:  # noqa: BLE001 - it would else end the user's loop
        return End(_users_own(error))


def _users_own(error: BaseException) -> BaseException:
    """Take our frames off the top of a traceback: its reader looks for the handler's."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(PACKAGE):
        frames = frames.tb_next
    return BaseException.with_traceback(error, frames)  # not the user's own


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException:
            logging.getLogger(__name__).warning("handler_task_raised", exc_info=True)
