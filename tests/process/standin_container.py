"""A container for tests: real `consumer up`, real supervisord, real signals, and a stand-in for the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from support.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Make = Callable[..., "Up"]

STOP_TIMEOUT = 20.0  # seconds
ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).with_name("standin.py")
BIN = Path(sys.executable).parent
HANDLER = "def handle(message): ...\n"
THREAD = f"""
import threading, time
threading.Thread(target=time.sleep, args=(60,), name="metrics", daemon=True).start()
{HANDLER}"""


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Poll until the condition holds, and give its value; fail when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


class Up:
    """One container, whose processes live one of the lives in standin_lives; options are theirs."""

    def __init__(
        self, folder: Path, life: str = "steady", *, handler: str = HANDLER, conf: str = "", **options: object
    ) -> None:
        self.folder = folder
        self.life = life
        self.run_dir = folder / "run"
        self.notes_file = folder / "notes"
        self.output_file = folder / "output"
        self.conf = folder / "supervisord.conf"
        (folder / "app.py").write_text(handler)
        self.conf.write_text((ROOT / "supervisord.conf").read_text() + conf)
        self.environment = {
            "PATH": f"{self._path()}:{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{ROOT}/tests",
            "AWS_REGION": "us-east-1",
            "CONSUMER_QUEUE_URL": "http://localhost:1/1/orders",
            "CONSUMER_HANDLER": "app:handle",
            "CONSUMER_PROCESSES": "2",
            "CONSUMER_STOP_TIMEOUT": str(STOP_TIMEOUT),
            "CONSUMER_RUN_DIR": str(self.run_dir),
            "CONSUMER_LOG_FORMAT": "json",
            "STANDIN_NOTES": str(self.notes_file),
            "STANDIN_OPTIONS": json.dumps(options),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str, stdout: int | None = None, command: Sequence[str] = (), **environment: str) -> Up:
        """Start `consumer up`, or another command; its output goes to a file unless told otherwise."""
        self.environment |= environment
        with self.output_file.open("ab") as output:
            self.process = subprocess.Popen(
                command or self.command("up", "-c", str(self.conf), *words),
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(STANDIN), self.life, *words]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def notes(self, event: str) -> list[dict[str, Any]]:
        lines = self.notes_file.read_text().splitlines() if self.notes_file.exists() else []
        return [facts for facts in map(json.loads, lines) if facts["event"] == event]

    def wait_for(self, event: str, count: int = 1, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Wait until so many notes of an event have been written."""
        try:
            wait_until(lambda: len(self.notes(event)) >= count, seconds)
        except AssertionError:
            seen = f"{len(self.notes(event))} of {count} notes {event!r}"
            raise AssertionError(f"{seen}; the output:\n{self.output}") from None
        return self.notes(event)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = STOP_TIMEOUT) -> int:
        """Wait for the container to leave; give its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the container does not leave; its output:\n{self.output}") from None

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Ask supervisorctl, as a person would."""
        command = [str(BIN / "supervisorctl"), "-c", str(self.conf), *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=20, check=False)

    def clean_up(self) -> None:
        """End whatever is left, by its pid."""
        if self.process is None or self.process.poll() is not None:
            return
        left = [*psutil.Process(self.pid).children(recursive=True), psutil.Process(self.pid)]
        for process in left:
            process.kill()
        self.process.wait()

    def _path(self) -> Path:
        """Make a `consumer` for where processes are exec'd, whose `work` is the stand-in too."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "consumer"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN} {self.life} "$@"\n')
        program.chmod(0o755)
        return folder
