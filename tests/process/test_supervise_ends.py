"""How a container ends when its processes do, and what dead processes leave behind."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from consumer.process import pulse
from process.standin_container import HANDLER, THREAD, wait_until
from support.programs import kill

if TYPE_CHECKING:
    from process.standin_container import Make


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        ({"code": 1}, 1, "exit code 1"),
        ({"code": 75}, 75, "the queue refuses it"),
        ({"signal": signal.SIGKILL}, 128 + 9, "killed by SIGKILL; perhaps out of memory?"),
        ({"signal": signal.SIGSEGV, "pulse": False}, 128 + 11, "killed by SIGSEGV; a fault in native code"),
    ],
)
def test_five_lives_in_a_row_that_consumed_nothing_end_the_container_with_their_code(
    make: Make, end: dict[str, int], code: int, says: str
) -> None:
    container = make("ends", **end).start(CONSUMER_PROCESSES="5")
    assert container.wait() == code
    assert f"the container leaves with exit code {code}: 5 lives in a row" in container.output
    assert says in container.output


def test_siblings_are_drained_before_a_crash_loop_ends_the_container(make: Make) -> None:
    container = make("ends_but_one", code=3, drain=0.5).start(CONSUMER_PROCESSES="6")
    assert container.wait() == 3
    assert len(container.notes("told")) == 1
    assert len(container.notes("drained")) == 1


@pytest.mark.parametrize(
    "end",  # each code by itself: tests/unit/container/test_crashloop.py
    [{"code": 0}, {"code": 10}, {"code": 1, "received": True}, {"signal": signal.SIGKILL, "lease": 60.0}],
)
def test_recycling_and_deaths_of_a_process_that_consumed_never_end_the_container(
    make: Make, end: dict[str, float]
) -> None:
    container = make("ends", **end).start(CONSUMER_PROCESSES="6")
    container.wait_for("started", 8)
    assert container.stop() == 0


@pytest.mark.parametrize(("end", "spared"), [({"signal": signal.SIGKILL}, False), ({"code": 10}, True)])
def test_what_a_process_has_started_ends_with_it_and_may_tidy_up_where_nothing_was_in_hand(
    make: Make, end: dict[str, int], *, spared: bool
) -> None:
    """What multiprocessing keeps to remove the names of shared memory heeds no SIGTERM: killed, it would leave them."""
    container = make("leaves_programs", received=True, **end).start(CONSUMER_PROCESSES="1")
    left = container.wait_for("left", 2)[0]
    try:
        wait_until(lambda: pulse.started(left["plain"]) is None)
        wait_until(lambda: (pulse.started(left["deaf"]) is not None) == spared)
        assert container.stop() == 0
    finally:
        for one in container.notes("left"):
            kill(one["plain"], signal.SIGKILL)
            kill(one["deaf"], signal.SIGKILL)


def test_a_process_that_cannot_be_started_ends_the_container(make: Make) -> None:
    container = make(handler=THREAD)
    conf = container.conf.read_text()
    container.conf.write_text(conf.replace("command=consumer work", "command=/nowhere/consumer work"))
    assert container.start(CONSUMER_PROCESSES="5").wait() == 127
    assert "could not be started: can't find command '/nowhere/consumer'" in container.output


def test_a_process_that_supervisord_gives_up_ends_the_container(make: Make) -> None:
    container = make("ends", code=9)
    conf = container.conf.read_text()
    container.conf.write_text(conf.replace("startretries=1000000000", "startretries=0"))
    assert container.start(CONSUMER_PROCESSES="1").wait() == 9
    assert "supervisord has given up worker_00" in container.output


def test_a_process_that_waits_for_its_next_start_is_no_failure_when_the_container_is_stopped(make: Make) -> None:
    container = make("ends", code=1).start(CONSUMER_PROCESSES="1")
    container.wait_for("ends")
    wait_until(lambda: "BACKOFF" in container.ctl("status").stdout)
    assert container.stop() == 0


def test_a_dead_process_s_notes_stay_while_a_message_is_under_its_lease_and_no_longer(make: Make) -> None:
    container = make()
    container.run_dir.mkdir()
    ghost = f"{2**22 - 1}.1"
    hands = {
        "worker_07": {"m": {"lease_until": 99999999999}},
        "worker_08": {"m": {"lease_until": 1}},
        "worker_09": {},
    }
    for name, in_hand in hands.items():
        facts = {"name": name, "pid": 2**22 - 1, "start_ticks": 1, "in_hand": in_hand}
        (container.run_dir / f"{name}.{ghost}.json").write_text(json.dumps(facts))
    container.start()
    container.wait_for("started", 2)
    left = {path.name for path in container.run_dir.glob("*.json") if ghost in path.name}
    assert left == {f"worker_07.{ghost}.json"}


def test_a_killed_process_with_nothing_in_hand_leaves_no_notes(make: Make) -> None:
    container = make().start()
    pid = container.wait_for("started", 2)[0]["pid"]
    assert list(container.run_dir.glob(f"*.{pid}.*.json"))
    os.kill(pid, signal.SIGKILL)
    container.wait_for("started", 3)
    wait_until(lambda: not list(container.run_dir.glob(f"*.{pid}.*.json")))
    assert len(list(container.run_dir.glob("*.json"))) == 2


@pytest.mark.parametrize("handler", [HANDLER, THREAD], ids=["forked", "execed"])
def test_no_process_outlives_pid_1(make: Make, handler: str) -> None:
    container = make(handler=handler).start()
    pids = [facts["pid"] for facts in container.wait_for("started", 2)]
    container.signal(signal.SIGKILL)
    wait_until(lambda: not any(map(pulse.started, pids)))
