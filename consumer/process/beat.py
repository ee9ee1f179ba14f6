"""Writes the sign of life at regular times, with what the process holds of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.process import memory, whole
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from consumer.process.life import Life
    from consumer.sink import Sink

LONGEST = 5.0  # seconds between beats: more often costs an idle container more than it tells


class Beat:
    """Beats on the control loop itself: a loop that is stuck shows by its silence."""

    def __init__(self, life: Life, sink: Sink) -> None:
        self._clock, self._stop = life.clock, life.stop
        self._pulse, self._log = life.pulse, life.log
        self._sink = sink
        self._weighed: int | None = None
        self._full = False
        self._every = min(LONGEST, life.settings.pulse_timeout / 4)

    def start(self) -> None:
        """Beat now, and from now on."""
        self._pulse.write(**self._memory())
        self._look()
        self._sink.flush()
        self._clock.call_later(self._every, self.start)

    def _look(self) -> None:
        """Leave when the run directory is gone: nobody would see this process live or die any more.

        A full one is none of its doing, and the next process would find it no better.
        """
        trouble, was_full = self._pulse.trouble, self._full
        self._full = trouble is not None and trouble.errno in whole.FULL
        if self._full and not was_full:
            meanwhile = "messages are handled; those of a process that dies may come back only when their leases end"
            self._log.error("run_directory_full", error=str(trouble), meanwhile=meanwhile)
        if trouble and not self._full:
            self._stop.tell(f"the run directory is gone: {trouble}", Leaving.BROKEN)

    def _memory(self) -> dict[str, float]:
        """Read the memory, unless nothing has been done since: that would be half of what an idle process costs."""
        facts = self._pulse.facts
        if self._weighed == facts["handled"] and not facts["in_hand"]:
            return {}
        found = memory.measure()
        if found is None:  # no reason to seem dead
            self._log.warning("memory_unreadable", meanwhile="its memory limit is not kept")
            return {}
        self._weighed = facts["handled"]
        return {f"{name}_mib": round(getattr(found, name), 1) for name in ("uss", "pss", "rss")}
