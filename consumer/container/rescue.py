"""Gives back at once what a dead process had in hand; without it the messages come back when their leases end."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from consumer.container import ending, kill
from consumer.errors import described
from consumer.lane import Lane
from consumer.limits import VISIBILITY_MAX
from consumer.message.backoff import Backoff, within
from consumer.message.queue import BATCH
from consumer.message.trouble import HANDLE, explained, unheard
from consumer.process import cgroup, pulse
from consumer.process.crashes import Crashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.settings import Settings

    Release = Callable[[dict[str, Any], bool | None], object]

UNTOLD = 1.0  # seconds that a dead life waits for PID 1's word of its end
DYING = 5.0  # seconds that a large process may take to be gone once the kernel has chosen it
UNJUDGED = 5.0  # seconds that a file without that word stays: PID 1 judges the life by it
CLAIM_SECONDS = 1.0  # for all claims of one life: a database that hangs must not keep messages from coming back


class GivesBack(Protocol):
    """The queue's verb that rescue needs."""

    async def give_back(self, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        """Have messages visible after so many seconds; give the codes of those that were refused, by their places."""


@dataclass(slots=True)
class Case:
    """One dead life, until its messages are given back."""

    path: Path
    life: dict[str, Any]
    since: float
    left: dict[str, dict[str, Any]]
    starved: bool | None = None
    judged: bool = False
    released: bool = False
    broken: str = ""
    waits: dict[str, int] = field(default_factory=dict)
    alone: dict[str, bool] = field(default_factory=dict)  # of each suspect, whether it was the only one


class Rescue:
    """A duty of the agent. What it knows it finds in the run directory.

    budget: the container's memory in MiB; 0 for unknown.
    untold: seconds to wait for PID 1's word; 0 under stock supervisord, which leaves none.
    release: releases a message's claim before the queue is told; it is given what the sign of life says of the message,
    and whether that was alone in the crash, None where it is no suspect. In a thread of its own, and not waited for
    beyond CLAIM_SECONDS.
    """

    name = "rescue"

    def __init__(
        self,
        folder: Path,
        queue: GivesBack,
        settings: Settings,
        clock: Clock,
        log: FilteringBoundLogger,
        *,
        budget: float,
        untold: float,
        release: Release | None,
    ) -> None:
        self._folder, self._queue, self._clock, self._log = folder, queue, clock, log
        self._budget, self._share = budget, budget / settings.processes
        self._untold = untold
        self._backoff = Backoff.of(settings)
        self._release = release
        self._claims = Lane("claims")
        self._crashes = Crashes(folder)
        self._killed_before, self._starved_at = cgroup.oom_kills(), -DYING
        self._cases: dict[Path, Case] = {}

    async def __call__(self) -> None:
        """Look once for dead lives, and give back what they had in hand."""
        starved = self._starved()
        found = {path: self._cases.get(path) or self._open(path) for path in pulse.lives(self._folder, over=True)}
        self._cases = {path: case for path, case in found.items() if case is not None}
        for case in self._cases.values():
            case.starved = starved if case.starved is None else case.starved or starved
        await asyncio.gather(*map(self._try, list(self._cases.values())))

    def _open(self, path: Path) -> Case | None:
        life = pulse.life(path)  # nothing when PID 1 has swept it, or when it is torn: then it will
        return Case(path, life, self._clock.monotonic(), dict(life["in_hand"])) if life else None

    def _starved(self) -> bool | None:
        """Say whether the kernel has just killed for want of memory; None where it does not tell."""
        before, self._killed_before = self._killed_before, cgroup.oom_kills()
        if before is None or self._killed_before is None:
            return None
        if self._killed_before > before:
            self._starved_at = self._clock.monotonic()
        return self._clock.monotonic() - self._starved_at < DYING

    async def _try(self, case: Case) -> None:
        """Rescue one life. What breaks there ends no pass: the next one would tell the queue what others still tell."""
        try:
            await self._rescue(case)
        except Exception as error:  # noqa: BLE001 - it is tried again in a second
            if described(error) != case.broken:  # said once
                self._log.error("rescue_broken", file=case.path.name, error=described(error), exc_info=error)
            case.broken = described(error)

    async def _rescue(self, case: Case) -> None:
        how = ending.read(case.path)
        age = self._clock.monotonic() - case.since
        if how.code is None and age < self._untold:
            return
        if case.left and not case.judged:
            self._judge(case, how)
            self._end_started(case)
        self._drop_lapsed(case)
        await self._release_claims(case)
        keys = list(case.left)
        for first in range(0, len(keys), BATCH):
            self._drop_lapsed(case)  # all that is awaited here takes its time
            await self._give_back(case, [key for key in keys[first : first + BATCH] if key in case.left])
        if not case.left and (how.code is not None or age >= UNJUDGED):
            ending.forget(case.path)
            self._cases.pop(case.path, None)

    def _drop_lapsed(self, case: Case) -> None:
        """Let go of messages whose leases have ended: somebody else may have them by now."""
        now = self._clock.time()
        case.left = {key: entry for key, entry in case.left.items() if entry["lease_until"] > now}

    def _judge(self, case: Case, how: ending.Ending) -> None:
        """Say how the life ended, and put its messages on record where they may have ended it. Once."""
        case.judged = True
        life = self._weighed(case.life) if case.starved else case.life
        suspects = ending.crashed(life, how, starved=case.starved, share=self._share)
        self._log.warning(
            "process_died", name=life["name"], pid=life["pid"], how=ending.described(life, how, starved=case.starved),
            in_hand=len(case.left), counts_as_crash=suspects,
        )  # fmt: skip
        if suspects:
            running = {key: entry for key, entry in case.left.items() if not entry.get("waiting")}
            for key, entry in running.items():
                case.alone[key] = len(running) == 1
                self._record(case, key, entry)

    def _end_started(self, case: Case) -> None:
        """End what the handlers had started, where PID 1 has not: stock supervisord leaves it to work on."""
        pid = case.life["pid"]
        if self._untold or pulse.started(pid) is not None:  # somebody has that pid anew, and so the group was empty
            return
        try:
            kill.end_started(pid)
        except OSError as error:
            self._log.warning("not_killed", name=case.life["name"], pid=pid, error=str(error))

    def _weighed(self, life: dict[str, Any]) -> dict[str, Any]:
        """Correct what a life last said of its memory: it may have filled the container since.

        What there is room for now, with it gone, is about what it held.
        """
        used = cgroup.used()
        held = self._budget - used if used else 0.0
        return {**life, **{name: max(life[name], held) for name in ("uss_mib", "pss_mib")}}

    def _record(self, case: Case, key: str, entry: dict[str, Any]) -> None:
        """Count a crash; from the second on a message waits, as after a failure. The first may be in the ledger."""
        crashes = entry.get("crashes", 0) + 1
        try:
            added = self._crashes.add(entry["message_id"], alone=case.alone[key], life=case.path.stem)
            crashes = max(crashes, added.crashes)
        except OSError as error:
            self._log.warning("crash_not_recorded", message_id=entry["message_id"], error=str(error))
        if crashes > 1:
            left = entry["since"] + VISIBILITY_MAX - self._clock.time()
            delay = self._backoff.delay(crashes - 1, self._clock.uniform)
            case.waits[key] = math.ceil(within(delay, left=left))

    async def _release_claims(self, case: Case) -> None:
        """Have the claims released first: whoever receives a message must find it unclaimed."""
        if self._release is None or case.released or not case.left:
            return
        case.released = True  # once: a claim that cannot be released ends by itself
        asked = [partial(self._release, entry, case.alone.get(key)) for key, entry in case.left.items()]
        whole = asyncio.gather(*map(self._claims.run, asked), return_exceptions=True)
        if not await self._clock.first(whole, seconds=CLAIM_SECONDS):
            self._log.warning("claims_not_released", name=case.life["name"], meanwhile="the messages are given back")
            return
        for error in (one for one in whole.result() if isinstance(one, BaseException)):
            self._log.warning("claims_not_released", name=case.life["name"], error=str(error))

    async def _give_back(self, case: Case, keys: list[str]) -> None:
        """Tell the queue. What it has surely not heard is tried again; what it may have heard is not.

        SQS may honour an old receipt handle: told twice, it would take the message from whoever has it by now. So the
        messages leave the life's file first: where this agent dies, its successor does not tell it a second time.
        """
        if not keys or not self._leave(case, {key: one for key, one in case.left.items() if key not in keys}):
            return
        handles = [(case.left[key]["receipt_handle"], case.waits.get(key, 0)) for key in keys]
        try:
            refused = await self._queue.give_back(handles)
        except Exception as error:  # noqa: BLE001 - every kind is told apart, and the worst costs the rest of a lease
            self._say(case, keys, explained(error), again=unheard(error))
            if unheard(error):
                self._leave(case, case.left)
            else:
                self._close(case, keys)
            return
        for index, key in enumerate(keys):
            code = refused.get(index)
            if code is None or code in HANDLE:  # an invalid handle: it is settled, or somebody else's
                say = self._log.debug if code else self._log.info
                say("rescued", message_id=case.left[key]["message_id"], visible_in=case.waits.get(key, 0), refused=code)
            else:
                self._say(case, [key], code, again=False)
        self._close(case, keys)

    def _leave(self, case: Case, entries: dict[str, dict[str, Any]]) -> bool:
        """Have the life's file name what is still to be given back; say whether it does."""
        try:
            ending.leave_in_hand(case.path, case.life, entries)
        except OSError as error:  # a full disk
            self._say(case, list(case.left), str(error), again=True)
            return False
        return True

    def _say(self, case: Case, keys: list[str], error: str, *, again: bool) -> None:
        ids = [case.left[key]["message_id"] for key in keys]
        self._log.warning("not_given_back", messages=len(ids), message_ids=ids, error=error, again=again)

    def _close(self, case: Case, keys: list[str]) -> None:
        for key in keys:
            case.left.pop(key, None)
