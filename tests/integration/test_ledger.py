"""What the ledger promises, on both databases."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from consumer import cli
from consumer.errors import LedgerError
from consumer.message import database, schema
from consumer.message.ledger import Answer, Claim, Elsewhere, Ledger, Settled
from consumer.message.lookup import Found, lookup
from support import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

DAY = 86_400.0
# SQLite waits 5 s for its lock, which anybody may get: of eight on a slow disk one goes without. Processes ask again.
PATIENTLY = Retrying(retry=retry_if_exception(database.away), stop=stop_after_attempt(12), reraise=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database.engine(database_url, 4)
    schema.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, "orders", DAY)


def claimed(ledger: Ledger, key: str = "k", message_id: str = "m1", seconds: float = 90) -> Claim:
    answer = asked(ledger, key, message_id, seconds)
    assert isinstance(answer, Claim), answer
    return answer


def asked(ledger: Ledger, key: str = "k", message_id: str = "m1", seconds: float = 90) -> Answer:
    return ledger.claim(key, message_id, "digest", seconds, holder=uuid.uuid4().hex)


def forgotten(engine: Engine, key: str) -> None:
    """Make a row that has expired already."""
    short = Ledger(engine, "orders", -1)
    assert short.done(claimed(short, key))


def pass_time(engine: Engine, seconds: float) -> None:
    """Let time pass for all rows, as the database sees it."""
    row = schema.ledger.c
    with engine.begin() as connection:
        connection.execute(
            update(schema.ledger).values(
                {
                    "claimed_until": row.claimed_until - seconds,
                    "expires": row.expires - seconds,
                    "key_until": row.key_until - seconds,
                }
            )
        )


def test_a_new_message_is_ours_and_its_first_attempt(ledger: Ledger) -> None:
    claim = claimed(ledger)
    assert (claim.attempt, claim.fence, claim.suspect) == (1, 1, False)


def test_a_message_in_hand_is_nobody_else_s_for_as_long_as_its_claim_lasts(ledger: Ledger, engine: Engine) -> None:
    first = claimed(ledger)
    answer = asked(ledger)
    assert isinstance(answer, Elsewhere)
    assert 80 < answer.seconds <= 90
    pass_time(engine, 91)
    second = claimed(ledger)
    assert (second.fence, second.attempt) == (2, 1)
    assert not ledger.renew(first, 90)
    assert not ledger.done(first)
    assert ledger.renew(second, 90)


def test_a_claim_that_has_run_out_and_was_taken_by_nobody_is_still_good(ledger: Ledger, engine: Engine) -> None:
    claim = claimed(ledger)
    pass_time(engine, 1000)
    assert ledger.done(claim)
    assert isinstance(asked(ledger), Settled)


def test_a_claim_asked_for_twice_is_made_once(ledger: Ledger) -> None:
    first = ledger.claim("k", "m1", "digest", 90, holder="me")
    assert ledger.claim("k", "m1", "digest", 90, holder="me") == first
    assert isinstance(ledger.claim("k", "m1", "digest", 90, holder="you"), Elsewhere)


def test_failures_are_attempts_and_what_was_given_back_is_none(ledger: Ledger) -> None:
    assert ledger.release(claimed(ledger))
    assert ledger.failed(claimed(ledger), "down")
    assert ledger.release(claimed(ledger))
    claim = claimed(ledger)
    assert (claim.attempt, claim.failures, claim.fence) == (2, 1, 4)


def test_a_close_said_again_after_a_lost_answer_counts_once(ledger: Ledger) -> None:
    claim = claimed(ledger)
    assert ledger.failed(claim, "down")
    assert ledger.failed(claim, "down")
    claim = claimed(ledger)
    assert claim.failures == 1
    assert ledger.done(claim)
    assert ledger.done(claim)
    assert ledger.is_done(claim)


def test_what_is_done_is_done_for_every_message_with_its_key_until_it_is_forgotten(
    ledger: Ledger, engine: Engine
) -> None:
    assert ledger.done(claimed(ledger), ttl=60)
    assert asked(ledger, message_id="m2") == Settled("done", "m1", "digest", "")
    pass_time(engine, 61)
    claim = claimed(ledger, message_id="m2")
    assert (claim.fence, claim.attempt) == (2, 1)


def test_a_message_that_comes_back_after_its_key_is_free_again_is_done_all_the_same(
    ledger: Ledger, engine: Engine
) -> None:
    assert ledger.done(claimed(ledger), ttl=60)
    pass_time(engine, 61)
    assert isinstance(asked(ledger), Settled)


def test_a_done_message_that_comes_back_while_another_one_with_its_key_waits_for_its_next_attempt_is_not_run(
    ledger: Ledger, engine: Engine
) -> None:
    assert ledger.done(claimed(ledger), ttl=60)
    pass_time(engine, 61)
    assert ledger.failed(claimed(ledger, message_id="m2"), "down")
    assert isinstance(asked(ledger), Settled), "m1 was done, whatever has become of m2"
    waiting = claimed(ledger, message_id="m2")
    assert (waiting.failures, waiting.fence) == (1, 3), "m1's coming changed nothing"
    assert asked(ledger) == Settled("done", "m1", "digest", ""), "nor does it wait for m2's end"
    assert ledger.dead(waiting, "no")
    assert asked(ledger) == Settled("done", "m1", "digest", "")
    claimed(ledger, message_id="m3")
    pass_time(engine, DAY + 100)
    assert isinstance(asked(ledger), Claim), "as far as the ledger remembers"


def test_a_message_in_hand_stays_so_however_old_its_row(ledger: Ledger, engine: Engine) -> None:
    claim = claimed(ledger, seconds=DAY + 60)
    pass_time(engine, DAY + 1)
    assert isinstance(asked(ledger), Elsewhere)
    assert ledger.done(claim)


def test_what_is_closed_as_one_thing_is_not_closed_as_another(ledger: Ledger) -> None:
    claim = claimed(ledger)
    assert ledger.done(claim)
    assert not ledger.dead(claim, "no")
    assert not ledger.failed(claim, "down")
    assert not ledger.renew(claim, 90)


@pytest.mark.parametrize("nasty", ["\x00", "\ud800", "x" * 1_000_000], ids=["U+0000", "a lone surrogate", "1 MB"])
def test_what_a_body_may_hold_and_a_database_not_is_no_error_in_a_reason(ledger: Ledger, nasty: str) -> None:
    assert ledger.failed(claimed(ledger), f"KeyError: {nasty}")
    assert ledger.dead(claimed(ledger), f"no such order: {nasty}")
    answer = asked(ledger)
    assert isinstance(answer, Settled)
    assert answer.reason.startswith("no such order: ")


def test_a_dead_message_is_settled_again_and_runs_afresh_when_it_was_sent_again(ledger: Ledger) -> None:
    assert ledger.failed(claimed(ledger), "down")
    assert ledger.dead(claimed(ledger), "no such order")
    assert asked(ledger) == Settled("dead", "m1", "digest", "no such order")
    again = claimed(ledger, message_id="m2")
    assert (again.failures, again.attempt, again.fence) == (0, 1, 3)
    row = ledger.look_up("k")
    assert row is not None
    assert (row.redrives, row.reason) == (1, "no such order")


def test_a_crash_makes_a_suspect_and_counts_when_the_message_was_alone(ledger: Ledger) -> None:
    assert ledger.crashed(claimed(ledger), alone=False)
    claim = claimed(ledger)
    assert (claim.suspect, claim.crashes, claim.attempt) == (True, 0, 1)
    assert ledger.crashed(claim, alone=True)
    claim = claimed(ledger)
    assert (claim.suspect, claim.crashes, claim.attempt) == (True, 1, 2)


def test_of_many_that_claim_at_once_one_wins(database_url: str, engine: Engine) -> None:
    del engine
    engines = [database.engine(database_url, 1) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            ledgers = [Ledger(one, "orders", DAY) for one in engines]
            answers = list(pool.map(lambda one, key=f"k{number}": PATIENTLY(asked, one, key), ledgers))
            assert [type(answer) for answer in answers].count(Claim) == 1
            assert [type(answer) for answer in answers].count(Elsewhere) == 7
    for one in engines:
        one.dispose()


def test_a_queue_s_name_is_the_last_word_of_its_url_be_there_a_slash_behind_it_or_not(engine: Engine) -> None:
    claimed(Ledger(engine, "https://sqs.eu-west-1.amazonaws.com/1/orders/", DAY))
    assert isinstance(asked(Ledger(engine, "orders", DAY)), Elsewhere)


def test_queues_do_not_see_one_another(engine: Engine, ledger: Ledger) -> None:
    claimed(ledger)
    claimed(Ledger(engine, "others", DAY))


def test_many_processes_that_start_at_once_make_the_table_once(database_url: str) -> None:
    engines = [database.engine(database_url, 1) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(PATIENTLY, schema.migrate), engines)).count(True) == 1
    for one in engines:
        one.dispose()


@pytest.mark.parametrize("versioned", [False, True])
def test_a_table_that_somebody_else_has_made_is_named_with_what_it_lacks(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, versioned: bool
) -> None:
    engine = database.engine(database_url, 1)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE consumer_ledger (queue TEXT, key TEXT, expires FLOAT)"))
        if versioned:
            schema.version.create(connection)
            connection.execute(insert(schema.version).values(version=1))
    engine.dispose()
    monkeypatch.setenv("CONSUMER_DATABASE_URL", database_url)
    for _ in range(2):
        assert cli.main(["ledger", "migrate"]) == 64
        said = capsys.readouterr().err
        assert "the table consumer_ledger: expected the ledger's; got one without message_id, digest, state" in said


def test_a_consumer_needs_no_right_to_make_tables_once_they_are_there(postgresql: str) -> None:
    url = databases.on_postgresql(postgresql)
    admin = database.engine(url, 1)
    schema.migrate(admin)
    with admin.begin() as connection:
        for statement in (
            "CREATE ROLE worker LOGIN",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON consumer_ledger TO worker",
            "GRANT SELECT ON consumer_version TO worker",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        ):
            connection.execute(text(statement))
    engine = database.engine(url.replace("//postgres", "//worker"), 1)
    try:
        assert not schema.migrate(engine)
        ledger = Ledger(engine, "orders", DAY)
        assert ledger.done(claimed(ledger))
        assert ledger.prune() == 0
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(text("DROP OWNED BY worker"))
            connection.execute(text("DROP ROLE worker"))
        admin.dispose()


UPGRADE = ("ALTER TABLE consumer_ledger ADD COLUMN note TEXT", "UPDATE consumer_ledger SET note = 'of version 1'")


def test_many_processes_that_start_at_once_upgrade_the_table_once_and_keep_what_is_in_it(
    database_url: str, engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(ledger)
    monkeypatch.setattr(schema, "UPGRADES", (UPGRADE, ("ALTER TABLE consumer_ledger ADD COLUMN other TEXT",)))
    engines = [database.engine(database_url, 1) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(PATIENTLY, schema.migrate), engines)).count(True) == 1
    for one in engines:
        one.dispose()
    with engine.begin() as connection:
        assert list(connection.scalars(select(schema.version.c.version))) == [3]
        assert tuple(connection.execute(text("SELECT key, note, other FROM consumer_ledger")).one()) == (
            "k", "of version 1", None,
        )  # fmt: skip
    assert ledger.renew(claim, 90), "a process of the version before goes on"
    assert isinstance(asked(ledger, key="another"), Claim)


def test_an_upgrade_that_breaks_off_has_changed_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "UPGRADES", ((*UPGRADE, "ALTER TABLE nowhere ADD COLUMN note TEXT"),))
    with pytest.raises(DBAPIError, match="nowhere"):
        schema.migrate(engine)
    monkeypatch.setattr(schema, "UPGRADES", (UPGRADE,))
    assert [schema.migrate(engine), schema.migrate(engine)] == [True, False]


def test_a_table_made_anew_is_of_the_newest_version(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "UPGRADES", (("this is no statement",),))
    engine = database.engine(database_url, 1)
    assert [schema.migrate(engine), schema.migrate(engine)] == [True, False]
    engine.dispose()


def test_a_schema_of_a_later_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(schema.version).values(version=99))
    with pytest.raises(LedgerError, match="expected version 1 or older; got 99"):
        schema.migrate(engine)


def test_only_what_has_expired_is_pruned_and_so_many_rows_at_a_time(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.message.ledger.PRUNED", 10)
    for number in range(25):
        forgotten(engine, f"old{number}")
    claimed(Ledger(engine, "orders", -1), key="in hand")
    ledger.done(claimed(ledger, key="kept"))
    assert [ledger.prune(), ledger.prune(), ledger.prune(), ledger.prune()] == [10, 10, 5, 0]
    assert ledger.look_up("kept") is not None
    assert ledger.look_up("in hand") is not None, "whatever its age"
    pass_time(engine, DAY + 1)
    assert ledger.prune() == 2


def test_a_row_that_is_just_being_claimed_is_neither_waited_for_nor_pruned(ledger: Ledger, engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    for key in ("claimed", "old"):
        forgotten(engine, key)
    with engine.begin() as connection:
        connection.execute(text("UPDATE consumer_ledger SET state = 'open' WHERE key = 'claimed'"))
        assert ledger.prune() == 1
    assert ledger.look_up("old") is None
    assert ledger.look_up("claimed") is not None


def test_a_dead_message_that_is_opened_again_runs_under_its_own_id_and_that_is_one_redrive(ledger: Ledger) -> None:
    """A server's own move may keep the ids."""
    assert ledger.failed(claimed(ledger), "down")
    assert ledger.crashed(claimed(ledger), alone=True)
    assert ledger.dead(claimed(ledger), "no such order")
    claimed(ledger, key="in hand")
    ledger.done(claimed(ledger, key="done"))
    assert [ledger.reopen(), ledger.reopen("k"), ledger.reopen("done")] == [1, 0, 0]
    again = claimed(ledger)
    assert (again.attempt, again.suspect, again.fence) == (1, False, 4)
    row = ledger.look_up("k")
    assert row is not None
    assert (row.redrives, row.reason, row.message_id) == (1, "no such order", "m1")
    assert isinstance(asked(ledger, key="in hand"), Elsewhere)


