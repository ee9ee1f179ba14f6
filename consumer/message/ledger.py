"""The ledger: what has become of each message, so that a second delivery of it does no harm. Blocking calls.

Expiry is judged by the database's clock alone. One statement claims, one renews, one closes; each may be sent again
when its answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Double, and_, bindparam, case, delete, func, not_, null, or_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from consumer import queuename
from consumer.message.schema import DEAD, DONE, OPEN, ledger, now

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Executable, Row

    from consumer.settings import Settings

DAY = 86_400  # seconds
PRUNED = 1000  # rows in a batch: a long delete would hold up the claims
TRACED = 100_000  # runs: more say nothing new of how long one takes
REASON_MAX = 2048  # characters: an error's text may quote the whole body


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is ours to run. Only its holder's closing counts, and only while nobody has claimed it since."""

    key: str
    fence: int
    failures: int
    crashes: int
    suspect: bool

    @property
    def attempt(self) -> int:
        """The number of this run, from 1. Receives that ended in no failure are not attempts."""
        return self.failures + self.crashes + 1


@dataclass(frozen=True, slots=True)
class Settled:
    """A message whose work is over: done, or dead for a reason."""

    state: str
    message_id: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A message that somebody else has in hand, for so many seconds more unless he renews."""

    seconds: float


Answer = Claim | Settled | Elsewhere


class Ledger:
    """One queue's ledger. `queue` is its name or URL; `retention` is seconds for which a row is kept.

    On PostgreSQL a statement is a transaction by itself, which saves two round trips.
    """

    def __init__(self, engine: Engine, queue: str, retention: float) -> None:
        on_postgresql = engine.dialect.name == "postgresql"
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if on_postgresql else engine
        self._insert: Any = (postgresql if on_postgresql else sqlite).insert
        self.queue = queuename.of(queue)
        self._retention = retention

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> Ledger:
        """Give the ledger of the queue that is drained."""
        return cls(engine, settings.queue_url, settings.ledger_retention * DAY)

    def claim(self, key: str, message_id: str, digest: str, seconds: float, holder: str) -> Answer:
        """Claim a message for so many seconds. `holder` names this claim alone: asked twice, it is claimed once."""
        given = {"_key": key, "_id": message_id, "_digest": digest, "_seconds": seconds, "_holder": holder}
        with self._engine.begin() as connection:
            row = connection.execute(self._claiming, given).one()
        if row.holder == holder:
            return Claim(key, row.fence, row.failures, row.crashes, row.suspect)
        if row.done_before == message_id:
            return Settled(DONE, message_id, digest, "")
        if row.state == OPEN:
            return Elsewhere(max(0.0, row.left))
        return Settled(row.state, row.message_id, row.digest, row.reason or "")

    @cached_property
    def _claiming(self) -> Executable:
        """Insert the row or, where it is free, take it; where it is not, change nothing. Either way give it back.

        Made once: to build it anew would cost more than all the rest of a claim.
        """
        adding = self._insert(ledger).values(
            queue=self.queue, key=bindparam("_key"), message_id=bindparam("_id"), digest=bindparam("_digest"),
            state=OPEN, fence=1, failures=0, crashes=0, suspect=False, redrives=0, holder=bindparam("_holder"),
            claimed_until=now() + bindparam("_seconds", type_=Double), began=now(), expires=now() + self._retention,
        )  # fmt: skip
        row, new = ledger.c, adding.excluded
        done_before = row.done_before.is_not_distinct_from(new.message_id)
        another = and_(row.message_id != new.message_id, not_(done_before))
        redriven = and_(row.state == DEAD, another)
        key_again = and_(row.state == DONE, another, row.key_until <= now())
        unclaimed = or_(row.claimed_until.is_(None), row.claimed_until <= now())
        forgotten = and_(row.expires <= now(), unclaimed)
        afresh = or_(redriven, key_again, forgotten)
        taken = or_(afresh, and_(row.state == OPEN, unclaimed, not_(done_before)))

        def taking(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
            return case((taken, value), else_=row[name])

        replaced = {
            name: taking(name, new[name])
            for name in ("message_id", "digest", "state", "holder", "began", "expires", "claimed_until")
        }
        restarted = {name: case((afresh, new[name]), else_=row[name]) for name in ("failures", "crashes", "suspect")}
        claiming: Executable = adding.on_conflict_do_update(
            index_elements=[row.queue, row.key],
            set_={
                **replaced,
                **restarted,
                "fence": taking("fence", row.fence + 1),
                "redrives": case((redriven, row.redrives + 1), else_=row.redrives),
                "ended": taking("ended", null()),
                "done_before": case((forgotten, null()), (key_again, row.message_id), else_=row.done_before),
            },
        ).returning(*ledger.c, (row.claimed_until - now()).label("left"))
        return claiming

    def renew(self, claim: Claim, seconds: float) -> bool:
        """Hold a claim for so many seconds more; return whether it is still ours."""
        return self._change(claim, {"claimed_until": now() + seconds})

    def release(self, claim: Claim) -> bool:
        """Give a claim back; nobody has failed. Return whether it was still ours, as all that close a claim do."""
        return self._change(claim, FREE)

    def failed(self, claim: Claim, reason: str) -> bool:
        """Close a run that failed and is to be tried again."""
        return self._change(claim, FREE | {"failures": ledger.c.failures + 1, "reason": storable(reason)})

    def dead(self, claim: Claim, reason: str) -> bool:
        """Close a message that goes to the dead-letter queue."""
        return self._change(
            claim, FREE | {"state": DEAD, "reason": storable(reason), "expires": now() + self._retention}
        )

    def done(
        self, claim: Claim, result: str | None = None, ttl: float | None = None, within: Connection | None = None
    ) -> bool:
        """Close a run that succeeded, in a transaction of its own or `within` the handler's.

        result: JSON. ttl: seconds for which other messages with the key are repeats of this one; as long as the row is
        kept when left out. This message itself stays done for as long: it may come back after any time.
        """
        ttl = self._retention if ttl is None else ttl
        until = {"key_until": now() + ttl, "expires": now() + max(ttl, self._retention)}
        return self._change(claim, FREE | {"state": DONE, "result": result} | until, within)

    def crashed(self, claim: Claim, *, alone: bool) -> bool:
        """Note that a process died with the message in hand: one of several is a suspect, the only one is to blame."""
        return self._change(claim, FREE | {"crashes": ledger.c.crashes + int(alone), "suspect": True})

    def reopen(self, key: str = "") -> int:
        """Have dead messages run again whatever id they come back under, counts from the beginning; all without a key.

        Asked twice, it is one redrive. Return how many were dead.
        """
        row = ledger.c
        dead = and_(row.queue == self.queue, row.state == DEAD, *([row.key == key] if key else []))
        afresh: dict[str, Any] = {
            "state": OPEN,
            "failures": 0,
            "crashes": 0,
            "suspect": False,
            "redrives": row.redrives + 1,
        }
        with self._engine.begin() as connection:
            return connection.execute(update(ledger).where(dead).values(afresh)).rowcount

    def is_done(self, claim: Claim) -> bool:
        """Whether this very claim has been closed as done: asked when a commit's answer was lost."""
        row = self.look_up(claim.key)
        return row is not None and (row.fence, row.state) == (claim.fence, DONE)

    def answers(self) -> bool:
        """Ask the database for a sign of life."""
        with self._engine.begin() as connection:
            return connection.scalar(select(1)) == 1

    def look_up(self, key: str) -> Row[Any] | None:
        """Give a key's row, and whether it is `over`: expired, and to be removed."""
        with self._engine.begin() as connection:
            over = (ledger.c.expires <= now()).label("over")
            return connection.execute(select(ledger, over).where(self._is(key))).one_or_none()

    def prune(self) -> int:
        """Remove a batch of rows that have expired; return how many there were.

        What somebody else is about to claim or remove is locked, and left to him: nobody waits, and a row that has
        just been taken afresh is not removed. The rows are chosen once, in a WITH, as a subquery would not promise.
        """
        row = ledger.c
        old = and_(row.expires <= now(), or_(row.claimed_until.is_(None), row.claimed_until <= now()))
        chosen = select(row.queue, row.key).where(old).limit(PRUNED).with_for_update(skip_locked=True)
        expired = chosen.cte("expired")
        with self._engine.begin() as connection:
            removed = delete(ledger).where(tuple_(row.queue, row.key).in_(select(expired.c.queue, expired.c.key)))
            return len(connection.execute(removed.returning(row.queue)).all())

    def counts(self) -> dict[str, int]:
        """Count this queue's rows: in hand, waiting for a next attempt, done, dead; and those of them that expired."""
        row = ledger.c
        in_hand = and_(row.state == OPEN, row.claimed_until > now())
        wanted = {
            "in_hand": in_hand,
            "waiting": and_(row.state == OPEN, not_(func.coalesce(in_hand, False))),
            DONE: row.state == DONE,
            DEAD: row.state == DEAD,
            "expired": row.expires <= now(),
        }
        sums = [func.coalesce(func.sum(case((which, 1), else_=0)), 0).label(name) for name, which in wanted.items()]
        with self._engine.begin() as connection:
            found = connection.execute(select(*sums).where(row.queue == self.queue)).one()
        return {name: int(found[index]) for index, name in enumerate(wanted)}

    def durations(self) -> list[float]:
        """Give the seconds that this queue's messages took that were done at once, without a failure; the newest."""
        row = ledger.c
        at_once = and_(row.state == DONE, row.failures == 0, row.crashes == 0, row.ended >= row.began)
        newest = select(row.ended - row.began).where(row.queue == self.queue, at_once).order_by(row.ended.desc())
        with self._engine.begin() as connection:
            return [float(seconds) for seconds in connection.scalars(newest.limit(TRACED))]

    def _change(self, claim: Claim, values: dict[str, Any], within: Connection | None = None) -> bool:
        """Change a row under the fence. Said again after a lost answer, it changes nothing and is still true."""
        row = ledger.c
        held = and_(self._is(claim.key), row.fence == claim.fence, row.claimed_until.is_not(None))
        change = update(ledger).where(held).values(values)
        if within is not None:
            in_full = {"schema_translate_map": {None: self._schema}}
            return within.execute(change, execution_options=in_full).rowcount == 1
        with self._engine.begin() as connection:
            if connection.execute(change).rowcount == 1:
                return True
            found = connection.execute(select(row.fence, row.state).where(self._is(claim.key))).one_or_none()
            return found is not None and tuple(found) == (claim.fence, values.get("state", OPEN))

    @cached_property
    def _schema(self) -> str:
        """Name the table's schema: in its own session a handler may have chosen another one, its tenant's."""
        if self._engine.dialect.name == "sqlite":
            return "main"
        found = text(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = to_regclass(:name)"
        )
        with self._engine.begin() as connection:
            return str(connection.scalars(found, {"name": ledger.name}).one())

    def _is(self, key: str) -> ColumnElement[bool]:
        return and_(ledger.c.queue == self.queue, ledger.c.key == key)


def storable(text: str) -> str:
    """Cut a text, and take out what came from a body and no database holds: lone surrogates, in PostgreSQL U+0000."""
    return text[:REASON_MAX].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


FREE: dict[str, Any] = {"holder": None, "claimed_until": None, "ended": now()}
