"""Who keeps count of a message's runs. Without a ledger SQS does: an attempt is a receive, and nothing is claimed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from consumer.message.outcome import Outcome
    from consumer.message.transaction import Transaction
    from consumer.process.crashes import Record
    from consumer.process.delivery import InHand
    from consumer.process.handlers import Handler
    from consumer.process.invoke import Invoker
    from consumer.process.life import Life
    from consumer.settings import Settings


LEDGER = "consumer.process.claims"  # by name: without a ledger there is no SQLAlchemy in a process's memory
UPKEEP = "consumer.process.upkeep"  # the agent's part


def load(settings: Settings, part: str = LEDGER) -> ModuleType | None:
    """Load what a ledger needs, where there is one."""
    return import_module(part) if settings.database_url is not None else None


def warm(settings: Settings) -> None:
    """Load it before the fork, for all processes, its database's driver too. Nothing is connected."""
    if claims := load(settings):
        claims.database.of(settings, 1)


def of_process(life: Life, handler: Handler, invoker: Invoker) -> Books:
    """Open this process's books."""
    claims = load(life.settings)
    found: Books = Books() if claims is None else claims.Claims(life, handler, invoker)
    return found


class Books:
    """The books that SQS keeps."""

    fenced = False  # whether a run that has lost its lease may still learn that nobody else has begun

    async def open(self) -> bool:
        """Make ready, however long it takes; return True."""
        return True

    async def ready(self) -> None:
        """Wait until what is received could be claimed, or the process is told to stop."""

    def transaction(self) -> Transaction | None:
        """Make room for what a handler writes; None where there is no ledger."""
        return None

    async def claim(self, hand: InHand, decide: Callable[[InHand], Outcome]) -> Outcome | None:
        """Claim a message; None when it is ours to run, else what becomes of it without a run."""
        del hand, decide
        return None

    def crashes(self, hand: InHand, noted: Record) -> Record:
        """Give the crashes on record of a message; `noted` are those in the run directory."""
        del hand
        return noted

    def renew(self, hand: InHand) -> None:
        """Note that the message's lease was renewed."""

    async def close(self, hand: InHand, decide: Callable[[InHand], Outcome]) -> Outcome:
        """Write down how a run ended, before the queue is told; return what it must be told."""
        return decide(hand)
