"""What outlives a reload of supervisord's configuration: how processes come to life, how they ended, the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.container.crashloop import ROW, CrashLoop, Death
from consumer.container.exits import NOT_STARTED, code_of, explained
from consumer.fleet.metrics import ABNORMAL
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from consumer.container.journal import Journal
    from consumer.container.lives import Lives
    from consumer.container.stdout import Stdout


class Container:
    """What outlives a reload, and the verdict.

    forks: whether processes are forked from this one, with the application loaded, or exec'd afresh.
    kept: descriptors that stay open in the children.
    """

    def __init__(self, *, stdout: Stdout, journal: Journal, lives: Lives, forks: bool, kept: frozenset[int]) -> None:
        self.stdout = stdout
        self.journal = journal
        self.lives = lives
        self.forks = forks
        self.kept = kept
        self.code = 0
        self._crash_loop = CrashLoop()
        self._last_codes: dict[str, int] = {}

    def quieten(self) -> bool:
        """Have all processes take no more messages; the container stays."""
        self.journal.line("info", "received SIGTSTP: no more messages are taken until `consumer resume`")
        self.lives.quieten()
        return False

    def ended(self, name: str, pid: int, status: int, *, told: bool) -> bool:
        """Note how a process ended; say whether the container must leave."""
        code = code_of(status)
        facts = self.lives.ended(name, pid)
        received = facts.get("last_receive") is not None
        in_hand = bool(facts.get("in_hand") or facts.get("held"))  # held: the agent has given it back before this word
        death = Death(code, received=received, in_hand=in_hand, told=told)
        self._last_codes[name] = code
        if death.abnormal:
            known = told or in_hand or facts.get("killed")  # supervisord's kill; or the agent knows, and says so
            how = explained(code, guess=not known)
            self.journal.warning(f"{name} (pid {pid}) ended: {how}{_circumstances(death)}", {ABNORMAL: 1})
        if self.lives.lost() and not told:
            return self._leave(Leaving.BROKEN.value, "the run directory is gone")
        try:
            self.lives.leave_word(facts, code, told=told)
        except OSError as error:  # a full disk: it costs the word, and a second
            self.journal.warning(f"the agent is not told how {name} (pid {pid}) ended: {error}")
        self.lives.sweep()
        return self._judge(death)

    def not_started(self, name: str, why: str) -> bool:
        """Note that a process could not even be started; say whether the container must leave."""
        self.journal.error(f"{name} could not be started: {why}")
        return self._judge(Death(NOT_STARTED))

    def given_up(self, name: str) -> bool:
        """Note that supervisord will not start a process again: a container may not go on with less than it has."""
        code = self._last_codes.get(name) or NOT_STARTED
        return self._leave(code, f"supervisord has given up {name}")

    def _judge(self, death: Death) -> bool:
        verdict = self._crash_loop.verdict(death)
        if verdict is None:
            return False
        row = f"{ROW} lives in a row could not consume"
        return self._leave(verdict, f"{row}; the last one: {explained(verdict)}")

    def _leave(self, code: int, why: str) -> bool:
        self.code = self.code or code  # the first cause; what follows are its consequences
        self.journal.error(f"the container leaves with exit code {self.code}: {why}")
        return True


def _circumstances(death: Death) -> str:
    if death.in_hand:
        return ", with messages in hand"
    return "" if death.received else ", before its first answer from the queue"
