"""Everything that a chaos run is played on: server, database, proxies, containers; and what is read afterwards."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import NullPool, create_engine, make_url, text

from chaos import history
from chaos.history import Effect, Fault, History, Row, Run, Sent
from chaos.proxy import HOST
from chaos.servers import QueueServer
from chaos.victims import candidates
from consumer.local import server
from consumer.message.queue import BATCH, counts
from support.programs import Program, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from chaos.servers import Database

TESTS = str(Path(__file__).parents[1])
SETTINGS = {
    "CONSUMER_STOP_TIMEOUT": "20",
    "CONSUMER_VISIBILITY_TIMEOUT": "6",
    "CONSUMER_HEARTBEAT_INTERVAL": "1.5",
    "CONSUMER_TIME_LIMIT": "20",
    "CONSUMER_TIME_LIMIT_GRACE": "2",
    "CONSUMER_LIMIT": "40",  # so that processes retire by themselves all the while
    "CONSUMER_BACKOFF": "0.5",
    "CONSUMER_BACKOFF_MULTIPLIER": "1.5",
    "CONSUMER_BACKOFF_CAP": "1",
    "CONSUMER_FAILURE_PAUSE": "0.1",
    "CONSUMER_MAX_ATTEMPTS": "8",  # a good message fails once for each time that its database breaks off under it
    "CONSUMER_MAX_CRASHES": "3",
}
BACKSTOP = "1000"  # receives, of which there are many here: the queue's own limit must not decide anything
LAG = 0.6  # seconds between two of its moments, of 0.1 s each, by which the machine is said to have stood still
UP_WITHIN = 120.0  # seconds


class Machine(threading.Thread):
    """Notes when this machine stands still: what lapses then lapses by no fault of the product, nor of the monkey.

    It does what a process does for its sign of life: it wakes up, and puts a file in another one's place.
    """

    def __init__(self, folder: Path, faults: list[Fault]) -> None:
        super().__init__(name="machine", daemon=True)
        self._file, self._faults = folder / "machine", faults
        self._over = threading.Event()

    def run(self) -> None:
        before = time.time()
        while not self._over.wait(0.1):
            beside = self._file.with_suffix(".new")
            beside.write_text(str(before))
            beside.rename(self._file)
            now = time.time()
            if now - before > LAG:
                self._faults.append(Fault("machine", before, now))
            before = now

    def stop(self) -> None:
        self._over.set()
        self.join()


class Scene:
    """A queue with its dead-letter queue, a database with a table for effects, and containers."""

    def __init__(self, folder: Path, database: Database, **settings: str) -> None:
        self.folder, self.database = folder, database
        self.faults: list[Fault] = []
        self.sent: list[Sent] = []
        self.containers: list[Program] = []
        self.gone: set[int] = set()
        self.codes: dict[int, int] = {}
        self.server = QueueServer(folder)
        self._settings = SETTINGS | settings
        self._stack = ExitStack()
        self._engine: Engine

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.server.break_off)
            self.server.start_again()
            stack.callback(self.database.stop)
            self.database.start()
            for proxy in (self.server.proxy, self.database.proxy):
                if proxy is not None:
                    stack.callback(proxy.stop)
                    proxy.start()
            through = server.variables(f"http://{HOST}:{self.server.proxy.port}") | server.direct()
            stack.enter_context(server.environment(through))
            machine = Machine(self.folder, self.faults)
            stack.callback(machine.stop)
            machine.start()
            self._make_queues()
            self._make_table()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def up(self, handler: str, *, processes: int, concurrency: int = 1, command: str = "up") -> Program:
        """Start one more container, whose calls go through the proxies; end it with the scene."""
        number = len(self.containers)
        folder = self.folder / str(number)
        folder.mkdir()
        env = {
            **self._settings,
            "CONSUMER_QUEUE_URL": self.url,
            "CONSUMER_DATABASE_URL": self.database.through,
            "CONSUMER_HANDLER": f"chaos.handlers:{handler}",
            "CONSUMER_PROCESSES": str(processes),
            "CONSUMER_CONCURRENCY": str(concurrency),
            "CALLS": str(self.folder / "calls"),
            "CHAOS_CONTAINER": str(number),
            "CWD": TESTS,
        }
        self.containers.append(self._stack.enter_context(Program(folder, command, env=env)))
        return self.containers[-1]

    def ready(self) -> None:
        """Wait until in each container a process has had an answer from the queue."""
        for number in self.alive():
            wait_until(partial(candidates, self.containers[number]), f"container {number} is up", UP_WITHIN)

    def alive(self) -> list[int]:
        """The containers that should run, by their numbers."""
        return [number for number in range(len(self.containers)) if number not in self.gone]

    def send(self, works: Sequence[tuple[str, str]]) -> None:
        """Send bodies, each with its kind, by tens; remember them by their message ids."""
        for first in range(0, len(works), BATCH):
            some = works[first : first + BATCH]
            entries: Any = [{"Id": str(index), "MessageBody": body} for index, (_, body) in enumerate(some)]
            answer = self.server.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            for one in answer["Successful"]:
                kind, body = some[int(one["Id"])]
                key = json.loads(body)["key"] if kind != "undecodable" else ""
                self.sent.append(Sent(one["MessageId"], key, kind))

    def left(self) -> int:
        """How many messages are not settled."""
        found = counts(self.server.sqs, self.url)
        return found.visible + found.in_flight + found.delayed

    def drain(self, seconds: float) -> None:
        """Wait until the queue is empty, or nothing has left it for so many seconds."""
        least, since = self.left(), time.monotonic()
        while least and time.monotonic() - since < seconds:
            time.sleep(0.1)
            left = self.left()
            if left < least:
                least, since = left, time.monotonic()

    def stop(self) -> None:
        """Tell all containers to stop, and note how they leave."""
        for number in self.alive():
            self.containers[number].process.terminate()
        for number in self.alive():
            self.codes[number] = self.containers[number].exit_code()

    def runs(self) -> list[Run]:
        """Read the calls to the outside."""
        return history.read_runs(self.folder / "calls")

    def effects(self) -> list[Effect]:
        """Read what handlers have written."""
        with self._engine.begin() as connection:
            return [Effect(*row) for row in connection.execute(text("SELECT key, message_id, run FROM effects"))]

    def history(self) -> History:
        """Read everything; once, since it takes what is in the dead-letter queue."""
        with self._engine.begin() as connection:
            rows = {
                key: Row(state, fence)
                for key, state, fence in connection.execute(text("SELECT key, state, fence FROM consumer_ledger"))
            }
        return History(
            sent=self.sent,
            runs=self.runs(),
            effects=self.effects(),
            rows=rows,
            dead=history.read_dead(self._take_dead()),
            lines=[line for number, one in enumerate(self.containers) for line in history.read_log(number, one.log)],
            faults=self.faults,
            left=self.left(),
            codes=self.codes,
        )

    def _make_queues(self) -> None:
        sqs = self.server.sqs
        self.dlq_url = sqs.create_queue(QueueName="chaos-dead")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self.dlq_url, AttributeNames=["QueueArn"])["Attributes"]
        policy = json.dumps({"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": BACKSTOP})
        self.url = sqs.create_queue(QueueName="chaos", Attributes={"RedrivePolicy": policy})["QueueUrl"]

    def _make_table(self) -> None:
        url = make_url(self.database.url)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        self._engine = create_engine(url, poolclass=NullPool)  # a restart breaks what a pool keeps
        with self._engine.begin() as connection:
            connection.execute(text("CREATE TABLE effects (key VARCHAR(40), message_id VARCHAR(40), run VARCHAR(40))"))

    def _take_dead(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while some := self.server.sqs.receive_message(
            QueueUrl=self.dlq_url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=600,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += [dict(one) for one in some]
        return found
