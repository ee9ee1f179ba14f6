"""One process, `consumer work`, with real signals and a real queue."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from support.handlers import notes
from support.programs import QUICK, Program, kill, wait_until
from support.queues import Queues

if TYPE_CHECKING:
    from pathlib import Path


def test_a_message_is_handled_and_deleted(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    ids = queues.send({}, {}, {})
    with Program(tmp_path, "work", env=env) as program:
        program.wait_for("delivered", 3, outcome="done")
        assert sorted(one["id"] for one in notes(tmp_path / "books")) == sorted(ids)
        assert program.terminate() == 0
    assert queues.left == 0


def test_a_receive_in_flight_at_stop_is_given_back(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    with Program(tmp_path, "work", env={**env, "CONSUMER_WAIT_TIME_SECONDS": "5"}) as program:
        wait_until(lambda: [life for life in program.lives() if life["state"] == "idle"], "a poll under way")
        time.sleep(0.5)  # the poll has reached the server; nothing of ours shows it
        program.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        queues.send({})
        assert program.exit_code() == 0
        assert [one["messages"] for one in program.events("given_back")] == [1]
    assert queues.counts().visible == 1
    assert not notes(tmp_path / "books", "begin")


def test_a_lease_outlives_a_handler_of_ten_visibility_timeouts(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 20})
    quick = {"CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.4"}
    with Program(tmp_path, "work", env={**env, **quick}) as program:
        program.wait_for("delivered", outcome="done")
    with_others = notes(tmp_path / "books", "begin")
    assert [one["count"] for one in with_others] == [1]
    assert queues.left == 0


@pytest.mark.parametrize("body", [{"spin": 5}, {"then": "exit"}], ids=["spins", "raises SystemExit"])
def test_a_handler_that_misbehaves_costs_its_delivery_and_not_its_process(
    body: dict[str, object], queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send(body, {})
    quick = {"CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.4", "CONSUMER_BACKOFF": "30"}
    with Program(tmp_path, "work", env={**env, **quick}) as program:
        program.wait_for("delivered", 2)
        assert {one["pid"] for one in notes(tmp_path / "books", "begin")} == {program.pid}
        assert {one["count"] for one in notes(tmp_path / "books", "begin")} == {1}
        assert program.terminate() == 0


def test_an_async_handler_that_blocks_its_loop_keeps_its_lease_and_hears_signals(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"block": 5})
    quick = {"CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.4"}
    with Program(tmp_path, "work", env={**env, **quick, "CONSUMER_HANDLER": "support.handlers:work_async"}) as program:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        time.sleep(2.5)  # longer than the lease
        program.process.send_signal(signal.SIGTERM)
        wait_until(lambda: [life for life in program.lives() if life["state"] == "draining"], "the signal is heard")
        assert program.exit_code() == 0
    assert [one["count"] for one in notes(tmp_path / "books", "begin")] == [1]
    assert queues.left == 0


def test_told_to_stop_a_handler_may_end_within_the_drain(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send({"until_stopping": 30})
    with Program(tmp_path, "work", env=env) as program:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        assert program.terminate() == 0
        assert notes(tmp_path / "books", "told")
        assert program.events("delivered", outcome="done")
    assert queues.left == 0


@pytest.mark.parametrize("kind", ["work", "work_async"])
def test_what_cannot_end_within_the_drain_is_given_back_at_once(
    kind: str, queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 60})
    short = {"CONSUMER_STOP_TIMEOUT": "12", "CONSUMER_HANDLER": f"support.handlers:{kind}"}
    with Program(tmp_path, "work", env={**env, **short}) as program:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        assert program.terminate() == 0
        assert program.events("delivered", outcome="release", cause="interrupted")
        assert bool(notes(tmp_path / "books", "cancelled")) == (kind == "work_async")
    assert queues.counts().visible == 1


def test_a_process_stopped_past_its_lease_and_continued_does_not_delete_anothers_message(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 3})
    quick = {**env, "CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.4"}
    with Program(tmp_path, "work", env=quick) as frozen:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        kill(frozen.pid, signal.SIGSTOP)
        taken = wait_until(
            lambda: queues.sqs.receive_message(QueueUrl=queues.url, VisibilityTimeout=60).get("Messages"),
            "the lease lapses",
        )
        kill(frozen.pid, signal.SIGCONT)
        frozen.wait_for("delivered", outcome="left_alone")
        assert frozen.terminate() == 0
    assert queues.counts().in_flight == 1  # still the other's
    queues.sqs.change_message_visibility(
        QueueUrl=queues.url, ReceiptHandle=taken[0]["ReceiptHandle"], VisibilityTimeout=0
    )
    assert queues.counts().visible == 1


def test_sigkill_redelivers_within_the_visibility_timeout(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send({"sleep": 60})
    with Program(tmp_path, "work", env=env) as program:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        killed = time.monotonic()
        kill(program.pid, signal.SIGKILL)
        answer = wait_until(
            lambda: queues.sqs.receive_message(QueueUrl=queues.url, WaitTimeSeconds=2).get("Messages"), "it comes back"
        )
        assert answer
        assert time.monotonic() - killed < float(QUICK["CONSUMER_VISIBILITY_TIMEOUT"]) + 3


def test_past_its_time_limit_and_grace_a_handler_is_ended_with_its_process(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"sleep": 60})
    short = {"CONSUMER_TIME_LIMIT": "0.5", "CONSUMER_TIME_LIMIT_GRACE": "0.5", "CONSUMER_BACKOFF": "1"}
    with Program(tmp_path, "work", env={**env, **short}) as program:
        assert program.exit_code() == 20
        assert program.events("delivered", outcome="retry", cause="timeout")
        assert program.events("process_leaving", reason="hung")
    assert queues.left == 1


def test_with_a_hanging_handler_the_other_slots_get_the_drain(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    hung, other = queues.send({"sleep": 60}, {"until_stopping": 30})
    short = {"CONSUMER_TIME_LIMIT": "2", "CONSUMER_TIME_LIMIT_GRACE": "0.1", "CONSUMER_CONCURRENCY": "2"}
    with Program(tmp_path, "work", env={**env, **short}) as program:
        assert program.exit_code() == 20
        ends = {one["message_id"]: one["outcome"] for one in program.events("delivered")}
        assert ends == {hung: "retry", other: "done"}
        told, settled = program.events("delivered")
        assert told["message_id"] == other, "the hanging message is given up last"
        assert settled["message_id"] == hung


@pytest.mark.parametrize("body", [{"sleep": 60}, {}], ids=["busy", "idle"])
def test_ctrl_c_in_a_terminal_stops_like_sigterm_and_a_second_one_at_once(
    body: dict[str, object], queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send(body)
    with Program(tmp_path, "work", env={**env, "CONSUMER_WAIT_TIME_SECONDS": "3"}) as program:
        wait_until(lambda: notes(tmp_path / "books", "begin"), "the handler has begun")
        if not body:
            program.wait_for("delivered")
        program.process.send_signal(signal.SIGINT)
        if body:
            wait_until(lambda: [life for life in program.lives() if life["state"] == "draining"], "heard")
            program.process.send_signal(signal.SIGINT)
        assert program.exit_code() == (130 if body else 0)


def test_a_recycled_process_never_got_a_message_too_many(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send(*[{"sleep": 1}] * 5)
    with Program(tmp_path, "work", "--limit", "2", env={**env, "CONSUMER_JITTER": "0"}) as program:
        assert program.exit_code() == 10
    assert len(notes(tmp_path / "books", "begin")) == 2
    found = queues.counts()
    assert (found.visible, found.in_flight) == (3, 0)


def test_a_process_retires_for_private_memory(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send(*[{"mib": 24}] * 40)
    leaking = {**env, "CONSUMER_HANDLER": "support.handlers:leaks", "CONSUMER_JITTER": "0"}
    with Program(tmp_path, "work", "--memory-limit", "300M", env=leaking) as program:
        assert program.exit_code() == 12
        assert len(notes(tmp_path / "books")) < 40


def test_a_memory_limit_under_the_warm_baseline_is_a_warning_and_no_restart_loop(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{"sleep": 0.3}] * 12)
    with Program(tmp_path, "work", "--memory-limit", "1M", env=env) as program:
        program.wait_for("delivered", 12, outcome="done")
        assert len(program.events("memory_limit_too_low")) == 1
        assert program.terminate() == 0


def test_nothing_of_one_message_is_seen_by_the_next(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send(*[{"customer": name} for name in "abcd"])
    with Program(tmp_path, "work", env={**env, "CONSUMER_HANDLER": "support.handlers:leaky"}) as program:
        program.wait_for("delivered", 4, outcome="done")
    assert len(notes(tmp_path / "books", "saw none none")) == 4


def test_an_upstream_down_for_ten_minutes_dead_letters_nothing(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    scaled = {"CONSUMER_BACKOFF": "0.3", "CONSUMER_BACKOFF_CAP": "9", "CONSUMER_FAILURE_PAUSE": "0.05"}  # 1:100
    queues.send(*[{"then": "fail_until", "time": time.time() + 6}] * 6)
    with Program(tmp_path, "work", env={**env, **scaled}) as program:
        program.wait_for("delivered", 6, outcome="done")
    assert not queues.dead()
    assert queues.left == 0


def test_no_such_queue_is_borne_for_the_patience_and_then_ends_the_process(env: dict[str, str], tmp_path: Path) -> None:
    gone = {**env, "CONSUMER_QUEUE_URL": env["CONSUMER_QUEUE_URL"] + "-gone", "CONSUMER_PATIENCE": "1"}
    with Program(tmp_path, "work", env=gone) as program:
        assert program.exit_code() == 75
        assert program.events("process_leaving", reason="refused")


def test_without_a_dead_letter_queue_the_start_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    bare = Queues.create(redrive=False)
    with Program(tmp_path, "work", env={**env, "CONSUMER_QUEUE_URL": bare.url}) as program:
        assert program.exit_code() == 64
        assert "CONSUMER_WITHOUT_DLQ" in program.events("wrong_settings")[0]["problem"]


def test_wrong_settings_and_handlers_have_their_exit_codes(env: dict[str, str], tmp_path: Path) -> None:
    for changes, code in (({"CONSUMER_LIMIT": "many"}, 64), ({"CONSUMER_HANDLER": "nowhere:handle"}, 70)):
        with Program(tmp_path, "work", env={**env, **changes}) as program:
            assert program.exit_code() == code


def test_the_run_directory_gone_ends_the_process(env: dict[str, str], tmp_path: Path) -> None:
    quick = {"CONSUMER_PULSE_TIMEOUT": "1"}
    with Program(tmp_path, "work", env={**env, **quick}) as program:
        program.ready(1)
        program.run_dir.rename(tmp_path / "elsewhere")  # in one step: it writes into it all the time
        assert program.exit_code() == 21


def test_a_reject_travels_with_its_reason(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    queues.send({"then": "reject"}, "not json")
    with Program(tmp_path, "work", env=env) as program:
        program.wait_for("delivered", 2, outcome="reject")
    reasons = [json.loads(one["MessageAttributes"]["ConsumerReject"]["StringValue"]) for one in queues.dead()]
    assert sorted(one["reason"].split(":")[0] for one in reasons) == ["body", "not an order"]
    assert queues.left == 0
