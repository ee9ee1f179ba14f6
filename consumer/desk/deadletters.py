"""A queue's dead letters: looked at, sent back, removed. Whatever ends this, each is in one queue or the other.

The order is receive, send, delete: a letter that was not sent is in the dead-letter queue still, hidden for a minute or
so, and one that was sent and not deleted is in both. Nothing else can be.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer.desk.hand import Hand, is_of_the_message
from consumer.desk.letter import Letter, request
from consumer.desk.movetask import MoveTask
from consumer.desk.unbroken import unbroken
from consumer.errors import SettingsError, problem
from consumer.message import client
from consumer.message.queue import attributes, counts, locate, locate_dlq
from consumer.message.trouble import Trouble, explained, trouble, unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs import SQSClient

    from consumer.clock import Clock
    from consumer.desk.letter import Filter

MAYBE_BOTH = "{}: in the dead-letter queue, perhaps in both"
BLIND = 1.0  # seconds: the server tells its time in whole ones
AGAIN = (0.5, 1.5)  # seconds before a send that was surely not heard is tried again


@dataclass(slots=True)
class Result:
    """What became of the letters, by the id that they have (or had) in the dead-letter queue."""

    done: dict[str, str] = field(default_factory=dict)  # sent back: the id in the queue; removed: ""
    messages: dict[str, str] = field(default_factory=dict)  # the id that each had in the queue before
    failed: dict[str, str] = field(default_factory=dict)  # still in the dead-letter queue, and why
    twice: dict[str, str] = field(default_factory=dict)  # in both, or perhaps, and why
    of_others: int = 0  # of another queue; left
    arrived: int = 0  # since the start; left, or a message that fails at once would be sent for ever
    behind: int = 0  # of a FIFO queue, behind others of their groups; about
    moved: int = 0  # by the server; about
    missing: set[str] = field(default_factory=set)  # ids asked for and not found
    stopped: str = ""  # why it ended early
    notes: list[str] = field(default_factory=list)

    @property
    def went_well(self) -> bool:
        """Tell whether all that was asked for was done."""
        return not (self.failed or self.twice or self.missing or self.stopped)


class DeadLetters:
    """The dead-letter queue of one queue.

    sender: a client that tries once; another one would send a message twice whose first answer was lost.
    """

    def __init__(
        self, sqs: SQSClient, receiver: SQSClient, sender: SQSClient, clock: Clock, url: str, dlq_url: str
    ) -> None:
        self.url, self.dlq_url = url, dlq_url
        self.result = Result()
        self.now = clock.time()  # the server's once it has been asked: letters bear its clock's marks, not ours
        self._sqs, self._receiver, self._sender, self._clock = sqs, receiver, sender, clock
        self._mover: MoveTask | None = None
        self._sent: set[str] = set()  # the ids that they have in the queue now
        self._underway: tuple[Letter, str] | None = None  # a letter being sent, and its new id once it is

    @classmethod
    def open(cls, clock: Clock) -> DeadLetters:
        """Find the queue and its dead-letter queue, as a consumer does.

        Raises SettingsError where there is none, ClientError and BotoCoreError when the queue does not answer.
        """
        name = os.environ.get("CONSUMER_QUEUE_URL", "")
        if not name:
            raise SettingsError([problem("CONSUMER_QUEUE_URL", "a queue's URL or name", "none", "set it")])
        sqs = client.control(name)
        url = locate(sqs, name)
        dlq_url = locate_dlq(sqs, url, os.environ.get("CONSUMER_DLQ_URL", ""))
        if dlq_url in ("", url):
            got = "the queue itself" if dlq_url else "none"
            remedy = "set CONSUMER_DLQ_URL, or give the queue a RedrivePolicy"
            raise SettingsError([problem("the dead-letter queue", f"one for {url}", got, remedy)])
        return cls(sqs, client.receiver(dlq_url, 1), client.once(url), clock, url, dlq_url)

    def hand(self) -> Hand:
        """Begin to look. Raises SettingsError where looking would do harm."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self.dlq_url, AttributeNames=["RedrivePolicy"])
        if answer.get("Attributes", {}).get("RedrivePolicy"):
            expected = "a dead-letter queue without a RedrivePolicy, since each look counts as a receive"
            remedy = "take the policy away while you look, or SQS moves on what is looked at too often"
            raise SettingsError([problem(self.dlq_url, expected, "one with its own", remedy)])
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        self.now = parsedate_to_datetime(date).timestamp() if date else self._clock.time()
        backlog = counts(self._sqs, self.dlq_url).visible
        return Hand(self._sqs, self._receiver, self.dlq_url, self._clock, backlog)

    def look(self, hand: Hand, chosen: Filter) -> Iterator[Letter]:
        """Give the letters asked for; once all ids are found, the rest is not looked at."""
        self.result.missing = set(chosen.ids)
        for page in hand.pages():
            for letter in map(Letter.of, page):
                if chosen.lets_through(letter, self.now):
                    self.result.missing -= chosen.found(letter)
                    yield letter
                if chosen.ids and not self.result.missing:
                    return
        if self._is_fifo(self.dlq_url):  # SQS hands out a group's next message only once its first are gone
            self.result.behind = counts(self._sqs, self.dlq_url).visible

    def standing(self, hand: Hand, chosen: Filter) -> Iterator[Letter]:
        """Give the letters asked for that were there at the start and are this queue's, until something stops it."""
        arn = attributes(self._sqs, self.url, "QueueArn")["QueueArn"]
        for letter in self.look(hand, chosen):
            if letter.is_from_another_queue(arn):
                self.result.of_others += 1
                self.result.missing |= chosen.found(letter)
            elif letter.message_id in self._sent or letter.message.sent > self.now + BLIND:
                self.result.arrived += 1
            else:
                yield letter
            if self.result.stopped:
                return

    def retry(
        self,
        hand: Hand,
        chosen: Filter,
        rate: float | None = None,
        *,
        before: Callable[[Letter], object] = lambda _: None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> Result:
        """Send the letters asked for back to the queue, so many a second at most.

        before: called with each letter before it is sent. What it raises goes through; the letter stays where it is.
        """
        fifo, from_fifo = self._is_fifo(self.url), self._is_fifo(self.dlq_url)
        due, blocked = self._clock.monotonic(), set[str]()
        for letter in self.standing(hand, chosen):
            if fifo and letter.message.group_id in blocked:
                self.result.failed[letter.message.id] = "an earlier message of its group could not be sent"
                continue
            hand.pause(due - self._clock.monotonic())
            due = self._clock.monotonic() + (1 / rate if rate else 0)
            if not hand.sure(letter.message):
                self.result.failed[letter.message.id] = "somebody else has taken it"
                continue
            before(letter)
            with unbroken():  # or most Ctrl-C would leave a message in both queues
                if self._send(letter, request(letter, fifo=fifo, from_fifo=from_fifo)):
                    self._finish(hand)
                else:
                    blocked.add(letter.message.group_id or "")
            tell(len(self.result.done))
        return self.result

    def remove(self, hand: Hand, chosen: Filter, *, tell: Callable[[int], None] = lambda _: None) -> Result:
        """Delete the letters asked for."""
        for letter in self.standing(hand, chosen):
            name = letter.message.id
            if not hand.sure(letter.message):
                self.result.failed[name] = "somebody else has taken it"
                continue
            hand.delete(letter.message)
            self.result.done[name], self.result.messages[name] = "", letter.message_id
            tell(len(self.result.done))
        return self.result

    def move(self, rate: float | None, tell: Callable[[int], None]) -> bool:
        """Have the server send all letters back; return False when it does not, and this program must.

        The server tells nobody before it sends a message, and leaves ConsumerReject on it. FIFO queues are this
        program's: what becomes of deduplication ids in a move is not promised.
        """
        if self._is_fifo(self.url):
            return False
        self._mover = MoveTask(self._sqs, self._clock, self.url, self.dlq_url)
        moved = self._mover.run(rate, tell)
        self._mover = None
        self.result.moved, self.result.stopped = moved.count, moved.stopped
        if moved.joined:
            self.result.notes.append("the server was moving them already, at a rate of its own; this was watched")
        if moved.refused:
            self.result.notes.append(f"the server does not move them by itself ({moved.refused}): one by one")
        return not moved.refused

    def interrupted(self, hand: Hand) -> None:
        """Put right what an interruption has left half done: delete what is sent. While the hand still holds it."""
        if self._underway is None:
            return
        letter, new_id = self._underway
        if new_id:
            self._finish(hand)
        else:
            self.result.twice[letter.message.id] = MAYBE_BOTH.format("interrupted while it was sent")

    def cancel(self) -> None:
        """Stop the server's move, if there is one, and say what is where."""
        if self._mover is not None:
            self.result.stopped = f"interrupted; {self._mover.cancel()}"
            self.result.moved = self._mover.moved.count

    def _send(self, letter: Letter, made: dict[str, Any]) -> bool:
        self._underway = letter, ""
        try:
            sent = self._deliver(made)
        except (ClientError, BotoCoreError) as error:
            self._not_sent(letter, error)
            return False
        self._underway = letter, sent["MessageId"]
        return True

    def _deliver(self, made: dict[str, Any]) -> Any:  # noqa: ANN401 - the stubs' answer
        """Send; try again what was surely not heard."""
        for wait in AGAIN:
            try:
                return self._sender.send_message(QueueUrl=self.url, **made)
            except (ClientError, BotoCoreError) as error:
                if not unheard(error):
                    raise
            self._clock.block(wait)
        return self._sender.send_message(QueueUrl=self.url, **made)

    def _finish(self, hand: Hand) -> None:
        """Delete the letter that is sent."""
        if self._underway is None:
            return
        letter, new_id = self._underway
        name = letter.message.id
        self.result.done[name], self.result.messages[name] = new_id, letter.message_id
        self._sent.add(new_id)
        try:
            hand.delete(letter.message)
        except (ClientError, BotoCoreError) as error:
            self.result.twice[name] = f"sent, but not deleted ({explained(error)}): in both queues"
            self.result.stopped = "the dead-letter queue does not let messages be deleted"
        self._underway = None

    def _not_sent(self, letter: Letter, error: ClientError | BotoCoreError) -> None:
        self._underway = None
        if isinstance(error, ClientError) and is_of_the_message(error):
            self.result.failed[letter.message.id] = explained(error)
            return
        self.result.stopped = f"the queue takes nothing: {explained(error)}"
        if trouble(error) is not Trouble.AWAY or unheard(error):
            self.result.failed[letter.message.id] = "not sent"
        else:  # it may have come through
            self.result.twice[letter.message.id] = MAYBE_BOTH.format("no answer to its send")

    @staticmethod
    def _is_fifo(url: str) -> bool:
        return url.endswith(".fifo")
