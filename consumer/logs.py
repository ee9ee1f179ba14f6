"""structlog set up for a container: one JSON object a line, at most 4 KiB, one write a line, never a wait."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import structlog

from consumer import queuename
from consumer.sink import PIPE_ATOMIC, Sink

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger, WrappedLogger

LINE = PIPE_ATOMIC - 1  # bytes, and the newline
MARK = "... (cut)"
FEW, NAME = 8, 40  # fields, and characters of their names and bytes of their values, that fit whatever they are
METRICS = "_metrics"  # a field that is put at the line's root, whole, whatever else has to be cut; written at any level
LEVELS = logging.getLevelNamesMapping()
QUIET = ("botocore", "boto3", "urllib3", "asyncio")  # libraries whose talk below a warning says nothing about messages


def identity(process: str, queue: str) -> dict[str, Any]:
    """Give what every line of a container's process bears; `queue` is its URL or name."""
    return {"process": process, "container": os.uname().nodename, "queue": queuename.of(queue)}


def configure(*, form: str, level: str, sink: Sink, **tags: object) -> FilteringBoundLogger:
    """Set up structlog, the standard library's logging and, for JSON, what is printed; return a logger.

    form: json or console. sink: where lines go. tags: bound to every line of this process.
    """
    number = LEVELS[level.upper()]

    def tag(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**tags, **event}

    shared: list[Any] = [
        partial(_drop, number),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        tag,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        final: list[Any] = [structlog.processors.format_exc_info, render]
    else:
        tags = {"process": tags.get("process")}  # a person at a terminal knows which container and queue
        plain = structlog.dev.plain_traceback  # the other kinds print the handler's variables, and so the body
        final = [structlog.dev.ConsoleRenderer(colors=os.isatty(1), exception_formatter=plain), encode]
    processors, wrapper = [*shared, *final], structlog.make_filtering_bound_logger(min(number, logging.INFO))
    structlog.configure(  # for the user's own loggers; a handler may configure them anew, and ours stay as they are
        processors=processors,
        wrapper_class=wrapper,
        logger_factory=lambda *_: Lines(sink),
        cache_logger_on_first_use=True,
    )
    ours = structlog.wrap_logger(Lines(sink), processors=processors, wrapper_class=wrapper, context_class=dict)
    log: FilteringBoundLogger = ours.bind()
    if form == "json":
        for name in ("stdout", "stderr"):
            setattr(sys, name, Printed(name, log))
    _take_over_logging(number, log)
    return log


def _drop(least: int, _: WrappedLogger, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop an event that is not to be logged; one that bears metrics, which is an info at least, always is."""
    if METRICS not in event and LEVELS.get(method.upper(), least) < least:
        raise structlog.DropEvent
    return event


def render(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> bytes:
    """Render one event as a line of JSON; the longest texts are cut until it fits. What is measured comes whole."""
    facts = {
        "timestamp": event.pop("timestamp", None),
        "level": event.pop("level", None),
        "event": event.pop("event", None),
    }
    measured = event.pop(METRICS, {})
    facts.update((name, value) for name, value in event.items() if name not in measured)
    line = _line(measured, facts)
    room = LINE * 7 // 8
    while len(line) > LINE and room > 2 * len(MARK):
        facts = {name: _cut(name, value, room) for name, value in facts.items()}
        line = _line(measured, facts)
        room //= 2
    if len(line) > LINE:  # too many fields, or too long names: the ones that tell most stay
        few = {name[:NAME]: _cut(name, facts[name], NAME) for name in list(facts)[:FEW]}
        line = _line(measured, {**few, "cut": len(facts) - FEW})
    return line + b"\n"


def encode(_: WrappedLogger, __: str, text: str) -> bytes:
    """Make a line of what was rendered for people."""
    return text.encode("utf-8", "replace") + b"\n"


def dropped(count: int, **tags: object) -> bytes:
    """Give the line that says how many lines a stalled log driver has cost."""
    return _dump({"level": "warning", "event": "log_lines_dropped", "count": count, **tags}) + b"\n"


def _line(measured: MutableMapping[str, Any], facts: MutableMapping[str, Any]) -> bytes:
    """Put what is measured first; on its own: whatever else JSON cannot hold, this it can."""
    return _dump(measured)[:-1] + b", " + _dump(facts)[1:] if measured else _dump(facts)


def _dump(facts: MutableMapping[str, Any]) -> bytes:
    try:
        text = json.dumps(facts, default=_said, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # NaN, keys that are no texts, circles, 5000 digits
        text = json.dumps({name: _plain(value) for name, value in facts.items()}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _said(value: object) -> str:
    try:
        return repr(value)
    except BaseException as slip:  # noqa: BLE001 - a slip in a user's __repr__ must cost a value, not a delivery
        return f"({type(value).__name__}: its repr raised {type(slip).__name__})"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    """Make of a value what JSON can surely carry."""
    if value is None or isinstance(value, str | bool):
        return value
    short = (isinstance(value, float) and isfinite(value)) or (isinstance(value, int) and value.bit_length() <= 64)  # noqa: PLR2004
    return value if short else _said(value)


def _cut(name: str, value: Any, room: int) -> Any:  # noqa: ANN401 - any field
    """Cut a value to so many bytes; of a traceback the end stays, which names the error."""
    plain = _plain(value)
    data = plain.encode("utf-8", "replace") if isinstance(plain, str) else b""
    if len(data) <= room:
        return value
    keep = room - len(MARK)
    return (
        MARK + data[-keep:].decode(errors="ignore")
        if name == "exception"
        else data[:keep].decode(errors="ignore") + MARK
    )


class Lines:
    """What structlog writes to: one write a line."""

    def __init__(self, sink: Sink) -> None:
        self.msg = sink.write

    debug = info = warning = error = critical = exception = log = property(lambda self: self.msg)


class Printed(io.TextIOBase):
    """Stands in for stdout and stderr: what is printed becomes log events, a line each, and never waits."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, stream: str, log: FilteringBoundLogger) -> None:
        self.name = f"<{stream}>"
        self._stream = stream
        self._log = log
        self._begun = threading.local()  # a line that one thread has begun is not another's

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def fileno(self) -> int:
        """Give the real descriptor, which programs started by a handler inherit."""
        return 1 if self._stream == "stdout" else 2

    @property
    def buffer(self) -> PrintedBytes:
        """Give what takes bytes, as the real streams do."""
        return PrintedBytes(self)

    def write(self, text: str) -> int:
        """Log whole lines; keep the beginning of the next one."""
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        if len(rest) > LINE:
            lines, rest = [*lines, rest], ""
        self._begun.text = rest
        for line in lines:
            if line.strip():
                self._log.info(line[:LINE], stream=self._stream)
        return len(text)


class PrintedBytes(io.RawIOBase):
    """Stands in for `sys.stdout.buffer`."""

    def __init__(self, printed: Printed) -> None:
        super().__init__()
        self._printed = printed

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        """Log whole lines, as they read in UTF-8."""
        self._printed.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


class Bridge(logging.Handler):
    """Hands the standard library's log records to our logger."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - logging.info("%d", "x") raises nothing without us either
            text = f"{record.msg} {_said(record.args)}"
        level = min(max(record.levelno // 10, 1), 5) * 10  # structlog knows no levels between the usual five
        self._log.log(level, text, logger=record.name, exc_info=record.exc_info)


def _take_over_logging(level: int, log: FilteringBoundLogger) -> None:
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers = [Bridge(log)]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    threading.excepthook = partial(_thread_died, log)


def _thread_died(log: FilteringBoundLogger, died: threading.ExceptHookArgs) -> None:
    if died.exc_value is not None:
        log.error("thread_died", thread=died.thread.name if died.thread else None, exc_info=died.exc_value)
