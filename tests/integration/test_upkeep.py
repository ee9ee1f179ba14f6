"""What the agent does to the ledger, seldom enough for its connection to have died meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from consumer.message import database, schema
from consumer.message.ledger import Claim, Ledger
from consumer.process import upkeep
from support import databases
from unit.doubles import settings

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Engine


def test_a_claim_is_released_by_a_connection_that_has_died_since_the_last_time(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a failover, an idle timeout, a proxy: the message would else wait for its claim's end."""
    url = databases.on_postgresql(postgresql)
    engine = database.engine(url, 1)
    schema.migrate(engine)
    ledger = Ledger(engine, "orders", 1000)
    made: list[Engine] = []
    of = database.of

    def kept(*given: Any, **more: Any) -> Engine:
        made.append(of(*given, **more))
        return made[0]

    monkeypatch.setattr(database, "of", kept)
    release = upkeep.releaser(settings(database_url=url))
    for name in ("m1", "m2"):
        claim = ledger.claim(name, name, "digest", 90, "p1")
        assert isinstance(claim, Claim)
        assert release({"claim": claim.key, "fence": claim.fence}, None)
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    made[0].dispose()
