"""Nothing is done twice: real processes, a real queue, a real database, and SIGKILL at every step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.message.database import engine
from consumer.message.ledger import Ledger
from support import databases
from support.handlers import notes
from support.ledgered import STEPS
from support.programs import Program, wait_until

if TYPE_CHECKING:
    from support.databases import Effects
    from support.queues import Queues

OUTCOMES = [
    ("done", "session"), ("done", "on_done"), ("fail", "session"), ("retry", "on_done"), ("callback fails", "session"),
    ("release", "session"), ("reject", "on_done"),
]  # fmt: skip
SHORT = {
    "CONSUMER_VISIBILITY_TIMEOUT": "3", "CONSUMER_PROCESSES": "6", "CONSUMER_LIMIT": "0",
    "CONSUMER_STOP_TIMEOUT": "10",  # a drain of one second
}  # fmt: skip


def unbraked(folder: Path) -> str:
    """A supervisord.conf that replaces at once what dies, however young."""
    conf = folder / "supervisord.conf"
    conf.write_text(
        Path(__file__).parents[2].joinpath("supervisord.conf").read_text().replace("startsecs=1", "startsecs=0")
    )
    return str(conf)


@pytest.mark.timeout(240)
def test_whatever_dies_at_whatever_step_an_effect_happens_exactly_once(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    killed = Path(ledgered["KILLED"])
    cases = [(step, then, by) for step in STEPS for then, by in OUTCOMES]
    ids = queues.send(*[{"step": step, "then": then, "by": by} for step, then, by in cases])
    dead = {name for name, (_, then, _) in zip(ids, cases, strict=True) if then == "reject"}
    with Program(tmp_path, "up", "-c", unbraked(tmp_path), env={**ledgered, **SHORT}) as container:
        wait_until(lambda: queues.left == 0, f"every message is settled\n{container.tail()}", 200)
        assert container.terminate() == 0
    assert sorted(effects.all()) == sorted(set(ids) - dead)
    buried = [one["MessageAttributes"]["ConsumerReject"]["StringValue"] for one in queues.all_dead()]
    assert len(buried) == len(dead)
    assert all((killed / f"{name}.{step}").exists() for name, (step, _, _) in zip(ids, cases, strict=True))


def test_crashes_add_up_over_containers_and_end_in_the_dead_letter_queue(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """What container A has seen, container B knows from the ledger alone."""
    database_url = databases.on_sqlite(tmp_path)
    deadly = {
        **env,
        "CONSUMER_DATABASE_URL": database_url,
        "CONSUMER_HANDLER": "support.handlers:work",
        "CONSUMER_PROCESSES": "1",
    }
    (name,) = queues.send({"sleep": 1, "then": "die"})
    folders = [tmp_path / one for one in "ab"]
    for folder in folders:
        folder.mkdir()
    with Program(folders[0], "up", env=deadly) as a:
        a.wait_for("rescued")
        assert a.terminate() == 0  # whoever dies at stop is no crash
    before = len(a.events("process_died", counts_as_crash=True))
    with Program(folders[1], "up", env=deadly) as b:
        b.wait_for("delivered", outcome="reject", reason="crash")
        assert b.terminate() == 0
    assert 1 <= before < 3
    assert before + len(b.events("process_died", counts_as_crash=True)) == 3
    ledger = engine(database_url, 1)
    row = Ledger(ledger, queues.url.rpartition("/")[2], 1).look_up(name)
    assert row is not None
    assert (row.state, row.crashes, row.failures, row.reason) == ("dead", 3, 0, "crash")
    ledger.dispose()
    assert len(queues.dead()) == 1
    assert {one["id"] for one in notes(tmp_path / "books", "begin")} == {name}
