"""Containers under test: limited as a small Fargate task is, watched through the engine's own commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0  # seconds; a quarter of a processor is slow, and others may be using the rest
BUILD_SECONDS = 480  # on a bare machine a base image is made first
PAUSE = 0.25  # between two looks, which take from the container's own quarter of a processor
PULSES = "for pulse in /run/consumer/*.*.*.json; do cat $pulse; echo; done"
LIMITS = (
    *("--cpus", "0.25", "--memory", "512m", "--memory-swap", "512m", "--pids-limit", "256"),
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--network", "host"),  # the queue listens on this machine's loopback
)
TMPFS = ("--tmpfs", "/run/consumer")
HANDLERS = ("--volume", f"{Path(__file__).with_name('handlers.py')}:/app/handlers.py:ro")
AWS = ("AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")


class Engine:
    """The docker command that reaches an engine and can build."""

    def __init__(self, docker: str) -> None:
        self.docker = docker

    def __call__(
        self, *words: str, code: int | None = 0, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a docker command; fail with what it said unless it ends with this exit code (None: any)."""
        done = subprocess.run([self.docker, *words], capture_output=True, text=True, timeout=timeout, check=False)
        if code is not None and done.returncode != code:
            raise AssertionError(f"docker {' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def build(self, tag: str) -> None:
        """Build this checkout's image."""
        script = (str(ROOT / "scripts" / "image"), tag)
        done = subprocess.run(script, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        assert done.returncode == 0, f"the image cannot be built\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def run(self, image: str, *command: str, options: tuple[str, ...] = TMPFS, **env: str) -> Container:
        """Start a container in the background."""
        return Container(
            self, self("run", "--detach", *LIMITS, *options, *_variables(env), image, *command).stdout.strip()
        )

    def once(self, image: str, *command: str, options: tuple[str, ...] = TMPFS, **env: str) -> tuple[int, str, str]:
        """Run a container to its end; give its exit code, stdout and stderr."""
        done = self("run", "--rm", *LIMITS, *options, *_variables(env), image, *command, code=None)
        return done.returncode, done.stdout, done.stderr


class Container:
    """One container, by its id."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.began = time.monotonic()

    def state(self, what: str) -> str:
        """Ask the engine: `.State.Running`, for example."""
        return self.engine("inspect", "--format", f"{{{{{what}}}}}", self.name).stdout.strip()

    def lines(self) -> list[dict[str, Any]]:
        """The log: every line of stdout must be one JSON object."""
        return [json.loads(line) for line in self.engine("logs", self.name).stdout.splitlines()]

    def said(self) -> str:
        """Everything that it wrote."""
        done = self.engine("logs", "--tail", "40", self.name)
        return done.stdout + done.stderr

    def events(self, name: str, **facts: object) -> list[dict[str, Any]]:
        """The log's lines with this event and these facts."""
        return [one for one in self.lines() if one["event"] == name and facts.items() <= one.items()]

    def wait_for(self, name: str, count: int = 1, **facts: object) -> list[dict[str, Any]]:
        """Wait until the log holds so many such lines."""
        return self.wait_until(lambda: len(found := self.events(name, **facts)) >= count and found, f"{name} {facts}")  # type: ignore[no-any-return]

    def wait_until(self, holds: Any, what: str) -> Any:
        """Wait until something holds, and give it; fail with the end of the log when it never does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := holds():
                return found
            time.sleep(PAUSE)
        raise AssertionError(f"never came to pass within {PATIENCE:g} s: {what}; the container said\n{self.said()}")

    def wait_healthy(self) -> float:
        """Wait until the image's own health check passes; give the seconds since the start."""
        self.wait_until(lambda: self.state(".State.Health.Status") == "healthy", "healthy")
        return time.monotonic() - self.began

    def status(self) -> list[dict[str, Any]]:
        """Give the processes that live, from `consumer status` inside."""
        found = json.loads(self.engine("exec", self.name, "consumer", "status", "--json", code=None).stdout)
        return list(found["processes"])

    def wait_ready(self, count: int, since: float = 0) -> None:
        """Wait until so many processes, started after that time, have had an answer from the queue.

        Read from their signs of life: that is far cheaper in there than to start a Python for each look.
        """

        def ready() -> bool:
            said = self.engine("exec", self.name, "sh", "-c", PULSES, code=None).stdout.splitlines()
            lives: list[dict[str, Any]] = [json.loads(line) for line in said if line.endswith("}")]
            return len([one for one in lives if one["last_receive"] and one["started"] > since]) >= count

        self.wait_until(ready, f"{count} processes ready")

    def memory(self) -> float:
        """Give the container's memory in MiB, page cache included, as the engine counts it."""
        used = self.engine("stats", "--no-stream", "--format", "{{.MemUsage}}", self.name).stdout.split("/")[0].strip()
        return float(used.removesuffix("MiB"))

    def stop(self, seconds: int) -> tuple[int, float]:
        """Send SIGTERM, and SIGKILL after so many seconds; give the exit code and the seconds that it took."""
        began = time.monotonic()
        self.engine("stop", "--time", str(seconds), self.name, timeout=seconds + 30)
        return int(self.state(".State.ExitCode")), time.monotonic() - began

    def exit_code(self) -> int:
        """Wait until it has left by itself; give its exit code."""
        return int(self.engine("wait", self.name).stdout)

    def remove(self) -> None:
        self.engine("rm", "--force", "--volumes", self.name)


def _variables(env: dict[str, str]) -> list[str]:
    every = {name: os.environ[name] for name in AWS if name in os.environ} | env
    return [word for name, value in every.items() for word in ("--env", f"{name}={value}")]
