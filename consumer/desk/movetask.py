"""The server's own way of emptying a dead-letter queue: StartMessageMoveTask."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer.message.queue import attributes
from consumer.message.trouble import code

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

    from consumer.clock import Clock

RATE_MAX = 500  # SQS: MaxNumberOfMessagesPerSecond
LOOK_EVERY = 1.0  # seconds


@dataclass(slots=True)
class Moved:
    """What became of a move: how many messages, about; why it cannot be had, or did not go through.

    joined: it had been begun by somebody else, at his rate.
    """

    count: int = 0
    refused: str = ""
    stopped: str = ""
    joined: bool = False


class MoveTask:
    """Has the server move all messages of one dead-letter queue to one queue."""

    def __init__(self, sqs: SQSClient, clock: Clock, url: str, dlq_url: str) -> None:
        self.moved = Moved()
        self._sqs, self._clock = sqs, clock
        self._url, self._dlq_url = url, dlq_url
        self._handle = ""

    def run(self, rate: float | None, tell: Callable[[int], None]) -> Moved:
        """Move, and wait for the end; `refused` is set when the server does not, or not to the end.

        rate: messages a second, 1 to 500. Raises BotoCoreError when the server does not answer.
        """
        try:
            self._start(rate)
        except ClientError as error:
            self.moved.refused = code(error)
        while self._handle:
            self._clock.block(LOOK_EVERY)
            try:
                self._look()
            except (ClientError, BotoCoreError) as error:
                self.moved.stopped = f"the server moves the messages, but does not say how far it is: {code(error)}"
                self._handle = ""
            tell(self.moved.count)
        return self.moved

    def cancel(self) -> str:
        """Stop the server; say what is where."""
        if not self._handle:
            return "the server may have been asked to move all messages; it finishes by itself"
        try:
            answer = self._sqs.cancel_message_move_task(TaskHandle=self._handle)
            self.moved.count = answer.get("ApproximateNumberOfMessagesMoved", self.moved.count)
        except (ClientError, BotoCoreError) as error:
            return f"the server could not be stopped ({code(error)}) and moves the rest by itself"
        return "the server was told to stop; each message is in the queue or in the dead-letter queue"

    def _start(self, rate: float | None) -> None:
        """Start the task. The destination is named: of messages that a program sent, SQS knows no source."""
        if rate is not None and rate < 1:
            self.moved.refused = "it moves at least one message a second"
            return
        if not self._is_ours_alone():
            self.moved.refused = "other queues have the same dead-letter queue"
            return
        extra: Any = {} if rate is None else {"MaxNumberOfMessagesPerSecond": min(RATE_MAX, int(rate))}
        source, target = self._source, self._arn(self._url)
        try:
            answer = self._sqs.start_message_move_task(SourceArn=source, DestinationArn=target, **extra)
            self._handle = answer["TaskHandle"]
        except ClientError:
            if not self._join(target):
                raise

    def _join(self, target: str) -> bool:
        """Take a move that is under way for ours: SQS runs one per queue, and beside it we would double its rate.

        A command that was killed leaves such a move behind.
        """
        with suppress(ClientError, BotoCoreError):  # why the start was refused says more
            task = self._newest()
            if task["Status"] == "RUNNING" and task.get("DestinationArn") == target:
                self._handle, self.moved.joined = task["TaskHandle"], True
        return self.moved.joined

    def _newest(self) -> Any:  # noqa: ANN401 - a task of the stubs', or what stands for none
        tasks = self._sqs.list_message_move_tasks(SourceArn=self._source, MaxResults=1)["Results"]
        return tasks[0] if tasks else {"Status": "COMPLETED"}

    def _look(self) -> None:
        task = self._newest()
        self.moved.count = task.get("ApproximateNumberOfMessagesMoved", self.moved.count)
        status = task["Status"]
        if status in ("RUNNING", "CANCELLING"):
            return
        self._handle = ""
        if status == "FAILED":
            self.moved.refused = task.get("FailureReason", status)
        elif status != "COMPLETED":
            self.moved.stopped = f"the server's move ended as {status}"

    def _is_ours_alone(self) -> bool:
        """Tell whether no other queue's messages are there, which would all come to ours."""
        sources = self._sqs.list_dead_letter_source_queues(QueueUrl=self._dlq_url)["queueUrls"]
        return [_tail(url) for url in sources] == [_tail(self._url)]

    @cached_property
    def _source(self) -> str:
        return self._arn(self._dlq_url)

    def _arn(self, url: str) -> str:
        return attributes(self._sqs, url, "QueueArn")["QueueArn"]


def _tail(url: str) -> list[str]:
    """Give a queue URL's account and name: one queue may be called by several hosts."""
    return url.rstrip("/").split("/")[-2:]
