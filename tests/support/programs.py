"""Real programs under test: started with an environment, watched through their log, stopped by pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from consumer.process import pulse

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0  # seconds; reached only when something is wrong, however slow the machine
STOP_TIMEOUT = 30.0  # seconds

QUICK = {  # a container whose every wait is short
    "CONSUMER_PROCESSES": "2",
    "CONSUMER_STOP_TIMEOUT": str(STOP_TIMEOUT),
    "CONSUMER_WAIT_TIME_SECONDS": "1",
    "CONSUMER_VISIBILITY_TIMEOUT": "6",
    "CONSUMER_HEARTBEAT_INTERVAL": "0.5",
    "CONSUMER_TIME_LIMIT": "60",
    "CONSUMER_BACKOFF": "0",
    "CONSUMER_FAILURE_PAUSE": "0",
    "CONSUMER_LOG_FORMAT": "json",
}


def wait_until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until something holds, and give it; fail with its name when it never does."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        found = holds()
        if found:
            return found
        time.sleep(min(0.1, max(0.02, passed / 20)))  # a look costs the machine time that what is waited for needs
    raise AssertionError(f"never came to pass within {seconds:g} s: {what}")


class Program:
    """`consumer work` or `consumer up`, running. `before`: what its command line is preceded by."""

    def __init__(
        self,
        folder: Path,
        *command: str,
        env: dict[str, str],
        stdout: int | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        self.run_dir = folder / "run"
        self.log = folder / f"{command[0]}.log"
        self.env = {**os.environ, **QUICK, "CONSUMER_RUN_DIR": str(self.run_dir), **env}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "consumer", *command],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,
                cwd=env.get("CWD"),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pids = [life["pid"] for life in self.lives()]
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in pids:
            kill(pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        return self.process.pid

    def lives(self) -> list[dict[str, Any]]:
        """The processes that live, from their signs of life."""
        return pulse.living(self.run_dir)

    def events(self, name: str = "", **facts: object) -> list[dict[str, Any]]:
        """The log's lines with this event and these facts."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                continue
            if (not name or one.get("event") == name) and all(one.get(key) == value for key, value in facts.items()):
                found.append(one)
        return found

    def wait_for(self, name: str, count: int = 1, **facts: object) -> list[dict[str, Any]]:
        """Wait until the log holds so many such lines."""
        self._wait_until(lambda: len(self.events(name, **facts)) >= count, f"{count} x {name} {facts}")
        return self.events(name, **facts)

    def ready(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many processes have had an answered receive or hold a message."""
        self._wait_until(lambda: len(self._at_work()) >= count, f"{count} processes ready")
        return self._at_work()

    def _at_work(self) -> list[dict[str, Any]]:
        return [life for life in self.lives() if life["last_receive"] or life["in_hand"]]

    def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe log ends with\n{self.tail()}") from None

    def terminate(self) -> int:
        """Send SIGTERM and give the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self) -> int:
        try:
            return self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running\n{self.tail()}") from None

    def tail(self, lines: int = 25) -> str:
        return "\n".join(line[:300] for line in self.log.read_text(errors="replace").splitlines()[-lines:])


def consumer(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    """Run another command in the container's environment."""
    return subprocess.run(
        [sys.executable, "-m", "consumer", *words],
        env=program.env,
        cwd="tests",
        capture_output=True,
        text=True,
        check=False,
    )


def agent_of(container: Program) -> int:
    """The agent's pid: the child of PID 1 that shows no sign of life of its own."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    return next(iter({int(pid) for pid in children} - {life["pid"] for life in container.lives()}), 0)


def kill(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
