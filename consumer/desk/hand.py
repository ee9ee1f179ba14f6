"""What this program holds of a queue: hidden while it looks and works, given back when it is done."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from consumer.message.queue import BATCH, hide_each, receive
from consumer.message.trouble import Trouble, code, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from mypy_boto3_sqs import SQSClient

    from consumer.clock import Clock
    from consumer.message.message import Message

SHORT, LONG = 60, 3600  # seconds that a message is hidden, and for how long after a kill
RENEWED = 20  # messages that are renewed in a second, at a bad connection
MARGIN = 15  # seconds that must be left before a message is sent back or deleted
POLL = 1  # seconds; a long poll asks all of SQS's machines, so that an empty answer means an empty queue
STALE = 5  # answers in a row that bring nothing new, after which the queue is taken for seen


@dataclass(frozen=True, slots=True)
class Held:
    """A message in hand; until: by the monotonic clock."""

    handle: str
    until: float


class Hand:
    """Takes a queue's messages one after another, each once, and holds them all until it is closed.

    What is held is hidden from the queue's next answer: only so can thousands be paged through. Leases are renewed at
    half their time, so none lapses while this program lives; when it is killed they end by themselves.
    """

    def __init__(self, sqs: SQSClient, receiver: SQSClient, url: str, clock: Clock, backlog: int) -> None:
        self.seconds = min(LONG, SHORT + backlog // RENEWED)
        self.left_hidden = 0
        self.receiving = False  # after an interruption: what the queue was handing out is known to nobody
        self._sqs, self._receiver, self._url, self._clock = sqs, receiver, url, clock
        self._held: dict[str, Held] = {}
        self._gone: set[str] = set()
        self._due = math.inf  # when the first renewal is

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.left_hidden = len(self._held)
        with suppress(ClientError, BotoCoreError):  # then they come back when their time is over
            self._change(list(self._held), 0)
            self.left_hidden = 0

    def pages(self) -> Iterator[list[Message[str]]]:
        """Give messages as the queue hands them out, ten at most, until it has no more. Each is given once."""
        seen: set[str] = set()
        stale = 0
        while stale < STALE:
            self.keep()
            page = self._receive()
            if not page:
                return
            fresh = [one for one in page if one.id not in seen and one.id not in self._gone]
            for one in page:
                if one.id in self._gone:  # SQS may hand out a deleted message once more
                    self.delete(one)
            seen.update(one.id for one in fresh)
            stale = 0 if fresh else stale + 1
            if fresh:
                yield fresh

    def keep(self) -> None:
        """Renew what has less than half of its time left. Called often enough, nothing held lapses."""
        now = self._clock.monotonic()
        if now >= self._due:
            half = now + self.seconds / 2
            self._change([name for name, held in self._held.items() if held.until <= half], self.seconds)
            self._due = min((held.until for held in self._held.values()), default=math.inf) - self.seconds / 2

    def pause(self, seconds: float) -> None:
        """Wait, and keep what is held."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            self.keep()
            self._clock.block(min(left, MARGIN))

    def sure(self, message: Message[str]) -> bool:
        """Tell whether a message is surely still ours, and for long enough to send and delete it."""
        held = self._held.get(message.id)
        if held is not None and held.until - self._clock.monotonic() < MARGIN:
            self._change([message.id], self.seconds)
        return message.id in self._held

    def delete(self, message: Message[str]) -> None:
        """Delete a message. Raises ClientError and BotoCoreError; it is then still held."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self._held[message.id].handle)
        self._gone.add(message.id)
        del self._held[message.id]

    def _receive(self) -> list[Message[str]]:
        until = self._clock.monotonic() + self.seconds
        self.receiving = True
        page = receive(self._receiver, self._url, self._clock, BATCH, wait=POLL, hidden=self.seconds)
        self._due = min(self._due, until - self.seconds / 2)
        self._held |= {one.id: Held(one.receipt_handle, until) for one in page}
        self.receiving = False
        return page

    def _change(self, names: Sequence[str], seconds: int) -> None:
        """Hide messages for so many seconds from now, 0 gives them back; what is not ours any more is let go."""
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            until = self._clock.monotonic() + seconds
            refused = hide_each(self._sqs, self._url, [(self._held[name].handle, seconds) for name in some])
            for index, name in enumerate(some):
                if seconds and index not in refused:
                    self._held[name] = Held(self._held[name].handle, until)
                else:
                    del self._held[name]


def is_of_the_message(error: ClientError) -> bool:
    """Tell an error of one message, which others need not share, from one of the queue."""
    return trouble(error) is Trouble.HANDLE or code(error) == "InvalidAttributeValue"
