"""`consumer` killed before or after a call of SQS: `python -m support.breaking VERB WHEN NTH failed ...`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from consumer import cli
from consumer.desk import hand
from consumer.message import client

if TYPE_CHECKING:
    from collections.abc import Callable

HIDDEN = 2  # seconds, in place of the minute that a test would have to wait


class Breaking:
    """A client whose nth call of a verb is the last thing before the end, or is not reached."""

    def __init__(self, sqs: Any, verb: str, when: str, nth: int, end: Callable[[], None]) -> None:
        self._sqs, self._verb, self._when, self._left, self._end = sqs, verb, when, nth, end

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._sqs, name)
        if name != self._verb:
            return real

        def call(**arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and self._when == "before":
                self._end()
            answer = real(**arguments)
            if self._left == 0 and self._when == "after":
                self._end()
            return answer

        return call


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(words: list[str]) -> int:
    verb, when, nth, *command = words
    for name in ("control", "receiver", "once"):
        real = getattr(client, name)
        setattr(client, name, lambda *given, real=real: Breaking(real(*given), verb, when, int(nth), kill))
    hand.SHORT, hand.MARGIN = HIDDEN, HIDDEN // 2
    return cli.main(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
