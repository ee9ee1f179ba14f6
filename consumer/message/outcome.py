"""The only four ways a delivery ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The message is deleted."""

    cause: str = "returned"


@dataclass(frozen=True, slots=True)
class Retry:
    """The message is visible again after a delay in seconds."""

    delay: float
    cause: str = "raised"
    past_deadline: bool = False

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure: a retry that the handler asked for does not."""
        return self.cause != "asked"


@dataclass(frozen=True, slots=True)
class Reject:
    """The message goes to the dead-letter queue, then it is deleted."""

    reason: str
    error: BaseException | None = None
    cause: str = "rejected"


@dataclass(frozen=True, slots=True)
class Release:
    """The message is given back at once; nobody has failed."""

    cause: str = "interrupted"


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The lease is lost and the run did not succeed: the message is somebody else's, and nothing is touched."""

    cause: str = "lost_lease"


Outcome = Done | Retry | Reject | Release | LeftAlone
