"""Keeps the platform from scaling in a container that has a message in hand: one owner, for all of its processes.

Protection is a lease. It is taken when the first message comes, renewed while there are any, and given back when there
are none. It can be refused: the platform then means to take this container, and it must take no more messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from consumer.container.ecs import BLOCKED, NO_SERVICE, Unanswered
from consumer.lane import Lane
from consumer.process import quiet

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.picture import Picture
    from consumer.container.wanted import Wanted

MINUTES = 10  # of protection: with no agent to renew it, a container is free to go after so long
RENEW = 300.0  # seconds after which it is renewed
GAP = 10.0  # seconds without a message before it is given back, and between two calls: ECS has a rate limit
AGAIN = 60.0  # seconds between two tries after a refusal, which may be taken back
LONGEST = (
    7200.0  # seconds of protection without a word from the service: CloudFormation gives a deployment up after 3 h
)


class Protecting(Protocol):
    """What is asked of the platform here."""

    def protect(self, minutes: int | None) -> str:
        """See Ecs."""


class Protection:
    """A duty of the agent."""

    name = "protection"

    def __init__(
        self, picture: Picture, ecs: Protecting, wanted: Wanted, folder: Path, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._picture, self._ecs, self._wanted, self._folder = picture, ecs, wanted, folder
        self._clock, self._log = clock, log
        self._lane = Lane("protection")
        self._since: float | None = None  # when continuous protection began; None without it
        self._busy = clock.monotonic()  # when a message was last in hand
        self._next = clock.monotonic()
        self._said = ""
        self._off = False

    async def __call__(self) -> None:
        """Look once, and ask where it is time to."""
        now = self._clock.monotonic()
        busy = any(life["in_hand"] for life in self._picture.living)
        if busy:
            self._busy = now
        self._quieten(now)
        if self._off or now < self._next:
            return
        if busy:
            await self._protect(now)
        elif self._since is not None and now - self._busy >= GAP:
            await self._give_back(now)
        elif quiet.wished(self._folder, quiet.PLATFORM) and not self._wanted.not_wanted:
            await self._protect(now)  # is it still refused? what is granted is given back soon

    def _quieten(self, now: float) -> None:
        """Take no more messages where the container is to go, or nobody has said for long that it may stay."""
        unheard = self._since is not None and now - max(self._since, self._wanted.heard) > LONGEST
        if self._wanted.not_wanted or unheard:
            quiet.begin(self._folder, quiet.PLATFORM)

    async def _protect(self, now: float) -> None:
        refused = await self._ask(MINUTES)
        if refused is None:
            self._next = now + GAP
        elif not refused:
            self._since = now if self._since is None else self._since
            self._next, self._said = now + RENEW, ""
            self._go_on(now)
        elif refused == NO_SERVICE:
            self._off = True
            self._log.info("not_protected", why=refused, meanwhile="a task without a service is not scaled in")
        else:
            self._next = now + AGAIN
            if refused == BLOCKED:
                quiet.begin(self._folder, quiet.PLATFORM)
            self._say(refused)

    def _go_on(self, now: float) -> None:
        """Take messages again after a refusal that is none any more."""
        unheard = self._since is not None and now - max(self._since, self._wanted.heard) > LONGEST
        if quiet.wished(self._folder, quiet.PLATFORM) and not (self._wanted.not_wanted or unheard):
            quiet.end(self._folder, quiet.PLATFORM)
            self._log.info("wanted_again", then="messages are taken")

    async def _give_back(self, now: float) -> None:
        refused = await self._ask(None)
        self._next = now + GAP
        if refused is not None:  # whatever it says: it ends by itself
            self._since = None

    async def _ask(self, minutes: int | None) -> str | None:
        """Ask the platform; give what it refuses for, nothing when it does not, None without an answer."""
        try:
            return await self._lane.run(lambda: self._ecs.protect(minutes))
        except Unanswered as error:
            self._say(str(error))
            return None

    def _say(self, why: str) -> None:
        if why != self._said:
            self._log.warning("not_protected", why=why, meanwhile="scale-in may interrupt what is in hand")
        self._said = why
