"""What the image promises, in a container as small as Fargate's smallest: 0.25 vCPU, 512 MB, read-only root."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.local import upstream
from container.engine import HANDLERS, TMPFS

if TYPE_CHECKING:
    from collections.abc import Callable

    from container.engine import Container, Engine
    from support.queues import Queues

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(600),  # the first test builds the images
    pytest.mark.xdist_group("container"),  # one engine, one image
]

CANNOT_CONSUME = [
    (64, {"CONSUMER_QUEUE_URL": ""}, "CONSUMER_QUEUE_URL"),
    (64, {"CONSUMER_PROCESSES": "none"}, "CONSUMER_PROCESSES"),
    (70, {"CONSUMER_HANDLER": "nowhere:work"}, "nowhere"),
    (75, {"CONSUMER_QUEUE_URL": "no-such-queue", "CONSUMER_PATIENCE": "1"}, "NonExistentQueue"),
]
NOT_COMPILED = """
import importlib.util, pathlib, struct, sysconfig
for source in pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(source))
    try:
        _, written, size = struct.unpack("<III", compiled.read_bytes()[4:16])
        ready = (written, size) == (int(source.stat().st_mtime), source.stat().st_size)
    except OSError:
        ready = False
    if not ready and "/site-packages/pip/" not in str(source):
        print(source)
"""


def test_the_example_image_becomes_healthy_drains_the_queue_is_quiet_when_told_and_stops(
    start: Callable[..., Container], example: str, queues: Queues
) -> None:
    orders = [{"order_id": f"R-{number}", "seconds": 30} for number in range(12)]
    queues.send(*orders)
    with upstream.serving(Clock()) as service:
        container = start(image=example, CONSUMER_HANDLER="orders:fetch_report", UPSTREAM_URL=service.url)
        assert container.wait_healthy() < 60, "longer than the image's own start period"
        container.wait_until(lambda: queues.left == 0, "the queue is empty")
        container.engine("kill", "--signal", "TSTP", container.name)  # the kernel drops what PID 1 has no handler for
        container.wait_for("quiet", 2)
        code, _ = container.stop(30)
    assert code == 0
    assert len(container.events("report_fetched")) == len(orders)
    assert {line["container"] for line in container.lines()}, "every line is JSON and says where it comes from"


def test_at_sigterm_work_in_hand_is_finished_or_given_back_in_time(
    start: Callable[..., Container], queues: Queues
) -> None:
    queues.send(
        {"order": "short", "until_stopping": True, "sleep": 1}, {"order": "long", "until_stopping": True, "sleep": 60}
    )
    container = start(options=TMPFS + HANDLERS, CONSUMER_STOP_TIMEOUT="18")  # of which handlers get 9 s
    container.wait_for("begin", 2)
    code, seconds = container.stop(18)
    assert code == 0
    assert seconds < 18
    assert [line["order"] for line in container.events("end")] == ["short"]
    left = queues.counts()
    assert (left.visible, left.in_flight) == (1, 0), "the long one is visible again at once, not when its lease ends"


def test_a_container_that_cannot_consume_says_why_and_leaves_with_a_code_that_says_it_too(
    start: Callable[..., Container],
) -> None:
    started = [(start(options=TMPFS + HANDLERS, **env), code, expected) for code, env, expected in CANNOT_CONSUME]
    for container, code, expected in started:  # side by side: each has but a quarter of a processor
        assert container.exit_code() == code, container.said()
        assert expected in container.said()


def test_a_process_that_takes_all_memory_dies_alone_and_its_message_comes_back(
    start: Callable[..., Container], queues: Queues
) -> None:
    queues.send({"order": "big", "mib": 700})
    container = start(options=TMPFS + HANDLERS, CONSUMER_VISIBILITY_TIMEOUT="60", CONSUMER_MEMORY_HARD_LIMIT="0")
    container.wait_for("end", order="big")
    assert container.state(".State.Running") == "true"
    first, second = container.events("begin", order="big")
    killed = [line for line in container.lines() if "killed by SIGKILL" in line["event"]]
    assert len(killed) == 1
    assert first["process"] in killed[0]["event"]
    assert "probably out of memory" in container.events("process_died")[0]["how"]
    assert _seconds(second) - _seconds(killed[0]) < 5, "the agent gives it back; its lease would last for a minute"
    container.wait_until(lambda: queues.left == 0, "the message is done")
    container.wait_ready(2)
    assert len(container.status()) == 2, "the dead process has a successor"


def test_sixteen_processes_fit_in_512_mb_and_a_quarter_of_a_processor(
    start: Callable[..., Container], queues: Queues
) -> None:
    container = start(options=TMPFS + HANDLERS, CONSUMER_PROCESSES="16", CONSUMER_VISIBILITY_TIMEOUT="30")
    container.wait_ready(16)
    assert {process["name"] for process in container.status()} == {f"worker_{number:02d}" for number in range(16)}
    queues.send(*({"order": number, "sleep": 0.5} for number in range(64)))
    container.wait_until(lambda: queues.left == 0, "the queue is empty")
    assert container.memory() < 450, "room is left for what handlers take"
    assert container.state(".State.OOMKilled") == "false"
    assert container.stop(30)[0] == 0


def test_the_run_directory_may_be_an_anonymous_volume_that_outlives_a_crash(start: Callable[..., Container]) -> None:
    container = start(options=HANDLERS)
    container.wait_ready(2)
    container.engine("kill", container.name)
    restarted = time.time()
    container.engine("start", container.name)
    container.wait_ready(2, since=restarted)
    assert len(container.status()) == 2, "the dead are not counted"
    assert container.stop(30)[0] == 0


def test_stock_supervisord_runs_the_processes_too(start: Callable[..., Container], queues: Queues) -> None:
    queues.send({"order": 1}, {"order": 2})
    options = (*TMPFS, *HANDLERS, "--entrypoint", "supervisord")
    container = start("-c", "/etc/supervisord.conf", options=options)
    container.wait_until(lambda: queues.left == 0, "the queue is empty")
    container.wait_ready(2)
    listed = container.engine("exec", container.name, "supervisorctl", "status").stdout
    assert listed.count("RUNNING") == 3, listed  # the agent is the third
    assert container.stop(30)[0] == 0


def test_nothing_is_compiled_at_start(engine: Engine, image: str) -> None:
    code, stdout, _ = engine.once(image, "-c", NOT_COMPILED, options=("--entrypoint", "python"))
    assert code == 0
    assert not stdout, "a read-only root, or another user than root, could never keep these"


def test_words_after_the_image_are_a_command_run_by_an_ordinary_user(engine: Engine, image: str) -> None:
    assert engine.once(image, "--version")[1].startswith("consumer ")
    assert engine.once(image, "-u", options=("--entrypoint", "id"))[1].strip() == "10001"
    declared = json.loads(engine("image", "inspect", "--format", "{{json .Config}}", image).stdout)
    assert declared["Healthcheck"]["Test"] == ["CMD", "consumer", "health"]
    assert declared["StopSignal"] == "SIGTERM"


def _seconds(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()
