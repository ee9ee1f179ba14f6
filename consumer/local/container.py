"""The demo's container: `consumer up` as a child process, with the times of real life divided by a hundred."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil

from consumer.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCALED = {
    "CONSUMER_STOP_TIMEOUT": "30",  # not scaled: it is the time that this machine needs, and a drain here takes 3 s
    "CONSUMER_WAIT_TIME_SECONDS": "2",
    "CONSUMER_VISIBILITY_TIMEOUT": "6",
    "CONSUMER_TIME_LIMIT": "9",
    "CONSUMER_BACKOFF": "0.3",  # SQS counts whole seconds, so that 1 is the least
    "CONSUMER_BACKOFF_CAP": "9",
    "CONSUMER_FAILURE_PAUSE": "0.05",
    "CONSUMER_LOG_FORMAT": "json",  # the demo reads it
}
TAIL = 12  # lines of the log shown when the container dies
WIDTH = 160


def variables(ours: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Give the container's environment: the user's own, without settings meant for another container. Pure."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)} | SCALED | dict(ours)


class Container:
    """The child process, its run directory and its log."""

    def __init__(self, folder: Path, cwd: Path, ours: Mapping[str, str]) -> None:
        self.log = folder / "container.log"
        self.run_dir = folder / "run"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "consumer", "up"],
                cwd=cwd,
                env=variables({**ours, "CONSUMER_RUN_DIR": str(self.run_dir)}, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops the container in order
            )

    @property
    def pid(self) -> int:
        """The container's PID 1, were it one."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, 128 + n after signal n; None while the container runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def stop(self) -> None:
        """Ask the container to drain and leave, as the platform does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the container and every process in it at once."""
        if self._process.poll() is not None:
            return
        for process in [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()

    def last_words(self) -> list[str]:
        """Give the log's last lines, as people read them."""
        return [_plain(line) for line in self.log.read_text(errors="replace").splitlines()[-TAIL:]]


def _plain(line: str) -> str:
    try:
        event = json.loads(line)
    except ValueError:
        return line[:WIDTH]
    if not isinstance(event, dict):
        return line[:WIDTH]
    usual = ("timestamp", "level", "event", "container", "queue")
    facts = [f"{name}={value}" for name, value in event.items() if name not in usual]
    return " ".join([str(event.get("level", "")), str(event.get("event", "")), *facts]).strip()[:WIDTH]
