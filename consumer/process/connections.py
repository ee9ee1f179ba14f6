"""Database connections that a handler has taken from SQLAlchemy's pools and not given back: found, and rolled back.

An open transaction holds locks that others wait for, and the next message's work would be committed with it or lost.
SQLAlchemy is listened to once the handler has loaded it; nothing here loads it. What cannot be seen: connections made
without a pool, and those that other threads than the handler's have taken, which may be at work.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any

from consumer.lane import Lane, Worker
from consumer.process.tripwire import Finding, listed

if TYPE_CHECKING:
    from consumer.clock import Clock

KIND = "connections"
MARK = "consumer"  # in a connection's info: one of the ledger's, which looks after itself
SLOW = 5.0  # seconds for a rollback: a database that hangs must not keep the process from its next message


class Connections:
    """One life's connections that are out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lane = Lane("rollback")
        self._out: dict[Any, str] = {}
        self._listening = self._said = False
        self._listen()

    async def look(self) -> Finding | None:
        """Roll back what is open, with no message in hand; name it the first time."""
        self._listen()
        if not self._out:
            return None
        if not self._said:
            gc.collect()  # what a traceback has held on to goes back by itself
        out = dict(self._out)
        if not out:
            return None
        put_back = await self._rolled_back(list(out))
        said, self._said = self._said, True
        return None if said else Finding(KIND, listed(out.values()), put_back)

    async def _rolled_back(self, records: list[Any]) -> bool:
        """Off the loop: a rollback is a round trip."""
        rollback = self._lane.run(lambda: [_roll_back(record) for record in records])
        await self._clock.first(rollback, seconds=SLOW)
        return rollback.done() and all(rollback.result())

    def _listen(self) -> None:
        pool, event = (getattr(sys.modules.get(f"sqlalchemy.{name}"), what, None) for name, what in HEARD)
        if self._listening or pool is None or event is None:
            return
        self._listening = True
        event(pool, "checkout", self._taken)
        event(pool, "checkin", self._returned)
        event(pool, "detach", self._returned)

    def _taken(self, connection: Any, record: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy may not be loaded
        thread = threading.current_thread()
        if MARK not in record.info and isinstance(thread, Worker) and thread.name.startswith("handler"):
            self._out[record] = f"{type(connection).__module__.partition('.')[0]} taken {_where()}"

    def _returned(self, _: object, record: Any) -> None:  # noqa: ANN401 - as above
        self._out.pop(record, None)


HEARD = (("pool", "Pool"), ("event", "listen"))


def _roll_back(record: Any) -> bool:  # noqa: ANN401 - as above
    """Roll one connection back. One of an async engine can only be by its own loop, which asks for that in vain."""
    try:
        if record.dbapi_connection is not None:
            record.dbapi_connection.rollback()
    except Exception:  # noqa: BLE001 - a driver's own; the connection is named all the same
        return False
    return True


def _where() -> str:
    """Name the line that took the connection."""
    frame = inspect.currentframe()
    while frame is not None and ("/sqlalchemy/" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    return f"at {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "by a coroutine"
