"""One container, `consumer up`, with real supervisord and a real queue."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.local.server import ENDPOINT, free_port, serving
from consumer.message import client
from consumer.process import pulse
from support.handlers import notes
from support.programs import QUICK, Program, consumer, kill, wait_until

if TYPE_CHECKING:
    from support.queues import Queues

REPOSITORY = Path(__file__).parents[2]


def test_a_container_drains_its_queue_and_leaves_in_order(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    ids = queues.send(*[{"sleep": 0.2}] * 40, {"then": "fail_once"}, {"then": "reject"})
    with Program(tmp_path, "up", env={**env, "CONSUMER_PROCESSES": "4", "CONSUMER_LIMIT": "4"}) as container:
        container.wait_for("delivered", 41, outcome="done")
        container.wait_for("delivered", outcome="reject")
        assert len({one["process"] for one in container.events("delivered")}) == 4
        assert container.events("process_leaving", reason="limit"), "processes were replaced on the way"
        assert container.terminate() == 0
    assert queues.left == 0
    assert len(queues.dead()) == 1
    done = [one["id"] for one in notes(tmp_path / "books")]
    assert len(done) == len(set(done)) == len(ids) - 1


def test_status_shows_processes_messages_and_counts(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    first, *_ = queues.send({"until_stopping": 60}, {"until_stopping": 60}, {})
    with Program(tmp_path, "up", env=env) as container:
        wait_until(lambda: len(notes(tmp_path / "books", "begin")) == 2, "both processes are busy")
        status: dict[str, Any] = json.loads(consumer(container, "status", "--json").stdout)
        assert status["queue"] == {"visible": 1, "in_flight": 2, "delayed": 0}
        assert [one["state"] for one in status["processes"]] == ["busy", "busy"]
        assert first in [held["message_id"] for one in status["processes"] for held in one["in_hand"]]
        assert all(one["uss_mib"] < one["rss_mib"] for one in status["processes"])
        page = consumer(container, "status")
        assert page.returncode == 0
        assert "worker_00" in page.stdout
        assert "1 visible" in page.stdout
        assert consumer(container, "health").returncode == 0
        assert container.terminate() == 0
    assert consumer(container, "health").returncode == 1


def test_a_killed_process_is_replaced_and_its_message_comes_back(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 0.2, "then": "fail_once"}, {"sleep": 0.5})
    with Program(tmp_path, "up", env=env) as container:
        victim = container.ready(2)[0]
        kill(victim["pid"], signal.SIGKILL)
        wait_until(lambda: {one["pid"] for one in container.ready(2)} - {victim["pid"]}, "a successor")
        container.wait_for("delivered", 2, outcome="done")
        assert container.terminate() == 0
    assert queues.left == 0


def test_the_queue_away_loses_nothing_and_restarts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    """The server is away for three leases and four times the patience, and keeps its queues on disk meanwhile."""
    monkeypatch.delenv(ENDPOINT)
    server = partial(serving, tmp_path, Clock(), port=free_port(), data_dir=tmp_path / "data")
    with ExitStack() as stack:
        with server():
            sqs = client.control()
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            for _ in range(12):
                sqs.send_message(QueueUrl=url, MessageBody='{"sleep": 0.5}')
            bare = {**env, "CONSUMER_QUEUE_URL": url, "CONSUMER_WITHOUT_DLQ": "keep", "CONSUMER_PATIENCE": "5"}
            container = stack.enter_context(Program(tmp_path, "up", env=bare))
            before = {one["pid"] for one in container.ready(2)}
            container.wait_for("delivered", 2, outcome="done")
        container.wait_for("queue_error", 4)
        time.sleep(20)
        with server():
            wait_until(lambda: len({one["id"] for one in notes(tmp_path / "books")}) == 12, "every message is done", 60)
            assert {one["pid"] for one in container.lives()} == before
            assert not container.events("process_leaving")
            assert container.terminate() == 0


def test_a_stalled_stdout_costs_log_lines_and_nothing_else(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    queues.send(*[{"print": 1024 * 1024, "sleep": 8}] * 2)  # longer than the lease of 6 s
    try:
        with Program(tmp_path, "up", env=env, stdout=writer) as container:
            os.close(writer)
            wait_until(lambda: len(notes(tmp_path / "books", "begin")) == 2, "both processes are busy")
            wait_until(lambda: len(notes(tmp_path / "books", "end")) == 2, "both are done, in spite of what they print")
            wait_until(lambda: queues.left == 0, "both are deleted")
            victim = container.lives()[0]
            kill(victim["pid"], signal.SIGKILL)
            wait_until(lambda: {one["pid"] for one in container.ready(2)} - {victim["pid"]}, "a successor")
            assert container.terminate() == 0
    finally:
        os.close(reader)
    assert [one["count"] for one in notes(tmp_path / "books", "begin")] == [1, 1], "no lease was lost"


def test_stock_supervisord_runs_the_same_file(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send(*[{}] * 6)
    scripts = sysconfig.get_path("scripts")
    run_dir = tmp_path / "run"
    whole = {**os.environ, **QUICK, **env, "CONSUMER_RUN_DIR": str(run_dir), "PATH": f"{scripts}:{os.environ['PATH']}"}
    export = subprocess.run(
        ["consumer", "settings", "--export"], env=whole, capture_output=True, text=True, check=True, cwd="tests"
    )
    exported = dict(line.split("=", 1) for line in export.stdout.splitlines())
    supervisord = shutil.which("supervisord", path=scripts)
    assert supervisord
    with (tmp_path / "log").open("wb") as log:
        stock = subprocess.Popen(
            [supervisord, "-c", str(REPOSITORY / "supervisord.conf")],
            env={**whole, **exported},
            stdout=log,
            stderr=log,
            cwd="tests",
        )
    try:
        wait_until(lambda: len(notes(tmp_path / "books")) == 6, "all are done")
        ctl = subprocess.run(
            ["supervisorctl", "-s", f"unix://{run_dir}/supervisor.sock", "status"],
            env=whole,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ctl.stdout.count("RUNNING") == 3
    finally:
        stock.terminate()
        assert stock.wait(30) == 0
    assert queues.left == 0


def test_a_container_in_which_nothing_can_consume_never_stays_up(env: dict[str, str], tmp_path: Path) -> None:
    gone = {**env, "CONSUMER_QUEUE_URL": env["CONSUMER_QUEUE_URL"] + "-gone", "CONSUMER_PATIENCE": "0.2"}
    with Program(tmp_path, "up", env=gone) as container:
        assert container.exit_code() == 75


def test_the_run_directory_gone_ends_the_container_with_what_is_in_hand_done(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 3})
    with Program(tmp_path, "up", env={**env, "CONSUMER_PULSE_TIMEOUT": "1"}) as container:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "a process is busy")
        container.run_dir.rename(tmp_path / "elsewhere")  # in one step: they write into it all the time
        assert container.exit_code() == 21
        assert "the run directory is gone" in container.log.read_text()
    assert queues.left == 0


@pytest.mark.skipif(bool(os.geteuid()) or shutil.which("unshare") is None, reason="only root may mount a small folder")
def test_a_full_run_directory_costs_no_process_and_no_message(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """Whoever looks from outside finds an empty folder there: all is to be seen in the log and in the books."""
    run_dir, books = tmp_path / "run", tmp_path / "books"
    run_dir.mkdir()
    mount = 'mount -t tmpfs -o size=400k tmpfs "$1" && shift && exec "$@"'
    small = ("unshare", "--mount", "sh", "-c", mount, "sh", str(run_dir))
    patient = {"CONSUMER_PULSE_TIMEOUT": "1", "CONSUMER_VISIBILITY_TIMEOUT": "30"}
    queues.send({"clutter": 1, "sleep": 4}, {"sleep": 8})
    with Program(tmp_path, "up", env={**env, **patient}, before=small) as container:
        wait_until(lambda: notes(books, "full"), "the folder is full")
        container.wait_for("run_directory_full")
        container.wait_for("delivered", 1, outcome="done")
        queues.send({"leave": 3})
        container.wait_for("rescued")
        container.wait_for("delivered", 2, outcome="done")
        assert container.terminate() == 0, "and what is in hand is done"
        assert not container.events("process_killed")
        assert {line["code"] for line in container.events("process_leaving")} == {0}
    assert len(notes(books)) == 3
    assert queues.left == 0


def test_wrong_settings_and_handlers_end_the_container_at_once(env: dict[str, str], tmp_path: Path) -> None:
    for changes, code in (({"CONSUMER_LIMIT": "many"}, 64), ({"CONSUMER_HANDLER": "nowhere:handle"}, 70)):
        with Program(tmp_path, "up", env={**env, **changes}) as container:
            assert container.exit_code() == code


@pytest.mark.parametrize("body", [{}, {"die": 1}])
def test_what_a_handler_has_started_does_not_go_on_with_a_message_that_is_given_to_another_process(
    queues: Queues, env: dict[str, str], tmp_path: Path, body: dict[str, int]
) -> None:
    """A browser, a converter: it would work beside the next run, and its memory would never come back."""
    queues.send(body)
    limits = {"CONSUMER_TIME_LIMIT": "1", "CONSUMER_TIME_LIMIT_GRACE": "0.5", "CONSUMER_PROCESSES": "1"}
    handler = {"CONSUMER_HANDLER": "support.handlers:waits_for_a_program"}
    books = tmp_path / "books"

    def started() -> list[int]:
        return [int(line["what"]) for line in notes(books, "") if line["what"].isdigit()]

    with Program(tmp_path, "up", env={**env, **limits, **handler}) as container:
        try:
            wait_until(lambda: len(notes(books, "begin")) == 2, "it is run again")
            first = started()[0]
            assert pulse.started(first) is None, "the first run's program has ended"
        finally:
            container.terminate()
            for pid in started():
                kill(pid, signal.SIGKILL)
