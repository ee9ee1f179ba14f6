"""A process's stdout, and its last words."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from consumer import logs
from consumer.clock import Clock
from consumer.process.stop import Leaving
from consumer.sink import Sink

FLUSH_SECONDS = 0.5  # for the last log lines, where the driver is stalled


def stdout(tags: dict[str, Any]) -> Sink:
    """Write straight to the container's stdout: through supervisord's loop, a stalled log driver would stop it."""
    try:
        container = int(os.environ.get("CONSUMER_LOG_FD", ""))
        os.fstat(container)
    except (ValueError, OSError):
        pass
    else:
        os.dup2(container, 1)
        os.dup2(container, 2)
    return Sink(1, partial(logs.dropped, **tags))


def refuse(wrong: Exception) -> int:
    """Say on stderr what is wrong with the settings, there being no logger yet; return the exit code."""
    sys.stderr.write(f"{wrong}\n")
    return Leaving.SETTINGS.value


def last_lines(sink: Sink, leaving: Leaving) -> int:
    """Give the last log lines a moment where the log driver is stalled; return the exit code."""
    tries = 10
    while not sink.flush() and tries:
        Clock().block(FLUSH_SECONDS / 10)
        tries -= 1
    return leaving.value
