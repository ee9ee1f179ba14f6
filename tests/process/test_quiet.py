"""A container that finishes what is in hand and takes no more, and goes on where it is told to."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil

from support.handlers import notes
from support.programs import Program, agent_of, consumer, kill, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from support.queues import Queues


def states(container: Program) -> list[str]:
    return [life["state"] for life in container.lives()]


def test_a_drained_container_finishes_what_is_in_hand_takes_no_more_and_resumes(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 3}, {"sleep": 1})
    with Program(tmp_path, "up", env=env) as container:
        wait_until(lambda: len(notes(tmp_path / "books", "begin")) == 2, "both processes are busy")
        waited = consumer(container, "drain", "--wait", "--timeout", "30")
        assert waited.returncode == 0, waited.stderr
        assert len(notes(tmp_path / "books")) == 2, "what was in hand is finished"
        queues.send({}, {}, {})
        victim = container.lives()[0]["pid"]
        kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in [life["pid"] for life in container.lives()], "its end")
        wait_until(lambda: states(container) == ["quiet"] * 2, "its successor is quiet too")
        assert queues.counts().visible == 3
        assert '"quiet": true' in consumer(container, "status", "--json").stdout
        assert consumer(container, "health").returncode == 0
        assert consumer(container, "resume").returncode == 0
        wait_until(lambda: queues.left == 0, "the rest is done")
        assert container.terminate() == 0


def test_sigtstp_quietens_one_process_or_by_pid_1_the_container_and_stops_nobody(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    with Program(tmp_path, "up", env=env) as container:
        one, other = container.ready(2)
        agent = agent_of(container)
        os.kill(agent, signal.SIGTSTP)
        os.kill(one["pid"], signal.SIGTSTP)
        wait_until(lambda: sorted(states(container)) == ["idle", "quiet"], "one process is quiet")
        queues.send({}, {}, {})
        container.wait_for("delivered", 3, process=other["name"])
        os.kill(one["pid"], signal.SIGTERM)
        wait_until(lambda: states(container) == ["idle"] * 2, "its successor receives")
        os.kill(container.pid, signal.SIGTSTP)
        wait_until(lambda: states(container) == ["quiet"] * 2, "both processes are quiet")
        assert psutil.Process(agent).status() != psutil.STATUS_STOPPED
        assert [line for line in container.events(process="supervisord") if "SIGTSTP" in line["event"]]
        assert container.terminate() == 0
