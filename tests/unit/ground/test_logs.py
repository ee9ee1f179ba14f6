# ruff: noqa: T201 - what a handler prints is what is tested
from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from consumer import logs
from consumer.fleet.metrics import ALL, emf
from consumer.sink import Sink
from unit.texts import any_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger


class Desk:
    """Logs of a process, written to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def configure(self, form: str = "json", level: str = "info") -> FilteringBoundLogger:
        return logs.configure(form=form, level=level, sink=Sink(self.fd), process="worker_00", container="c", queue="q")

    @property
    def raw(self) -> list[str]:
        return self.path.read_text().splitlines()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Put everything back that logging takes over."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    made = Desk(tmp_path / "log")
    with warnings.catch_warnings():
        yield made
        logging.captureWarnings(capture=False)
    os.close(made.fd)
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_an_event_is_one_line_with_its_tags(desk: Desk) -> None:
    log = desk.configure()
    with structlog.contextvars.bound_contextvars(message_id="m1", attempt=2):
        log.info("delivered", seconds=1.5, text="two\nlines")
    (line,) = desk.lines
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info", "event": "delivered", "process": "worker_00", "container": "c", "queue": "q",
        "message_id": "m1", "attempt": 2, "seconds": 1.5, "text": "two\nlines",
    }  # fmt: skip
    assert list(desk.lines[0])[:3] == ["timestamp", "level", "event"]


def test_below_the_level_nothing_is_written(desk: Desk) -> None:
    log = desk.configure(level="warning")
    log.info("no")
    logging.getLogger("app").info("no")
    log.warning("yes")
    assert [line["event"] for line in desk.lines] == ["yes"]


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

VALUES = (
    any_text(max_size=9000)
    | st.integers()
    | st.floats()
    | st.none()
    | st.booleans()
    | st.binary(max_size=3000)
    | st.dictionaries(any_text() | st.tuples(st.integers()), st.floats() | any_text(), max_size=3)
    | st.sampled_from(
        [Rude(), [Rude()], CIRCLE, DEEP, 10**4000, -(10**5000), [10**5000], {(1, 2): Rude()}, "\x00" * 5000]
    )
)


@example(facts={f"name {number}": "x" * 50 for number in range(1000)})
@example(facts={str(number) + "\x00" * 5000: "\x00" * 5000 for number in range(10)})
@example(facts={"seconds": float("nan"), "size": float("-inf"), "deep": [{"er": float("inf")}]})
@given(facts=st.dictionaries(any_text(max_size=5000), VALUES, max_size=40))
def test_a_line_is_one_valid_json_object_of_at_most_four_kib_with_any_content(facts: dict[str, Any]) -> None:
    line = logs.render(None, "info", {"timestamp": "t", "level": "info", "event": "e", **facts})
    assert len(line) <= 4096
    assert line.count(b"\n") == 1
    assert isinstance(json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")), dict)


@given(names=st.lists(any_text(max_size=300), min_size=1, max_size=600, unique=True), fill=any_text(max_size=100))
def test_a_line_of_very_many_fields_says_how_many_are_left_out(names: list[str], fill: str) -> None:
    line = logs.render(None, "info", {"timestamp": "t", "level": "info", "event": "e", **dict.fromkeys(names, fill)})
    assert len(line) <= 4096
    facts = json.loads(line)
    assert "cut" in facts or set(facts) >= set(names)


def test_a_long_text_is_cut_with_a_mark_and_the_short_ones_stay() -> None:
    line = json.loads(logs.render(None, "info", {"event": "e", "message_id": "m1", "attempt": 3, "text": "x" * 10_000}))
    assert (line["message_id"], line["attempt"]) == ("m1", 3)
    assert line["text"].endswith("... (cut)")
    assert len(line["text"]) > 3000


def test_of_a_long_traceback_the_end_stays_which_names_the_error() -> None:
    trace = "Traceback\n" + "a frame\n" * 2000 + "ValueError: the reason"
    line = json.loads(logs.render(None, "error", {"event": "e", "exception": trace}))
    assert line["exception"].startswith("... (cut)")
    assert line["exception"].endswith("ValueError: the reason")


def test_what_is_printed_becomes_events_a_line_each(desk: Desk) -> None:
    desk.configure()
    print("one")
    print("two", "three", end="")
    print(" and more\nfour\n\n", end="")
    print("to stderr", file=sys.stderr)
    found = [(line["event"], line["stream"], line["process"]) for line in desk.lines]
    assert found == [
        ("one", "stdout", "worker_00"),
        ("two three and more", "stdout", "worker_00"),
        ("four", "stdout", "worker_00"),
        ("to stderr", "stderr", "worker_00"),
    ]
    sys.stdout.flush()
    assert not sys.stdout.isatty()
    assert sys.stdout.fileno() == 1
    assert sys.stderr.fileno() == 2


def test_a_print_without_end_is_written_in_pieces(desk: Desk) -> None:
    desk.configure()
    print("x" * 1024 * 1024, end="")
    print("y")
    assert [line["event"][0] for line in desk.lines] == ["x", "y"]
    assert all(len(line) < 4096 for line in desk.raw)


def test_a_line_that_one_thread_has_begun_is_not_another_s(desk: Desk) -> None:
    desk.configure()
    print("mine ", end="")
    other = threading.Thread(target=lambda: print("theirs"))
    other.start()
    other.join()
    print("too")
    assert [line["event"] for line in desk.lines] == ["theirs", "mine too"]


def test_the_standard_library_s_logging_warnings_and_dead_threads_come_along(desk: Desk) -> None:
    desk.configure()
    logging.getLogger("app").warning("100%% of %s", "it")
    try:
        int("reason")
    except ValueError:
        logging.getLogger("app").exception("it failed")
    logging.getLogger("app").error("no exception", exc_info=True)  # noqa: LOG014 - a library's slip
    logging.getLogger("botocore.hooks").info("chatter")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="doomed")
    thread.start()
    thread.join()
    first, second, third, fourth, fifth = desk.lines
    assert (first["event"], first["logger"], first["level"]) == ("100% of it", "app", "warning")
    assert second["exception"].endswith("literal for int() with base 10: 'reason'")
    assert third["event"] == "no exception"
    assert "DeprecationWarning: old" in fourth["event"]
    assert (fifth["event"], fifth["thread"]) == ("thread_died", "doomed")
    assert "ZeroDivisionError" in fifth["exception"]


@pytest.mark.parametrize(("number", "name"), [(25, "info"), (35, "warning"), (99, "critical"), (21, "info")])
def test_a_level_of_a_library_s_own_is_the_next_lower_usual_one(desk: Desk, number: int, name: str) -> None:
    desk.configure()
    logging.getLogger("app").log(number, "x")
    assert [line["level"] for line in desk.lines] == [name]


def test_a_slip_in_a_log_call_raises_nothing_into_the_handler(desk: Desk) -> None:
    log = desk.configure()
    logging.getLogger("app").info("%d items", "many")
    log.info("x", value=Rude(), numbers={(1, 2): float("nan")})
    assert desk.lines[0]["event"] == "%d items ('many',)"
    assert "Rude" in desk.lines[1]["value"]


def test_an_exception_is_logged_with_its_traceback_and_none_without(desk: Desk) -> None:
    log = desk.configure()
    log.warning("delivered", exc_info=None)
    log.warning("delivered", exc_info=ValueError("reason"))
    assert "exception" not in desk.lines[0]
    assert desk.lines[1]["exception"] == "ValueError: reason"


def test_on_a_console_lines_are_for_people_and_prints_are_left_alone(desk: Desk) -> None:
    stdout = sys.stdout
    log = desk.configure(form="console")

    def handle(body: str) -> None:
        raise ValueError("reason" if body else "")

    try:
        handle("secret-body")
    except ValueError as error:
        log.warning("delivered", message_id="m1", exc_info=error)
    text = desk.path.read_text()
    assert "delivered" in text
    assert "message_id=m1" in text
    assert "process=worker_00" in text
    assert "ValueError: reason" in text
    assert "locals" not in text
    assert sys.stdout is stdout


def test_dropped_lines_are_told_of_as_an_event() -> None:
    line = json.loads(logs.dropped(7, process="worker_00"))
    assert line == {"level": "warning", "event": "log_lines_dropped", "count": 7, "process": "worker_00"}


MEASURED = emf("q" * 80, 1_700_000_000.5, dict.fromkeys(ALL, 123456.789))  # of a line that bears all that there are


def test_what_bears_metrics_is_written_at_any_level_with_them_at_the_root(desk: Desk) -> None:
    log = desk.configure(level="error")
    log.info("delivered", seconds=1.5, **{logs.METRICS: MEASURED})
    log.warning("no")
    (line,) = desk.lines
    assert line["event"] == "delivered"
    assert line.items() >= MEASURED.items()
    assert line["_aws"]["Timestamp"] == 1_700_000_000_500
    assert logs.METRICS not in line


@given(facts=st.dictionaries(any_text(max_size=5000), VALUES, max_size=40))
@example(facts={"Failed": "yes", "Queue": 7, "exception": "\x00" * 9000, "error": "x" * 9000})
@example(facts={str(number) + "\x00" * 5000: "\x00" * 5000 for number in range(10)})
def test_metrics_come_whole_whatever_else_the_line_holds(facts: dict[str, Any]) -> None:
    line = logs.render(None, "info", {"timestamp": "t", "level": "info", "event": "e", **facts, logs.METRICS: MEASURED})
    assert len(line) <= 4096
    found = json.loads(line)
    assert found.items() >= MEASURED.items()
    assert list(found)[: len(MEASURED)] == list(MEASURED), "and first"
