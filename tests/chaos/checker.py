"""Reads a history and says what in it may not be. Pure.

What must hold:

* Each piece of good work has exactly one effect, however often it was sent; poison has none.
* The dead-letter queue holds each poisoned message and no other. It holds one twice only where a fault may have fallen
  between its sending and its deletion; these are counted apart.
* Nothing is left in the queue, and the ledger says of each piece of work what has become of it.
* No run without a claim of its own: never more runs than the ledger's fence has counted claims.
* Every run but the one that counts is accounted for: see accounts.py.
* Each process that ends other than by its own choice is named in the log with a reason, by PID 1 or by itself, and that
  reason was brought about: it was killed, or the agent or the time limit has ended what had frozen. The monkey's own
  list is held against the log, and the log against the list.
* Containers leave with 0.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from chaos.accounts import REACH, Accounts, Unexplained, overlaps, pid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.history import History, Line, Run, Sent

ENDED = re.compile(r"(\S+) \(pid (\d+)\) ended: (.*)")
NOT_EXPECTED = re.compile(r"exited: (worker\S*) .*; not expected\)")
UNNAMED = re.compile(r"exit code \d+(,.*)?")  # a code that nobody has put into words


@dataclass
class Verdict:
    """What was found. repeated: runs beyond the one that counts, by what they are put down to. ends: abnormal ones."""

    violations: list[str] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0
    dead_twice: int = 0
    ends: int = 0
    repeated: Counter[str] = field(default_factory=Counter)


class Checker:
    """One history under examination."""

    def __init__(self, history: History) -> None:
        self.verdict = Verdict()
        self._history = history
        self._accounts = Accounts(history)
        self._works: dict[str, Sent] = {sent.key: sent for sent in history.sent if sent.key}
        self._runs: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(history.runs, key=lambda one: one.at):
            self._runs[run.key].append(run)

    def check(self) -> Verdict:
        verdict, left = self.verdict, self._history.left
        missing = [*self._without_effect(), *self._without_grave()]
        verdict.lost = max(0, len(missing) - left)
        if left:
            verdict.violations.append(f"{left} messages were still in the queue when it should have been empty")
        if verdict.lost:
            verdict.violations += missing
        for rule in (self._effects, self._ledger, self._dead_letters, self._repeats, self._ends):
            verdict.violations += rule()
        return verdict

    def _without_effect(self) -> Iterator[str]:
        done = {effect.key for effect in self._history.effects}
        for key, sent in self._works.items():
            if not sent.poison and key not in done:
                yield f"{key} ({sent.kind}): lost, it has no effect"

    def _without_grave(self) -> Iterator[str]:
        dead = {one.message_id for one in self._history.dead}
        for sent in self._history.sent:
            if sent.poison and sent.message_id not in dead:
                yield f"{sent.message_id} ({sent.kind}): lost, poison that is not in the dead-letter queue"

    def _effects(self) -> Iterator[str]:
        """No effect too many."""
        for key, count in Counter(effect.key for effect in self._history.effects).items():
            sent = self._works.get(key)
            wanted = int(sent is not None and not sent.poison)
            if count > wanted:
                self.verdict.duplicated += count - wanted
                yield f"{key} ({sent.kind if sent else 'never sent'}): {count} effects, expected {wanted}"

    def _ledger(self) -> Iterator[str]:
        """The ledger agrees, and no run went past it."""
        for key, row in self._history.rows.items():
            sent, runs = self._works.get(key), len(self._runs[key])
            wanted = "dead" if sent and sent.poison else "done"
            if row.state != wanted and not (self._history.left and row.state == "open"):
                yield f"{key}: the ledger says {row.state}, expected {wanted}"
            if runs > row.fence:
                yield f"{key}: {runs} runs with {row.fence} claims"

    def _dead_letters(self) -> Iterator[str]:
        """Nothing but poison in the dead-letter queue."""
        found: dict[str, list[float]] = defaultdict(list)
        for one in self._history.dead:
            found[one.message_id].append(one.at)
        poison = {sent.message_id for sent in self._history.sent if sent.poison}
        for message_id, times in found.items():
            if message_id not in poison:
                yield f"{message_id}: in the dead-letter queue, and no poison"
            for first, second in pairwise(sorted(times)):
                self.verdict.dead_twice += 1
                if not any(overlaps(fault, first - REACH, second) for fault in self._accounts.faults):
                    yield f"{message_id}: twice in the dead-letter queue, and no fault is to blame"

    def _repeats(self) -> Iterator[str]:
        """Every run but one is accounted for."""
        count = {effect.run for effect in self._history.effects}
        for key, runs in self._runs.items():
            kind = self._works[key].kind if key in self._works else "never sent"
            others = [run for run in runs if run.run not in count]
            meant = kind in {"fails", "dies"}  # all of its runs are
            for run in others if meant or len(others) < len(runs) else others[:-1]:
                try:
                    self.verdict.repeated[self._accounts.of(run)] += 1
                except Unexplained as why:
                    yield f"{key} ({kind}): a call to the outside was repeated; run {run.run} {why}"

    def _ends(self) -> Iterator[str]:
        """Every abnormal end is named, and was brought about."""
        owed: Counter[tuple[int, str]] = Counter()
        named: set[tuple[int, int]] = set()
        for line in (one for one in self._history.lines if one.process == "supervisord"):
            if found := ENDED.match(line.event):
                owed[line.container, found[1]] -= 1
                named.add((line.container, int(found[2])))
                yield from self._judge(line, int(found[2]), found[3])
            elif found := NOT_EXPECTED.match(line.event):
                owed[line.container, found[1]] += 1
        self.verdict.ends = len(named)
        for (container, process), count in owed.items():
            if count > 0:
                yield f"container {container}: {count} ends of {process} have no reason in the log"
        for life, fault in self._accounts.kills.items():
            if fault.kind == "kill" and (fault.container, pid_of(life)) not in named:
                yield f"container {fault.container}: pid {pid_of(life)} was killed, and the log does not say so"
        yield from (f"container {number} left with {code}" for number, code in self._history.codes.items() if code)

    def _judge(self, line: Line, pid: int, why: str) -> Iterator[str]:
        """Hold a reason in PID 1's log against what was done to the process."""
        accounts, who = self._accounts, f"container {line.container}, pid {pid}"
        if UNNAMED.fullmatch(why):
            yield f"{who} ended for no named reason: {why}"
        if any(pid_of(life) == pid for life in (*accounts.kills, *accounts.deadly, *accounts.hanging)):
            return
        killed = accounts.by_agent.get((line.container, pid))
        stops = [life for fault in accounts.faults for life in fault.lives if pid_of(life) == pid]
        if killed is None or not accounts.stood_still(stops[-1] if stops else "", killed.at):
            yield f"{who} ended, and nothing had been done to it: {why}"


def check(history: History) -> Verdict:
    """Say what in a history may not be."""
    return Checker(history).check()