def round_trips(engine: Engine, call: Callable[[], object]) -> int:
    """Count what libpq sends and waits for."""
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
    with tempfile.TemporaryFile() as file:
        driver.pgconn.trace(file.fileno())
        call()
        driver.pgconn.untrace()
        file.seek(0)
        lines = [line.split("\t") for line in file.read().decode().splitlines()]
    assert {"F", "B"} <= {direction for _, direction, *_ in (line for line in lines if len(line) > 2)}
    return sum(line[1] == "F" and line[3] in ("Sync", "Query") for line in lines if len(line) > 3)


def test_a_claim_and_a_close_are_a_statement_each_and_connections_go_back_at_once(
    ledger: Ledger, engine: Engine
) -> None:
    """And one round trip each: on PostgreSQL no BEGIN and no COMMIT, and no ping beforehand."""
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2].split()[0]))
    claim = claimed(ledger)
    held = engine.pool.checkedout()  # type: ignore[attr-defined]
    assert ledger.renew(claim, 90)
    assert ledger.done(claim)
    assert [word for word in said if word != "BEGIN"] == ["INSERT", "UPDATE", "UPDATE"]
    assert held == engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    if engine.dialect.name == "postgresql":
        assert round_trips(engine, lambda: ledger.done(claimed(ledger, key="k2"))) == 2


