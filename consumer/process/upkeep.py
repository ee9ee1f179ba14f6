"""What the agent does to the ledger: it releases the claims of dead processes, and removes what has expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.message import database
from consumer.message.ledger import PRUNED, Claim, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.settings import Settings


def releaser(settings: Settings) -> Callable[[dict[str, Any], bool | None], bool]:
    """Give what releases a dead process's claim on one of its messages, from what its sign of life says of it.

    Its second argument: whether the message was alone when its process crashed; None where it was no crash of its.
    """
    ledger = Ledger.of(settings, database.of(settings, 1, ping=True))  # idle since the last death, its connection too

    def release(entry: dict[str, Any], alone: bool | None) -> bool:  # noqa: FBT001 - a fact, not a flag
        if "fence" not in entry:  # it died before it had claimed it
            return False
        claim = Claim(entry["claim"], entry["fence"], failures=0, crashes=0, suspect=False)
        return ledger.release(claim) if alone is None else ledger.crashed(claim, alone=alone)

    return release


def pruner(settings: Settings) -> Callable[[], tuple[int, bool]]:
    """Give what removes a batch of expired rows, and tells how many they were and whether there may be more.

    It keeps no connection between two batches. Raises OSError when the database is away.
    """
    engine = database.of(settings, 1)
    ledger = Ledger.of(settings, engine)

    def prune() -> tuple[int, bool]:
        try:
            rows = ledger.prune()
        except database.TROUBLED as error:
            raise ConnectionError(database.explained(error)) from error
        finally:
            engine.dispose()
        return rows, rows >= PRUNED

    return prune
