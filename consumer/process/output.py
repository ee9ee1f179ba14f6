"""A process's log on the container's stdout, and its last words."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from consumer import logs
from consumer.clock import Clock
from consumer.process.stop import Leaving
from consumer.sink import Sink

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from consumer.settings import Settings

FLUSH_SECONDS = 0.5  # for the last log lines, where the driver is stalled


def log(process: str, settings: Settings) -> tuple[Sink, FilteringBoundLogger]:
    """Set up a process's log, straight to the container's stdout; give what its lines go through, and its logger.

    Through supervisord's loop, a stalled log driver would stop it.
    """
    try:
        container = int(os.environ.get("CONSUMER_LOG_FD", ""))
        os.fstat(container)
    except (ValueError, OSError):
        pass
    else:
        os.dup2(container, 1)
        os.dup2(container, 2)
    tags = logs.identity(process, settings.queue_url)
    sink = Sink(1, partial(logs.dropped, **tags))
    return sink, logs.configure(form=settings.log_format, level=settings.log_level, sink=sink, **tags)


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
