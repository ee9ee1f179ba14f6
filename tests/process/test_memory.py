"""A container with a real limit of its memory, and a real kernel that kills."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.cgroups import Limited
from support.handlers import notes
from support.programs import Program, agent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.queues import Queues

LONG = {"CONSUMER_VISIBILITY_TIMEOUT": "90", "CONSUMER_HEARTBEAT_INTERVAL": "30"}  # nothing comes back by itself


@pytest.fixture
def limited() -> Iterator[Limited]:
    with Limited(320) as cgroup:
        yield cgroup


def test_a_process_that_the_kernel_kills_for_want_of_memory_is_named_and_its_message_comes_back(
    queues: Queues, env: dict[str, str], tmp_path: Path, limited: Limited
) -> None:
    (big,) = queues.send({"fill": 2})
    with Program(tmp_path, "up", env={**env, **LONG}, before=limited.before) as container:
        (died,) = container.wait_for("process_died")
        named = re.fullmatch(r"probably out of memory: (\d+) MiB before the end", died["how"])
        assert named, died["how"]
        assert 160 < int(named[1]) < 320, "what it held at its end, not at its last sign of life"
        assert died["counts_as_crash"], "more than its share of the container"
        container.wait_for("delivered", message_id=big, outcome="done", attempt=2)
        begun = notes(tmp_path / "books", "begin")
        assert [one["id"] for one in begun] == [big, big]
        assert container.terminate() == 0
    assert limited.oom_kills == 1


def test_where_memory_runs_out_the_kernel_is_offered_the_processes_before_pid_1_and_the_agent(
    env: dict[str, str], tmp_path: Path
) -> None:
    with Program(tmp_path, "up", env={**env, **LONG}) as container:
        ready = container.ready(2)
        offers = [offer(life["pid"]) for life in ready]
        assert min(offers) > max(offer(container.pid), offer(agent_of(container)))


def offer(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_the_fattest_process_of_a_container_that_is_nearly_full_is_replaced_before_the_kernel_chooses_one(
    queues: Queues, env: dict[str, str], tmp_path: Path, limited: Limited
) -> None:
    big, small = queues.send({"fill": 0.95}, {"sleep": 5})
    with Program(tmp_path, "up", env={**env, **LONG}, before=limited.before) as container:
        (killed,) = container.wait_for("process_killed")
        assert "the container holds" in killed["why"]
        container.wait_for("delivered", message_id=big, outcome="done", attempt=2)
        container.wait_for("delivered", message_id=small, outcome="done", attempt=1)
        (died,) = container.events("process_died")
        assert not died["counts_as_crash"], "for the container's sake"
        assert container.terminate() == 0
    assert limited.oom_kills == 0
