"""What a handler, a role or a careless start can do to one process, and what comes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.handlers import notes
from support.programs import Program
from support.queues import Queues


def test_a_handler_may_fork_and_its_children_die_of_their_own_signals(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({}, {}, {})
    with Program(tmp_path, "work", env={**env, "CONSUMER_HANDLER": "support.handlers:forks"}) as program:
        program.wait_for("delivered", 3, outcome="done")
        assert {one["pid"] for one in notes(tmp_path / "books")} == {program.pid}
        assert not program.events("process_leaving"), "a child's signal is not ours"
        assert program.terminate() == 0


@pytest.mark.parametrize("kind", ["print", "stdlib"])
def test_a_handler_may_set_up_structlog_anew_and_our_lines_stay_as_they_are(
    kind: str, queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"factory": kind}, {"factory": kind})
    with Program(tmp_path, "work", env={**env, "CONSUMER_HANDLER": "support.handlers:configures"}) as program:
        program.wait_for("delivered", 2, outcome="done")
        assert program.terminate() == 0
        assert all(line["process"] == "worker" for line in program.events())
        for text in ("from the application", "by the standard library", "printed"):
            assert program.log.read_text().count(text) == 2


def test_many_messages_side_by_side_end_each_once(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    for _ in range(60):
        queues.sqs.send_message_batch(
            QueueUrl=queues.url, Entries=[{"Id": str(n), "MessageBody": '{"sleep": 0.2}'} for n in range(10)]
        )
    with Program(tmp_path, "work", env={**env, "CONSUMER_CONCURRENCY": "30", "CONSUMER_LIMIT": "0"}) as program:
        program.wait_for("delivered", 600, outcome="done")
        assert program.terminate() == 0
    assert len(notes(tmp_path / "books", "begin")) == 600
    assert queues.left == 0


def test_no_two_messages_of_a_group_are_in_hand_together(env: dict[str, str], tmp_path: Path) -> None:
    queues = Queues.create(fifo=True)
    for number in range(8):
        group = "ab"[number % 2]
        queues.sqs.send_message(
            QueueUrl=queues.url,
            MessageBody='{"sleep": 0.3}',
            MessageGroupId=group,
            MessageDeduplicationId=str(number),
        )
    with Program(
        tmp_path, "work", env={**env, "CONSUMER_QUEUE_URL": queues.url, "CONSUMER_CONCURRENCY": "8"}
    ) as program:
        program.wait_for("delivered", 8, outcome="done")
        assert program.terminate() == 0
    in_hand: dict[str, str] = {}
    most = 0
    for line in notes(tmp_path / "books", ""):
        if line["what"] == "begin":
            assert line["group"] not in in_hand.values(), "two of a group at once"
            in_hand[line["id"]] = line["group"]
        else:
            del in_hand[line["id"]]
        most = max(most, len(in_hand))
    assert most == 2, "groups run side by side"


@pytest.mark.parametrize("verb", ["DeleteMessage", "ChangeMessageVisibility"])
def test_a_role_that_may_receive_and_not_do_the_rest_ends_the_process_after_the_patience(
    verb: str, queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{"sleep": 1.5}] * 9)
    denied = {"DENIED": verb, "CONSUMER_PATIENCE": "3", "CONSUMER_FAILURE_PAUSE": "0.1"}
    with Program(tmp_path, "work", env={**env, **denied}) as program:
        assert program.exit_code() == 75
        (leaving,) = program.events("process_leaving", reason="refused")
        assert "AccessDenied" in leaving["detail"]
        assert "To do: allow the task's role" in leaving["detail"]


def test_a_handler_that_closes_our_files_ends_its_process_in_order(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({})
    with Program(tmp_path, "work", env={**env, "CONSUMER_HANDLER": "support.handlers:closes"}) as program:
        assert program.exit_code() == 21
        assert "\nTraceback" not in program.tail(), "no line of the log is torn"


@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("work", 64), ("settings", 64), ("health", 1)])
def test_closed_streams_are_no_trouble(words: str, code: int, tmp_path: Path) -> None:
    shell = f"exec {sys.executable} -m consumer {words} <&- >&- 2>&-"
    environment = {"CONSUMER_RUN_DIR": str(tmp_path)}
    assert subprocess.run(["/bin/sh", "-c", shell], env=environment, cwd="tests", check=False).returncode == code


PLAN = [
    sys.executable, "-m", "consumer", "plan", "--messages", "2000", "--seconds", "30..300", "--from", "04:00", "--by",
    "09:00",
]  # fmt: skip


@pytest.mark.parametrize("at_once", ["", "1"])
def test_a_reader_that_leaves_ends_a_command_as_shells_expect(at_once: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", at_once)
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run(PLAN, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("at_once", ["", "1"])
def test_output_that_a_full_disk_has_not_taken_is_no_success(at_once: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", at_once)
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(PLAN, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("consumer: expected room for what it writes")
    assert answer.stderr.count("\n") == 1


def test_sigterm_is_heard_before_anything_that_takes_time_is_loaded() -> None:
    """The kernel drops a signal for which PID 1 has no handler: the container would start in spite of it."""
    spy = """
import signal, sys
class Spy:
    def find_spec(self, name, *rest):
        if name == "consumer.container.up":
            print(callable(signal.getsignal(signal.SIGTERM)), sorted({"boto3", "supervisor"} & set(sys.modules)))
sys.meta_path.insert(0, Spy())
from consumer import cli
sys.exit(cli.main(["up"]))
"""
    answer = subprocess.run([sys.executable, "-c", spy], env={}, capture_output=True, text=True, check=False)
    assert answer.stdout == "True []\n"
    assert answer.returncode == 64