def test_the_queries_use_the_indexes(engine: Engine, ledger: Ledger) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("PostgreSQL's planner")
    ledger.done(claimed(ledger))
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for where in ("queue = 'orders' AND key = 'k'", "expires <= 0"):
            plan = "\n".join(connection.scalars(text(f"EXPLAIN SELECT * FROM consumer_ledger WHERE {where}")))
            assert "Index" in plan, plan
    assert {index["name"] for index in inspect(engine).get_indexes("consumer_ledger")} == {"consumer_ledger_expires"}


def test_a_web_application_learns_what_has_become_of_a_message(database_url: str, ledger: Ledger) -> None:
    def found(key: str = "k") -> Found:
        return lookup(key, queue="https://sqs.eu-west-1.amazonaws.com/1/orders", database_url=database_url)

    assert found() == Found("unknown")
    claim = claimed(ledger)
    assert found() == Found("running")
    ledger.failed(claim, "TimeoutError: slow")
    assert found() == Found("running", reason="TimeoutError: slow")
    ledger.done(claimed(ledger), '{"report": 7}')
    assert found() == Found("done", result={"report": 7})
    ledger.dead(claimed(ledger, key="d"), "no such order")
    assert found("d") == Found("failed", reason="no such order")
    short = Ledger(ledger._engine, "orders", -1)
    short.done(claimed(short, key="old"))
    assert found("old") == Found("unknown")


