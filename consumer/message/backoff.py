"""What becomes of a failed delivery: again after how long, or never. Pure: an error and numbers in, an outcome out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer import errors
from consumer.message.outcome import Outcome, Reject, Retry

if TYPE_CHECKING:
    from consumer.settings import Settings

Dice = Callable[[float, float], float]

HEADROOM = 60  # seconds of SQS's 12 h that no wait may claim: clocks differ, and the call takes time


@dataclass(frozen=True, slots=True)
class Backoff:
    """The waits between failed runs, in seconds."""

    base: float
    multiplier: float
    cap: float

    @classmethod
    def of(cls, settings: Settings) -> Backoff:
        """Take the three knobs out of the settings."""
        return cls(settings.backoff, settings.backoff_multiplier, settings.backoff_cap)

    def delay(self, failures: int, uniform: Dice) -> float:
        """Give the wait after so many failures: half of it sure, half of it jitter.

        Half is sure so that the waits between the default five attempts add up to ten minutes at least: an outside API
        that is down for so long dead-letters nothing. Full jitter gives no such bound.
        """
        ceiling = min(self.cap, self.base * self.multiplier ** min(failures - 1, 64))
        return uniform(ceiling / 2, ceiling)


def fit(delay: float, *, base: float, until_deadline: float | None, usual_run: float) -> tuple[float, bool]:
    """Draw a wait in so that one usual run still fits before the deadline, never below the base.

    Returns the wait and whether the run will end past the deadline all the same.
    """
    if until_deadline is None or delay + usual_run <= until_deadline:
        return delay, False
    room = until_deadline - usual_run
    return (room, False) if room >= base else (delay, True)


def within(delay: float, *, left: float) -> float:
    """Keep a wait inside what SQS has left of a message's 12 h, in seconds (a longer one is refused)."""
    return max(0.0, min(delay, left - HEADROOM))


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision needs to know of the time, in seconds; until_deadline: below zero once it is late."""

    left_of_sqs: float
    until_deadline: float | None = None
    usual_run: float = 0.0


def decide(
    error: BaseException,
    attempt: int,
    *,
    cause: str,
    backoff: Backoff,
    max_attempts: int,
    moment: Moment,
    uniform: Dice,
) -> Outcome:
    """Turn a failure into an outcome. `attempt` is the number of this run, from 1; `cause` is raised or timeout."""
    if isinstance(error, errors.Reject):
        return Reject(error.reason, error)
    if isinstance(error, errors.Retry):
        late = moment.until_deadline is not None and error.after + moment.usual_run > moment.until_deadline
        return Retry(within(error.after, left=moment.left_of_sqs), cause="asked", past_deadline=late)
    if attempt >= max_attempts:
        return Reject("failed once" if attempt == 1 else f"failed {attempt} times", error, cause)
    delay, late = fit(
        backoff.delay(attempt, uniform),
        base=backoff.base,
        until_deadline=moment.until_deadline,
        usual_run=moment.usual_run,
    )
    return Retry(within(delay, left=moment.left_of_sqs), cause=cause, past_deadline=late)
