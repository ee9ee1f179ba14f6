"""One simulated container: what it has in hand, what it has done, whether it takes more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Container:
    """A container from the moment it is asked for.

    takes: it takes messages. quiet: why it takes none although it runs: "old", "blocked", "capped". busy: messages in
    hand. begun: the sum of the times at which these began, so that their age is known without a list of them.
    done, seconds, longest: what it has finished. protected: since when scale-in may not touch it. asked: containers
    that it needed a minute ago.
    """

    number: int
    revision: int
    spot: bool
    slots: int
    billed: float
    ready: bool = False
    takes: bool = False
    leaving: bool = False
    gone: bool = False
    quiet: str = ""
    busy: int = 0
    begun: float = 0.0
    done: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    protected: float | None = None
    renewed: float = 0.0
    asked: int = 0

    def age_in_hand(self, now: float) -> float:
        """Give the seconds that have gone into what is in hand, together."""
        return self.busy * now - self.begun