def test_a_statement_that_waits_for_the_database_gives_up(database_url: str, engine: Engine) -> None:
    """A row that somebody keeps locked must not hold a process for ever."""
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite waits for its lock 5 s at most, which nobody can hold by accident")
    claimed(Ledger(engine, "orders", DAY))
    impatient = database.engine(database_url, 1, statement_seconds=0.5)
    with engine.begin() as connection:
        connection.execute(text("SELECT * FROM consumer_ledger FOR UPDATE"))
        began = time.monotonic()
        with pytest.raises(database.TROUBLED) as caught:
            asked(Ledger(impatient, "orders", DAY))
        assert time.monotonic() - began < 20
    assert database.away(caught.value)
    impatient.dispose()


def test_people_can_make_prune_and_count_the_ledger(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CONSUMER_QUEUE_URL", "CONSUMER_HANDLER", "CONSUMER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["ledger", "stats"]) == 64
    assert "CONSUMER_DATABASE_URL: expected the ledger's database; got none" in capsys.readouterr().err
    monkeypatch.setenv("CONSUMER_DATABASE_URL", database_url)
    ledger = Ledger(engine, "orders", DAY)
    claimed(ledger, key="in hand")
    ledger.failed(claimed(ledger, key="waiting"), "down")
    ledger.done(claimed(ledger, key="done"))
    forgotten(engine, "old")
    ledger.dead(claimed(ledger, key="dead"), "no")
    assert cli.main(["ledger", "migrate"]) == 0, "a job that prepares a deployment has no queue and no handler"
    assert capsys.readouterr().out == "the ledger's table is up to date\n"
    assert cli.main(["ledger", "stats"]) == 64
    assert "CONSUMER_QUEUE_URL: expected a queue's URL or name; got none" in capsys.readouterr().err
    monkeypatch.setenv("CONSUMER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/orders")
    assert cli.main(["ledger", "stats"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["queue orders  rows", "in_hand          1"]
    said = []
    for words in (["migrate"], ["stats"], ["prune"], ["stats"]):
        assert cli.main(["ledger", *words, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    counted = {"queue": "orders", "in_hand": 1, "waiting": 1, "done": 2, "dead": 1, "expired": 1}
    assert said == [{"changes": 0}, counted, {"removed": 1}, counted | {"done": 1, "expired": 0}]


def test_how_long_messages_took_is_a_trace_to_rehearse_with(
    database_url: str,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run after a failure began late, and one that is not done has not ended: neither says what a message takes."""
    monkeypatch.setenv("CONSUMER_DATABASE_URL", database_url)
    monkeypatch.setenv("CONSUMER_QUEUE_URL", "orders")
    assert cli.main(["ledger", "durations"]) == 0
    assert not capsys.readouterr().out.strip()
    ledger = Ledger(engine, "orders", DAY)
    for key in ("first", "second", "failed", "crashed", "dead", "in hand", "of another queue"):
        claimed(Ledger(engine, "others", DAY) if key == "of another queue" else ledger, key=key)
    row = schema.ledger.c
    ended = {"first": 12.3456, "second": 60.0, "failed": 5.0, "crashed": 5.0, "dead": 5.0, "of another queue": 5.0}
    with engine.begin() as connection:
        for number, (key, seconds) in enumerate(ended.items()):
            began = 1_790_000_000.0 + number
            times = {"began": began, "ended": began + seconds, "state": "dead" if key == "dead" else "done"}
            connection.execute(update(schema.ledger).where(row.key == key).values(times))
        connection.execute(update(schema.ledger).where(row.key == "failed").values(failures=1))
        connection.execute(update(schema.ledger).where(row.key == "crashed").values(crashes=1))
    assert cli.main(["ledger", "durations"]) == 0
    lines = capsys.readouterr().out
    assert lines == '{"seconds": 60.0}\n{"seconds": 12.346}\n', "the newest first"
    (file := tmp_path / "seconds.jsonl").write_text(lines)
    day = ["rehearse", "--messages", "100", "--seconds", "30..300", "--from", "04:00", "--by", "09:00"]
    assert cli.main([*day, "--trace", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"][0]["deadline_made"]
    assert cli.main(["ledger", "durations", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"queue": "orders", "seconds": [60.0, 12.346]}


def test_a_table_that_was_not_there_is_made(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONSUMER_DATABASE_URL", database_url)
    assert cli.main(["ledger", "migrate"]) == 0
    assert cli.main(["ledger", "prune"]) == 0
    made, pruned = capsys.readouterr().out.splitlines()
    assert (made, pruned) == ("the ledger's table has been brought up to date", "expired rows removed: 0")


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONSUMER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/orders")
    monkeypatch.setenv("CONSUMER_DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/ledger")
    assert cli.main(["ledger", "stats"]) == 1
    said = capsys.readouterr().err
    assert "expected an answer of its database" in said
    assert "secret" not in said
