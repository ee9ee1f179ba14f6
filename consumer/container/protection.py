"""Keeps the platform from scaling in a container that has a message in hand: one owner, for all of its processes.

Protection is a lease. It is taken when the first message comes, renewed while there are any, and given back when there
are none. It can be refused: the platform then means to take this container, and it must take no more messages. Once no
more are taken it is not renewed: what is in hand has the rest of the lease, which is longer than a run may take.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from consumer.container.ecs import BLOCKED, NO_SERVICE
from consumer.container.endpoint import Unanswered
from consumer.lane import Lane
from consumer.limits import RENEW, UNUSED, leased
from consumer.process import quiet

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.ecs import Ecs
    from consumer.container.picture import Picture
    from consumer.container.wanted import Wanted

GAP = 10.0  # seconds between two calls: ECS has a rate limit
AGAIN = 60.0  # seconds until the next try after a refusal; the longest wait after no answer
LONGEST = 7200.0  # seconds of protection, its last lease included, without a word that such containers are wanted
UNHEARD = 1800.0  # seconds of work without such a word at least: it may not come for ten minutes
WORN = "for long nobody has said that it is wanted: the platform has its turn"
ALONE = "a task without a service is not scaled in"


class Protection:
    """A duty of the agent.

    longest: seconds that one run may take. The lease is enough for what was received just before its last renewal was
    due, unless that may take two hours.
    """

    name = "protection"

    def __init__(
        self,
        picture: Picture,
        ecs: Ecs,
        wanted: Wanted,
        folder: Path,
        clock: Clock,
        log: FilteringBoundLogger,
        *,
        longest: float,
    ) -> None:
        self._picture, self._ecs, self._wanted, self._folder = picture, ecs, wanted, folder
        self._clock, self._log = clock, log
        self._minutes = leased(longest)
        self._patience = max(UNHEARD, LONGEST - 60 * self._minutes)
        self._lane = Lane("protection")
        self._since: float | None = None  # when protection began, which has been continuous since; None without it
        self._busy = self._renew = self._next = clock.monotonic()  # last seen busy; when to renew, and to call at all
        self._failures = 0
        self._said = ""
        self._blocked, self._worn = quiet.wished(folder, quiet.PLATFORM), False
        self._why = BLOCKED if self._blocked else ""  # as an agent before this one has left it, whatever the reason was

    async def __call__(self) -> None:
        """Look once, and ask where it is time to."""
        now = self._clock.monotonic()
        busy = any(life["in_hand"] for life in self._picture.living)
        if busy:
            self._busy = now
        if now >= self._next:
            ask = self._is_due(now) if busy else self._may_be_granted()
            if ask:
                await self._protect(now)
            elif self._since is not None and now - self._busy >= UNUSED:
                await self._give_back(now)
            elif self._since is None:
                self._worn = False  # there has been a gap in which the platform could take the container
        self._quieten(now)

    def _is_due(self, now: float) -> bool:
        if self._since is None:
            return True
        return not (self._wanted.not_wanted or self._worn) and (self._blocked or now >= self._renew)

    def _may_be_granted(self) -> bool:
        """Whether to ask if it is still refused, with nothing in hand; what is granted then is given back soon."""
        return self._blocked and self._since is None and not self._wanted.not_wanted

    async def _protect(self, now: float) -> None:
        refused = await self._ask(now, self._minutes)
        if refused is None:
            return
        self._blocked = refused == BLOCKED
        if refused:
            self._next = now + AGAIN
            self._say(refused, ALONE if refused == NO_SERVICE else "scale-in may interrupt what is in hand")
        else:
            self._since = now if self._since is None else self._since
            self._renew, self._said = now + RENEW, ""

    async def _give_back(self, now: float) -> None:
        if await self._ask(now, None) is not None:  # refused or not: it ends by itself
            self._since = None

    async def _ask(self, now: float, minutes: int | None) -> str | None:
        """Ask the platform; give what it refuses for, nothing when it does not, None without an answer."""
        try:
            refused = await self._lane.run(partial(self._ecs.protect, minutes))
        except Unanswered as error:
            self._next = now + min(AGAIN, GAP * 2.0 ** min(self._failures, 8))
            self._failures += 1
            self._say(str(error), "scale-in may interrupt what is in hand")
            return None
        self._next, self._failures = now + GAP, 0
        return refused

    def _say(self, why: str, meanwhile: str) -> None:
        if why != self._said:
            self._log.warning("not_protected", why=why, meanwhile=meanwhile)
        self._said = why

    def _quieten(self, now: float) -> None:
        """Have no message taken while the container is to go, or may be without being able to; else have them taken."""
        if self._since is not None and now - max(self._since, self._wanted.heard) > self._patience:
            self._worn = True
        why = self._wanted.not_wanted or (BLOCKED if self._blocked else WORN if self._worn else "")
        if why == self._why:
            return
        if why:
            quiet.begin(self._folder, quiet.PLATFORM, why)
            self._log.info("not_wanted", why=why, then="no message is taken; what is in hand is finished")
        else:
            quiet.end(self._folder, quiet.PLATFORM)
            self._log.info("wanted_again", then="messages are taken")
        self._why = why
