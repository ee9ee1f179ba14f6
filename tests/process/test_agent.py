"""What the agent promises in a real container: real kills, a real queue."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.process import pulse
from support import databases
from support.handlers import notes
from support.hanging import Hanging
from support.programs import Program, agent_of, kill, wait_until

if TYPE_CHECKING:
    from support.queues import Queues

LONG = {"CONSUMER_VISIBILITY_TIMEOUT": "90", "CONSUMER_HEARTBEAT_INTERVAL": "30"}  # nothing comes back by itself


def begun(folder: Path, count: int) -> list[dict[str, object]]:
    books = folder / "books"
    wait_until(lambda: len(notes(books, "begin")) >= count, f"{count} runs")
    return notes(books, "begin")


def over(pid: int) -> bool:
    return pulse.started(pid) is None


def test_the_message_of_a_killed_process_is_with_another_one_within_5_seconds(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"until_stopping": 60})
    with Program(tmp_path, "up", env={**env, **LONG}) as container:
        victim = begun(tmp_path, 1)[0]
        container.ready(2)
        killed = time.monotonic()
        kill(int(str(victim["pid"])), signal.SIGKILL)
        second = begun(tmp_path, 2)[1]
        assert time.monotonic() - killed < 5
        assert (second["id"], second["count"]) == (victim["id"], 2)
        died = container.wait_for("process_died", process="agent")[0]
        assert died["counts_as_crash"]
        assert "process_leaving" not in container.log.read_text(), "and nobody else was disturbed"
        assert container.terminate() == 0


def test_a_database_that_hangs_keeps_no_message_of_a_killed_process_back(
    queues: Queues, env: dict[str, str], tmp_path: Path, postgresql: str
) -> None:
    queues.send({"until_stopping": 60}, {"until_stopping": 60})
    with (
        Hanging(databases.on_postgresql(postgresql)) as database,
        Program(tmp_path, "up", env={**env, **LONG, "CONSUMER_DATABASE_URL": database.url}) as container,
    ):
        victim = begun(tmp_path, 2)[0]
        database.answers.clear()
        killed = time.monotonic()
        kill(int(str(victim["pid"])), signal.SIGKILL)
        container.wait_for("rescued", message_id=victim["id"])
        assert time.monotonic() - killed < 5
        assert container.events("claims_not_released"), "the agent had asked the database in vain"
        wait_until(lambda: queues.counts().visible == 1, "it is visible: nobody receives while the database hangs")
        container.process.kill()


def test_what_os_exit_in_a_handler_leaves_behind_is_given_back(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"leave": 0}, {"leave": 3})
    with Program(tmp_path, "up", env={**env, **LONG, "CONSUMER_BACKOFF": "1"}) as container:
        container.wait_for("rescued", 2)
        assert all(one["counts_as_crash"] for one in container.events("process_died"))


def test_what_is_killed_at_the_end_of_its_time_is_given_back_by_the_agent_s_last_pass(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"freeze": True})  # SIGSTOP: it hears nothing any more, and must be killed
    with Program(tmp_path, "up", env={**env, **LONG, "CONSUMER_STOP_TIMEOUT": "13"}) as container:
        begun(tmp_path, 1)
        began = time.monotonic()
        assert container.terminate() == 0
        assert time.monotonic() - began < 13
        assert container.wait_for("rescued")[0]["visible_in"] == 0
        assert not container.events("process_died", counts_as_crash=True), "killed at stop is no crash"
    assert queues.counts().visible == 1


def test_the_agent_s_death_disturbs_nobody_and_its_successor_goes_on_from_the_pulses(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"until_stopping": 60}, {"sleep": 3})
    with Program(tmp_path, "up", env={**env, **LONG}) as container:
        victim = begun(tmp_path, 2)[0]
        first = agent_of(container)
        os.kill(first, signal.SIGSTOP)
        kill(int(str(victim["pid"])), signal.SIGKILL)
        container.wait_for("delivered", outcome="done")
        assert not container.events("rescued"), "the agent is frozen"
        kill(first, signal.SIGKILL)
        container.wait_for("rescued")
        assert agent_of(container) != first
        assert container.terminate() == 0


def test_an_agent_that_was_frozen_for_longer_than_a_lease_takes_nothing_from_those_who_have_it_by_now(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"until_stopping": 60})
    with Program(tmp_path, "up", env=env) as container:
        victim = begun(tmp_path, 1)[0]
        container.ready(2)
        agent = agent_of(container)
        os.kill(agent, signal.SIGSTOP)
        kill(int(str(victim["pid"])), signal.SIGKILL)
        begun(tmp_path, 2)  # its lease of 6 s has passed
        os.kill(agent, signal.SIGCONT)
        container.wait_for("process_died", process="agent")
        wait_until(lambda: not list(container.run_dir.glob(f"*.{victim['pid']}.*")), "it is done with the dead process")
        assert not container.events("rescued")
        assert not container.events("process_killed")
        assert queues.counts().in_flight == 1
        assert container.terminate() == 0
    assert [one["id"] for one in notes(tmp_path / "books", "begin")] == [victim["id"]] * 2


def test_agents_that_die_one_after_another_are_forked_again_count_as_no_process_and_disturb_no_message(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{"sleep": 0.3}] * 40)
    with Program(tmp_path, "up", env=env) as container:
        processes = container.ready(2)
        agent = agent_of(container)
        assert Path(f"/proc/{agent}/cmdline").read_text() == Path(f"/proc/{container.pid}/cmdline").read_text()
        for _ in range(5):  # as many as end a container whose processes do that
            pid = wait_until(lambda: agent_of(container), "an agent")
            kill(pid, signal.SIGKILL)
            wait_until(partial(over, pid), "its end")
        container.wait_for("delivered", 40, outcome="done", attempt=1)
        assert {one["pid"] for one in container.lives()} == {one["pid"] for one in processes}
        assert container.terminate() == 0


def test_a_message_that_kills_its_process_each_time_goes_to_the_dead_letter_queue(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    bad, good = queues.send({"then": "die", "signal": signal.SIGSEGV}, {"sleep": 1})
    with Program(tmp_path, "up", env={**env, "CONSUMER_CONCURRENCY": "2"}) as container:
        container.wait_for("delivered", outcome="reject", reason="crash", message_id=bad)
        container.wait_for("delivered", outcome="done", message_id=good)
        assert container.terminate() == 0
    assert len(queues.dead()) == 1
    assert queues.left == 0
    assert not list((container.run_dir / "crashes").iterdir())


def test_a_frozen_process_is_killed_and_its_message_run_by_another_one_and_a_slow_one_is_left_alone(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    frozen, slow = queues.send({"backtrack": True}, {"sleep": 10})
    with Program(tmp_path, "up", env={**env, **LONG, "CONSUMER_PULSE_TIMEOUT": "3"}) as container:
        container.wait_for("process_killed")
        container.wait_for("delivered", message_id=frozen, outcome="done", attempt=2)
        container.wait_for("delivered", message_id=slow, outcome="done", attempt=1)
        (died,) = container.events("process_died")
        assert "ended by the agent: its sign of life has stood still" in died["how"]
        assert died["counts_as_crash"]
        assert len(container.events("process_killed")) == 1
        assert container.terminate() == 0


def test_a_process_over_its_hard_limit_during_a_message_is_killed_and_the_message_comes_back(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    (big,) = queues.send({"mib": 400, "sleep": 30})
    with Program(tmp_path, "up", env={**env, **LONG, "CONSUMER_MEMORY_HARD_LIMIT": "250M"}) as container:
        (killed,) = container.wait_for("process_killed")
        assert "MiB of private memory during a message, of 250 at most" in killed["why"]
        assert container.wait_for("rescued")[0]["message_id"] == big
        container.wait_for("delivered", message_id=big, outcome="done", attempt=2)
        assert container.terminate() == 0
