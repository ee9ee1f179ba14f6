"""What the ledger promises of whole processes: a real queue, a real database."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from consumer import cli
from consumer.message.database import engine
from consumer.message.ledger import Ledger
from consumer.message.lookup import lookup
from support import databases
from support.handlers import notes
from support.programs import Program

if TYPE_CHECKING:
    import pytest

    from support.databases import Effects
    from support.queues import Queues


def test_a_message_sent_twice_by_the_queue_runs_once(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    """The queue forgets a delete, as SQS may: the second delivery is settled by a look at the ledger."""
    (name,) = queues.send({})
    forgets = {"DENIED": "DeleteMessage", "CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.5"}
    with Program(tmp_path, "work", env={**ledgered, **forgets}) as program:
        program.wait_for("delivered", 2)
        assert program.terminate() == 0
    assert effects.all() == [name]
    assert len(notes(tmp_path / "books", "begin")) == 1


def test_callbacks_may_fail_commits_are_refused_and_results_are_kept(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    """What a callback raises is a failure, and nothing of the run is kept."""
    good, late, bad = queues.send({}, {"then": "callback fails"}, {"then": "commit"})
    with Program(tmp_path, "work", env={**ledgered, "CONSUMER_MAX_ATTEMPTS": "2"}) as program:
        program.wait_for("delivered", 2, outcome="done")
        program.wait_for("delivered", message_id=bad, outcome="reject")
        assert program.terminate() == 0
    (failed,) = program.events("delivered", message_id=late, outcome="retry")
    assert failed["error"].startswith("ZeroDivisionError")
    assert program.events("delivered", message_id=late, outcome="done")[0]["attempt"] == 2
    assert all("no commit by the handler" in one["error"] for one in program.events("delivered", message_id=bad))
    assert sorted(effects.all()) == sorted([good, late])
    found = [lookup(one, queue=queues.url, database_url=ledgered["CONSUMER_DATABASE_URL"]) for one in (good, bad)]
    assert [(one.state, one.result) for one in found] == [("done", {"report": good}), ("failed", None)]


def test_messages_with_one_key_are_done_once_and_said_to_be_repeats(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path
) -> None:
    first, second, third = queues.send({"order": "a"}, {"order": "a"}, {"order": "a", "changed": 1})
    with Program(tmp_path, "work", env={**ledgered, "CONSUMER_HANDLER": "support.ledgered:by_order"}) as program:
        program.wait_for("delivered", 3, outcome="done")
        assert program.terminate() == 0
        assert len(program.events("delivered", cause="deduplicated")) == 2
        said = {line["message_id"] for name in ("repeated", "key_of_another_body") for line in program.events(name)}
    (run,) = notes(tmp_path / "books")
    assert said == {first, second, third} - {run["id"]}
    assert queues.left == 0


def test_a_dead_message_that_is_sent_again_by_hand_runs_again(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By our own command, and as anybody would with boto3: receive, send, delete."""
    by_us, by_boto3 = queues.send({"order": "a", "then": "reject"}, {"order": "b", "then": "reject"})
    with Program(tmp_path, "work", env={**ledgered, "CONSUMER_HANDLER": "support.ledgered:by_order"}) as program:
        program.wait_for("delivered", 2, outcome="reject")
        (Path(ledgered["KILLED"]) / "fixed").touch()
        for name in ("CONSUMER_QUEUE_URL", "CONSUMER_DATABASE_URL"):
            monkeypatch.setenv(name, ledgered[name])
        assert cli.main(["failed", "retry", by_us]) == 0
        (letter,) = queues.dead()
        queues.sqs.send_message(
            QueueUrl=queues.url, MessageBody=letter["Body"], MessageAttributes=letter["MessageAttributes"]
        )
        queues.sqs.delete_message(QueueUrl=queues.dlq_url, ReceiptHandle=letter["ReceiptHandle"])
        again = program.wait_for("delivered", 2, outcome="done")
        assert program.terminate() == 0
    assert {line["message_id"] for line in again}.isdisjoint({by_us, by_boto3})
    assert [line["attempt"] for line in again] == [1, 1]
    assert len(notes(tmp_path / "books")) == 2
    assert (queues.left, queues.all_dead()) == (0, [])
    ledger = engine(ledgered["CONSUMER_DATABASE_URL"], 1)
    rows = [Ledger(ledger, queues.url.rpartition("/")[2], 1).look_up(key) for key in "ab"]
    assert [(row.state, row.redrives, row.fence) for row in rows if row] == [("done", 1, 2), ("done", 1, 2)]
    ledger.dispose()


def sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(entry.readlink()))
    return {target for target in found if target.startswith("socket:")}


def test_no_connection_is_shared_with_pid_1_or_between_its_children(
    queues: Queues, env: dict[str, str], postgresql: str, tmp_path: Path
) -> None:
    """Two processes that speak on one connection would read one another's answers."""
    queues.send(*[{"sleep": 0.2}] * 12)
    url = databases.on_postgresql(postgresql)
    with Program(tmp_path, "up", env={**env, "CONSUMER_DATABASE_URL": url, "CONSUMER_PROCESSES": "3"}) as container:
        container.wait_for("delivered", 12, outcome="done")
        found = {life["pid"]: sockets(life["pid"]) for life in container.lives()}
        found[container.pid] = sockets(container.pid)
        assert len(found) == 4
        with psycopg.connect(url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'consumer' AND datname = %s"
            counted = connection.execute(query, [connection.info.dbname]).fetchone()
        assert counted == (3,), "one each, and PID 1 and the agent have none"
        assert container.terminate() == 0
    every = [one for held in found.values() for one in held]
    assert len(every) == len(set(every))
    assert all(found[pid] for pid in found if pid != container.pid)


def test_without_a_ledger_a_session_is_refused_by_the_setting_s_name(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({})
    once = {"CONSUMER_HANDLER": "support.ledgered:writes", "CONSUMER_MAX_ATTEMPTS": "1"}
    with Program(tmp_path, "work", env={**env, **once}) as program:
        program.wait_for("delivered", outcome="reject")
        assert "set CONSUMER_DATABASE_URL" in program.events("delivered")[0]["error"]
        assert program.terminate() == 0


def test_a_handler_that_hangs_with_an_open_session_has_failed(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path
) -> None:
    """On SQLite its session locks the very file in which that is to be written."""
    (name,) = queues.send({})
    limits = {"CONSUMER_TIME_LIMIT": "1", "CONSUMER_TIME_LIMIT_GRACE": "0.5", "CONSUMER_MAX_ATTEMPTS": "1"}
    hanging = {**ledgered, **limits, "CONSUMER_HANDLER": "support.ledgered:hangs"}
    with Program(tmp_path, "work", env=hanging) as program:
        assert program.exit_code() == 20
        assert [line["outcome"] for line in program.events("delivered", message_id=name)] == ["reject"]
    assert len(queues.all_dead()) == 1


def test_a_database_that_refuses_and_will_not_be_cured_by_waiting_ends_the_process(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path
) -> None:
    """As with a role that may make no table, or an option of another driver's, which no server is asked for."""
    queues.send({})
    url = "postgresql://u:secret@127.0.0.1:1/ledger?ssl=require"
    refused = {**ledgered, "CONSUMER_DATABASE_URL": url, "CONSUMER_PATIENCE": "1"}
    with Program(tmp_path, "work", env=refused) as program:
        assert program.exit_code() == 75
        (leaving,) = program.events("process_leaving")
        assert leaving["reason"] == "refused"
        assert "invalid connection option" in leaving["detail"]
        assert "secret" not in str(program.events())


def test_what_sns_delivers_twice_is_a_repeat_and_no_other_body(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path
) -> None:
    """A topic's envelope bears a time and a signature of its own each time; the body is what is inside."""
    notifications = [
        {"Type": "Notification", "MessageId": str(number), "TopicArn": "arn:aws:sns:eu-west-1:1:orders",
         "Message": '{"order": "a"}', "Timestamp": f"2026-01-01T00:00:0{number}.000Z"}
        for number in range(2)
    ]  # fmt: skip
    queues.send(*notifications)
    env = {**ledgered, "CONSUMER_HANDLER": "support.ledgered:by_order", "CONSUMER_ENVELOPE": "sns"}
    with Program(tmp_path, "work", env=env) as program:
        program.wait_for("delivered", cause="deduplicated")
        assert program.terminate() == 0
    assert len(program.events("repeated")) == 1
    assert not program.events("key_of_another_body")
