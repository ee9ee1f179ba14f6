"""One simulated container: what it has in hand, what it has done, whether it takes more."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.fleet.need import Asking


@dataclass(slots=True, eq=False)
class Container:
    """A container from the moment it is asked for.

    takes: it takes messages. quiet: why it takes none although it runs: "old", "blocked". busy: messages in hand.
    idle: since when it has had none, once it had. done, seconds, longest: what it has finished. protected, renewed:
    since when scale-in may not touch it, and its last renewal. asking: what it says, minute by minute, is needed.
    """

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
    idle: float | None = None
    done: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    protected: float | None = None
    renewed: float = 0.0
    asking: Asking = field(default_factory=Asking)
