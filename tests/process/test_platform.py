"""A real container beside an ECS agent: protected while it works, counted each minute, and left alone by a hung one."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from consumer.process import quiet
from support.ecs import FakeEcs
from support.handlers import notes
from support.programs import Program, agent_of, consumer, kill, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.queues import Queues


@pytest.fixture
def ecs() -> Iterator[FakeEcs]:
    with FakeEcs() as server:
        yield server


@pytest.mark.timeout(300)  # a whole minute of the wall's clock is in it
def test_a_busy_container_is_protected_and_counted_and_takes_no_more_once_it_is_to_go(
    queues: Queues, env: dict[str, str], tmp_path: Path, ecs: FakeEcs
) -> None:
    queues.send({"sleep": 6}, {"then": "fail_once"})
    day = {"CONSUMER_DEADLINE": "09:00", "CONSUMER_EXPECTED_SECONDS": "60", "CONSUMER_LOG_LEVEL": "warning"}
    with Program(tmp_path, "up", env={**env, **ecs.env, **day}) as container:
        wait_until(lambda: ecs.minutes == 10, "protection")
        container.wait_for("delivered", 2, Succeeded=1)
        assert container.events("delivered", Failed=1), "each delivery is counted by its own line, whatever the level"
        container.ready(2)
        wait_until(lambda: ecs.minutes == 0, "it is given back")
        kill(container.lives()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: container.events(AbnormalLeavings=1), "a death is counted")
        wait_until(lambda: container.events("gauges"), "the minute", seconds=75)
        gauges = container.events("gauges")[0]
        assert gauges["Processes"] == 2
        assert gauges["_aws"]["Timestamp"] % 60_000 == 0
        assert 0 < gauges["MemoryHighWater"] < 100
        ecs.task["DesiredStatus"] = "STOPPED"
        wait_until(lambda: quiet.reasons(container.run_dir), "the word to go")
        assert consumer(container, "resume").returncode == 1
        status = json.loads(consumer(container, "status", "--json").stdout)
        assert status["quiet_reasons"] == {"platform": "its task is to stop"}
        assert status["estimate"]["desired_containers"] == 3
        queues.send({})
        assert container.terminate() == 0
        assert queues.counts().visible, "and no message was taken"


def test_an_ecs_agent_that_hangs_keeps_no_message_of_a_killed_process_back(
    queues: Queues, env: dict[str, str], tmp_path: Path, ecs: FakeEcs
) -> None:
    queues.send({"until_stopping": 60})
    long = {"CONSUMER_VISIBILITY_TIMEOUT": "90", "CONSUMER_HEARTBEAT_INTERVAL": "30"}  # nothing comes back by itself
    with Program(tmp_path, "up", env={**env, **ecs.env, **long}) as container:
        (victim,) = wait_until(lambda: notes(tmp_path / "books", "begin"), "a run")
        wait_until(lambda: ecs.minutes, "protection")
        ecs.answers.clear()
        agent = agent_of(container)
        kill(agent, signal.SIGKILL)  # its successor knows of no protection, and asks for it
        wait_until(lambda: agent_of(container) not in {0, agent}, "its successor")
        container.wait_for("not_protected")
        killed = time.monotonic()
        kill(int(str(victim["pid"])), signal.SIGKILL)
        container.wait_for("rescued", message_id=victim["id"])
        assert time.monotonic() - killed < 5
        container.process.kill()
