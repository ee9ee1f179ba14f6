"""Stand-ins that write down what is asked of them, in one journal where the order matters."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError

from consumer.lane import Lane
from consumer.message.message import Message
from consumer.message.queue import Counts, Queue
from consumer.process.invoke import Invoker, Ran
from consumer.process.leaks import Leaks
from consumer.process.life import Life
from consumer.process.patience import Patience
from consumer.process.pulse import Pulse
from consumer.process.stop import Stop
from consumer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from consumer.clock import Clock
    from consumer.message.outcome import Reject
    from consumer.process.context import Context

T = TypeVar("T")
DLQ = "https://sqs.eu-west-1.amazonaws.com/1/orders-dead"


def settings(**given: Any) -> Settings:
    url = "https://sqs.eu-west-1.amazonaws.com/1/orders"
    return Settings(**{"queue_url": url, "handler": "app:handle", "log_format": "json", **given})


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the queue says no"}}, "Verb")


def wire(name: str = "m1", body: str = "{}", *, count: int = 1, **system: str) -> dict[str, Any]:
    """Give a message as ReceiveMessage does."""
    attributes = {
        "ApproximateReceiveCount": str(count),
        "SentTimestamp": "1700000000000",
        "ApproximateFirstReceiveTimestamp": "1700000001500",
        **system,
    }
    return {"MessageId": name, "ReceiptHandle": f"handle-{name}-{count}", "Body": body, "Attributes": attributes}


def message(name: str = "m1", body: str = "{}", *, count: int = 1, **system: str) -> Message[str]:
    return Message.of(wire(name, body, count=count, **system), 1_700_001_000.0)


class FakeQueue(Queue):
    """A queue in memory. `troubles[verb]`: what its next calls raise, None being nothing; `gates[verb]` holds them."""

    def __init__(self, clock: Clock, journal: list[str] | None = None) -> None:
        self.url, self.dlq_url = "https://sqs.eu-west-1.amazonaws.com/1/orders", DLQ
        self.journal = [] if journal is None else journal
        self.troubles: dict[str, list[BaseException | None]] = defaultdict(list)
        self.gates: dict[str, asyncio.Event] = {}
        self.visible: list[Message[str]] = []
        self.asked: list[int] = []
        self.given_back: list[str] = []
        self.refused: list[Message[Any]] = []
        self.dead: list[tuple[str, Reject, int]] = []
        self.with_reason = True
        self.hurried = False
        self._fake_clock = clock
        self._arrived = asyncio.Event()

    async def _call(self, verb: str, note: str = "") -> None:
        self.journal.append(note or verb)
        if verb in self.gates:
            await self.gates[verb].wait()
        if self.troubles[verb] and (error := self.troubles[verb].pop(0)) is not None:
            raise error

    def put(self, *messages: Message[str]) -> None:
        self.visible += messages
        self._arrived.set()

    async def open(self) -> bool:
        await self._call("open")
        return True

    async def receive(self, count: int) -> list[Message[str]]:
        self.asked.append(count)
        await self._call("receive")
        if not self.visible:
            self._arrived.clear()
            poll = asyncio.ensure_future(self._arrived.wait())
            await self._fake_clock.first(poll, seconds=20)
            poll.cancel()
        taken, self.visible = self.visible[:count], self.visible[count:]
        return taken

    async def extend(self, message: Message[Any], seconds: float) -> None:
        await self._call("extend", f"extend {message.id} {seconds:g}")

    async def delay(self, message: Message[Any], seconds: float) -> None:
        await self._call("delay", f"delay {message.id} {seconds:g}")

    async def release(self, messages: Sequence[Message[Any]]) -> list[Message[Any]]:
        await self._call("release", f"release {' '.join(one.id for one in messages)}")
        self.given_back += [one.id for one in messages if one not in self.refused]
        return self.refused

    async def delete(self, message: Message[Any]) -> None:
        await self._call("delete", f"delete {message.id}")

    async def dead_letter(self, message: Message[Any], reject: Reject, attempt: int) -> bool:
        await self._call("dead_letter", f"dead_letter {message.id}")
        self.dead.append((message.id, reject, attempt))
        return self.with_reason

    async def counts(self) -> Counts:
        return Counts(len(self.visible), 0, 0)

    def hurry(self) -> None:
        self.hurried = True


class FakePulse(Pulse):
    """A sign of life that stays in memory."""

    def __init__(self, journal: list[str] | None = None) -> None:
        self.path = Path("/nowhere/pulse.json")
        self.journal = [] if journal is None else journal
        self.states: list[str] = []
        self.trouble: OSError | None = None
        self.facts: dict[str, Any] = {
            "in_hand": {}, "state": "starting", "handled": 0, "last_receive": None, "empty_receives": 0,
            "runs": 0, "run_seconds": 0.0, "longest_run": 0.0,
        }  # fmt: skip

    def write(self, **changes: object) -> None:
        self.facts.update(changes)
        if not self.states or self.states[-1] != self.facts["state"]:
            self.states.append(self.facts["state"])

    def hold(self, key: str, **facts: object) -> None:
        if key not in self.facts["in_hand"]:
            self.journal.append(f"hold {facts.get('message_id')}")
        super().hold(key, **facts)

    def drop(self, key: str) -> None:
        self.journal.append(f"drop {self.facts['in_hand'][key]['message_id']}")
        super().drop(key)


class FakeInvoker(Invoker):
    """Runs a coroutine function of the test in place of a handler."""

    def __init__(
        self,
        run: Callable[[Message[str], Context, Stop], Awaitable[Ran]],
        journal: list[str] | None = None,
    ) -> None:
        self.run = run
        self.journal = [] if journal is None else journal
        self.contexts: list[Context] = []
        self.resets = 0
        self.reset_answer: list[tuple[str, BaseException]] | None = []

    async def invoke(self, message: Message[str], context: Context, stop: Stop) -> Ran:
        self.journal.append(f"run {message.id}")
        self.contexts.append(context)
        return await self.run(message, context, stop)

    async def reset(self, hooks: list[Callable[[], Any]]) -> list[tuple[str, BaseException]] | None:
        del hooks
        self.resets += 1
        return self.reset_answer


class Inline(Lane):
    """A lane whose calls are done at once, on the loop; `hangs`: they never answer."""

    def __init__(self, *_: object) -> None:
        self.hangs = False

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self.hangs:
            return future
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - as the real one
            future.set_exception(error)
        return future


class FakeLeaks(Leaks):
    """Finds nothing, and notes when it was asked."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    async def look(self, handled: int) -> None:
        self.looks.append(handled)


class FakeLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.bound: dict[str, object] = {}

    def bind(self, **facts: object) -> FakeLog:
        other = FakeLog()
        other.lines, other.bound = self.lines, {**self.bound, **facts}
        return other

    def debug(self, event: str, **facts: Any) -> None:
        self._keep("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        self._keep("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        self._keep("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        self._keep("error", event, facts)

    def _keep(self, level: str, event: str, facts: dict[str, Any]) -> None:
        self.lines.append({"level": level, "event": event, **self.bound, **facts})

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


class Living(Life):
    """A life whose log and sign of life a test can look at."""

    @property
    def lines(self) -> FakeLog:
        return cast("FakeLog", self.log)

    @property
    def sign(self) -> FakePulse:
        return cast("FakePulse", self.pulse)


def living(clock: Clock, journal: list[str] | None = None, **given: Any) -> Living:
    """Begin a life; on a running loop."""
    chosen = settings(**given)
    stop, patience = Stop(clock, chosen.drain_seconds), Patience(clock, chosen.patience)
    return Living(chosen, clock, stop, FakePulse(journal), patience, cast("Any", FakeLog()))
