"""The ways a delivery ends: four that the queue is told of, and one of which it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Done:
    """The message is deleted."""

    cause: str = "returned"
    name: ClassVar = "done"
    failed: ClassVar = False


@dataclass(frozen=True, slots=True)
class Retry:
    """The message is visible again after a delay in seconds."""

    delay: float
    cause: str = "raised"
    past_deadline: bool = False
    name: ClassVar = "retry"

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure: what the handler asked for does not, nor what somebody else has in hand."""
        return self.cause not in {"asked", "elsewhere"}


@dataclass(frozen=True, slots=True)
class Reject:
    """The message goes to the dead-letter queue, then it is deleted. key: its name in the ledger, if there is one."""

    reason: str
    error: BaseException | None = None
    cause: str = "rejected"
    key: str = ""
    name: ClassVar = "reject"
    failed: ClassVar = True


@dataclass(frozen=True, slots=True)
class Release:
    """The message is given back at once; nobody has failed."""

    cause: str = "interrupted"
    name: ClassVar = "release"
    failed: ClassVar = False


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Nothing is told to the queue, or it would not hear: the message is somebody else's, or soon will be."""

    cause: str = "lost_lease"
    name: ClassVar = "left_alone"

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure: no message can be brought to its end while the queue refuses it."""
        return self.cause == "refused"


Outcome = Done | Retry | Reject | Release | LeftAlone
