"""What one container promises while it runs and when it stops, whatever its processes do."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from contextlib import suppress
from fcntl import F_GETPIPE_SZ, fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from process.standin_container import THREAD, wait_until

if TYPE_CHECKING:
    from process.standin_container import Make


def test_all_processes_are_told_to_stop_in_the_same_tick(make: Make) -> None:
    container = make(drain=1.5).start(CONSUMER_PROCESSES="4")
    container.wait_for("started", 4)
    assert container.stop() == 0
    assert len(container.notes("drained")) == 4, "killed before the stop timeout"
    told = [facts["at"] for facts in container.notes("told")]
    assert len(told) == 4
    assert max(told) - min(told) < 0.9, "one after another would take 1.5 s for each"


def test_a_signal_just_after_the_fork_is_not_lost(make: Make) -> None:
    container = make("told_at_birth").start(CONSUMER_PROCESSES="8")
    told = container.wait_for("told", 8)
    assert len({facts["pid"] for facts in told}) == len(told)


def test_a_signal_just_after_the_fork_ends_a_process_that_is_execed(make: Make) -> None:
    container = make("told_at_birth", handler=THREAD).start(CONSUMER_PROCESSES="5")
    assert container.wait() == 128 + signal.SIGTERM


def test_a_process_is_forked_from_the_loaded_application(make: Make) -> None:
    container = make().start()
    for facts in container.wait_for("started", 2):
        assert not facts["execed"]
        assert facts["argv"] == ["consumer", "work"]
        assert facts["blocked"] == sorted(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2", "SIGCHLD", "SIGTSTP"])


def test_overrides_reach_the_processes_through_the_environment(make: Make) -> None:
    container = make("curious").start("--limit", "7", "--memory-limit", "256M", CONSUMER_LIMIT="5")
    environment = container.wait_for("looked")[0]["environment"]
    assert environment["CONSUMER_LIMIT"] == "7"
    assert environment["CONSUMER_MEMORY_LIMIT"] == "256M"
    assert environment["SUPERVISOR_PROCESS_NAME"].startswith("worker_")


def test_a_fork_leaves_nothing_of_supervisord_behind(make: Make) -> None:
    reader, writer = os.pipe()  # PID 1 opens a pipe for itself: a descriptor that is closed in the child
    container = make("curious", handler=CAPTURES).start(stdout=writer, CONSUMER_PROCESSES="1")
    os.close(writer)
    facts = container.wait_for("looked")[0]
    assert facts["wakeup"] == -1
    assert facts["sigpipe"], "SIGPIPE must stay ignored, or the first broken connection ends the process"
    assert facts["sigterm"]
    assert facts["strayed"] == "", "a log line went into a connection that got the number of PID 1's descriptor"
    assert not any(target.endswith("/lock") for target in facts["descriptors"]), "the lock would outlive PID 1"
    assert any(target.endswith("/kept") for target in facts["descriptors"]), "a file opened while preloading is needed"
    assert container.stop() == 0
    with os.fdopen(reader) as stream:
        assert "through a handler that was made while preloading" in stream.read()


def test_processes_write_to_the_container_s_stdout_past_supervisord(make: Make) -> None:
    container = make("curious").start(CONSUMER_PROCESSES="1")
    assert container.wait_for("looked")[0]["stdout"] == str(container.output_file)
    wait_until(lambda: "straight to the container's stdout" in container.output)
    wait_until(lambda: "by way of supervisord" in container.output)


def test_inherited_garbage_cannot_close_a_process_s_connections(make: Make) -> None:
    container = make("garbage").start(CONSUMER_PROCESSES="2")
    assert [facts["broken"] for facts in container.wait_for("used", 2)] == [0, 0]


@pytest.mark.parametrize("life", ["steady", "chatty"])
def test_an_unread_stdout_stops_neither_restarts_nor_control_nor_the_end(make: Make, life: str) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x" * fcntl(writer, F_GETPIPE_SZ))
    try:
        container = make(life, handler=PRINTS).start(stdout=writer)
        os.close(writer)
        first = container.wait_for("started", 2)[0]
        os.kill(first["pid"], signal.SIGKILL)
        again = container.wait_for("started", 3)[2]
        assert again["name"] == first["name"]
        wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
        assert container.stop() == 0
    finally:
        os.close(reader)


def test_a_reader_that_comes_back_reads_what_was_kept_and_how_much_was_not(make: Make) -> None:
    reader, writer = os.pipe()
    room = fcntl(writer, F_GETPIPE_SZ)
    container = make(handler=PRINTS).start(stdout=writer)
    os.close(writer)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)  # and no line comes any more
    os.set_blocking(reader, False)
    text = b""

    def read_on() -> int:
        nonlocal text
        with suppress(BlockingIOError):
            text += os.read(reader, room)
        return len(text)

    wait_until(lambda: read_on() > 3 * room)
    container.signal(signal.SIGTERM)
    wait_until(lambda: read_on() and b" lines were dropped here" in text)
    assert container.wait() == 0
    os.close(reader)


def test_a_reader_that_goes_away_for_good_stops_nothing(make: Make) -> None:
    reader, writer = os.pipe()
    container = make().start(stdout=writer)
    os.close(writer)
    first = container.wait_for("started", 2)[0]
    os.close(reader)
    os.kill(first["pid"], signal.SIGKILL)
    container.wait_for("started", 3)
    assert container.stop() == 0


def test_of_several_signals_at_once_none_waits_for_a_tick(make: Make) -> None:
    container = make().start(CONSUMER_PROCESSES="1")
    container.wait_for("started")
    container.signal(signal.SIGUSR2)
    wait_until(lambda: "SIGUSR2" in container.output)  # a tick has just begun
    for number in (signal.SIGSTOP, signal.SIGUSR2, signal.SIGTERM):
        container.signal(number)
    told_at = time.monotonic()
    container.signal(signal.SIGCONT)
    assert container.wait_for("told")[0]["at"] - told_at < 0.8, "supervisord hears one signal a tick of 1 s"


def test_a_successor_starts_at_once(make: Make) -> None:
    container = make("ends", code=10, after=1.1, received=True).start(CONSUMER_PROCESSES="1")
    started = container.wait_for("started", 4)[1:]
    gaps = [start["at"] - end["at"] for start, end in zip(started, container.notes("ends"), strict=False)]
    assert statistics.median(gaps) < 0.6, "supervisord by itself takes up to two ticks of a second"


def test_a_reload_starts_all_processes_anew_in_the_same_container(make: Make) -> None:
    container = make().start()
    first = {facts["pid"] for facts in container.wait_for("started", 2)}
    for round_ in (2, 3):
        container.signal(signal.SIGHUP)
        container.wait_for("started", 2 * round_)
    pids = [facts["pid"] for facts in container.notes("started")]
    assert len(set(pids)) == 6
    assert first == set(pids[:2])
    os.kill(pids[-1], signal.SIGKILL)
    container.wait_for("started", 7)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
    assert container.stop() == 0
    assert "received SIGHUP" in container.output
    assert "ended: killed by SIGKILL; perhaps out of memory?" in container.output


def test_being_told_to_stop_during_a_reload_is_not_forgotten(make: Make) -> None:
    container = make("told_while_reloading").start()
    container.wait_for("started", 2)
    container.signal(signal.SIGHUP)
    assert container.wait() == 0


def test_reloads_and_restarts_leave_no_descriptors_open(make: Make) -> None:
    container = make().start()
    container.wait_for("started", 2)

    def descriptors() -> int:
        return len(list(Path(f"/proc/{container.pid}/fd").iterdir()))

    container.signal(signal.SIGHUP)  # the first reload opens the configuration's files under other numbers
    container.wait_for("started", 4)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
    before = descriptors()
    container.signal(signal.SIGHUP)
    container.wait_for("started", 6)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
    os.kill(container.notes("started")[-1]["pid"], signal.SIGKILL)
    container.wait_for("started", 7)
    wait_until(lambda: descriptors() <= before)


def test_supervisorctl_works(make: Make) -> None:
    container = make().start()
    container.wait_for("started", 2)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
    assert "worker:worker_00: stopped" in container.ctl("stop", "worker:worker_00").stdout
    assert "worker:worker_00: started" in container.ctl("start", "worker:worker_00").stdout
    assert container.ctl("pid").stdout.strip() == str(container.pid)
    assert "Shut down" in container.ctl("shutdown").stdout
    assert container.wait() == 0


def test_every_line_of_the_log_is_an_object_with_the_tags_of_its_process(make: Make) -> None:
    container = make().start()
    container.wait_for("started", 2)
    assert container.stop() == 0
    lines = [json.loads(line) for line in container.output.splitlines()]
    assert all(line["process"] == "supervisord" and line["queue"] == "orders" for line in lines)
    assert not [line for line in lines if line["level"] == "critical"], (
        "stock supervisord warns of root and of no password"
    )


PRINTS = """
print("x" * 500_000)
for _ in range(2_000):
    print("y" * 1_000)
def handle(message): ...
"""
CAPTURES = """
import logging
logging.basicConfig()
kept = open("kept", "w+")
def handle(message): ...
"""
