"""A container for one load of messages leaves by itself, when there is nothing left of it and not before."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from support.programs import Program, agent_of, kill, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from support.queues import Queues


def test_a_container_drains_its_queue_and_leaves_with_0_but_not_before_what_is_delayed_or_in_hand_elsewhere(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({})
    queues.sqs.receive_message(QueueUrl=queues.url, VisibilityTimeout=12)  # another container's, which then dies
    queues.sqs.send_message(QueueUrl=queues.url, MessageBody="{}", DelaySeconds=12)
    sent = time.monotonic()
    queues.send(*[{"sleep": 0.1}] * 20)
    with Program(tmp_path, "up", env={**env, "CONSUMER_EXIT_WHEN_DRAINED": "1"}) as container:
        container.wait_for("delivered", 20, outcome="done")
        kill(agent_of(container), signal.SIGKILL)  # its successor begins the wait again
        wait_until(lambda: queues.left == 0, "the other two are done")
        assert time.monotonic() - sent > 11
        assert not container.events("queue_empty"), "not while anything was left"
        assert container.exit_code() == 0
        assert container.events("queue_empty")
