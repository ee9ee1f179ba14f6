"""`consumer failed retry --all` where the server moves the messages by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from consumer import cli
from consumer.message.queue import counts
from support.programs import wait_until
from support.servers import LOCALSTACK

if TYPE_CHECKING:
    from support.queues import Queues

pytestmark = LOCALSTACK
COUNT, RATE = 20, 4  # messages, and how many of them a second


@pytest.fixture
def dead(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """A queue whose messages have all failed."""
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)
    for start in range(0, COUNT, 10):
        entries: Any = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
        queues.sqs.send_message_batch(QueueUrl=queues.dlq_url, Entries=entries)
    return queues


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "consumer", "failed", "retry", "--all", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


class Ran(NamedTuple):
    """How a run of the command ended, and what it printed."""

    code: int
    out: str
    err: str


def ended(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)


def whereabouts(queues: Queues) -> tuple[int, int]:
    """Tell how many messages are in the queue and in the dead-letter queue."""
    wait_until(lambda: not counts(queues.sqs, queues.dlq_url).in_flight, "nothing is hidden")
    return queues.counts().visible, counts(queues.sqs, queues.dlq_url).visible


def under_way(queues: Queues) -> subprocess.Popen[str]:
    """Start a slow move; give the command once the server has begun."""
    process = started("--rate", str(RATE))
    wait_until(lambda: process.poll() is not None or queues.counts().visible, "the move begins")
    assert process.poll() is None, ended(process)
    return process


def test_the_server_moves_all_of_them(dead: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["failed", "retry", "--all", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["retried"], told["by_server"], told["stopped"]) == (COUNT, COUNT, "")
    assert whereabouts(dead) == (COUNT, 0)


def test_ctrl_c_stops_the_server_and_what_is_not_moved_can_be_moved_later(
    dead: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    process = under_way(dead)
    began, before = time.monotonic(), dead.counts().visible
    wait_until(lambda: dead.counts().visible >= before + 4, "four more")
    assert time.monotonic() - began > 3 / RATE
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130
    assert "stopped: interrupted; the server was told to stop" in done.err
    assert "Traceback" not in done.err
    back, left = whereabouts(dead)
    assert (back + left, left > 0) == (COUNT, True)
    assert done.out in [f"sent back {about}, of which the server {about}\n" for about in (back - 1, back)]
    time.sleep(1)  # in which a server that had not heard it would have moved more
    assert whereabouts(dead) == (back, left)
    assert cli.main(["failed", "retry", "--all"]) == 0
    assert capsys.readouterr().out == f"sent back {left}, of which the server {left}\n"
    assert whereabouts(dead) == (COUNT, 0)


def test_what_a_killed_command_has_begun_is_watched_to_its_end_by_the_next_one(
    dead: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = under_way(dead)
    killed.kill()
    ended(killed)
    assert cli.main(["failed", "retry", "--all"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"sent back {COUNT}, of which the server {COUNT}\n"
    assert "the server was moving them already" in printed.err
    assert whereabouts(dead) == (COUNT, 0)
