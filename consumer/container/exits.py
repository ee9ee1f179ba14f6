"""Exit codes, explained to people."""

from __future__ import annotations

import os
import signal

from consumer.process.stop import Leaving

NOT_STARTED = 127  # as shells and supervisord report a program that could not be started
EXPLAINED = {
    Leaving.STOPPED.value: "it was told to stop, or found nothing more to do",
    Leaving.LIMIT.value: "it has handled its limit of messages",
    Leaving.LIFETIME.value: "it has reached its lifetime",
    Leaving.MEMORY.value: "it has reached its memory limit",
    Leaving.FAILURES.value: "it has had too many failures in a row",
    Leaving.LEAKS.value: "its handler has left something behind",
    Leaving.HUNG.value: "its handler ran past the time limit and the grace",
    Leaving.BROKEN.value: "a side task died, or the run directory is gone",
    Leaving.SETTINGS.value: "its settings are wrong",
    Leaving.HANDLER.value: "its handler cannot be loaded",
    Leaving.REFUSED.value: "the queue refuses it, and waiting did not cure that",
    NOT_STARTED: "it could not be started",
}
HINTS = {
    signal.SIGKILL: "perhaps out of memory?",
    signal.SIGSEGV: "a fault in native code",
    signal.SIGABRT: "a fault in native code",
    signal.SIGBUS: "a fault in native code, or a full disk under mapped memory",
}


def code_of(status: int) -> int:
    """Turn the status of waitpid(2) into an exit code: 128 + n for signal n, as shells do."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def explained(code: int, *, guess: bool = True) -> str:
    """Say in words how a life ended; guess: what may be behind a SIGKILL, where nobody else will say it."""
    if code in EXPLAINED:
        return f"exit code {code}: {EXPLAINED[code]}"
    try:
        killer = signal.Signals(code - 128)
    except ValueError:
        return f"exit code {code}"
    hint = HINTS.get(killer, "") if guess or killer != signal.SIGKILL else ""
    return f"killed by {killer.name}" + (f"; {hint}" if hint else "")
