"""Sends lines to a queue, by tens; what the queue does not take is named by its line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_result, stop_after_attempt

from consumer.desk.lines import BODY_MAX, Line
from consumer.message.queue import BATCH
from consumer.message.trouble import Trouble, code, trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_sqs import SQSClient

    from consumer.clock import Clock

TRIES = 6  # for entries that the queue failed by its own fault
WAIT_CAP = 5.0  # seconds


@dataclass(slots=True)
class Result:
    """What became of the lines: message ids of those sent, reasons of those failed, both by line number."""

    sent: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    stopped: str = ""  # why the lines after these were not tried


def batches(lines: Iterable[Line], count: int = BATCH, size: int = BODY_MAX) -> Iterator[list[Line]]:
    """Put lines together, so many and so many bytes at most. Pure."""
    batch: list[Line] = []
    total = 0
    for line in lines:
        own = len(line.body.encode())
        if batch and (len(batch) == count or total + own > size):
            yield batch
            batch, total = [], 0
        batch.append(line)
        total += own
    if batch:
        yield batch


class Sender:
    """Sends lines to one queue. A FIFO queue gets them one by one, so that none overtakes one that failed."""

    def __init__(
        self, sqs: SQSClient, queue_url: str, clock: Clock, *, group_id: str = "", delay: int | None = None
    ) -> None:
        self.result = Result()
        self._sqs = sqs
        self._url = queue_url
        self._fifo = queue_url.endswith(".fifo")
        self._common: dict[str, Any] = {"MessageGroupId": group_id} if group_id else {}
        if delay is not None:
            self._common["DelaySeconds"] = delay
        self._post = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=lambda state: clock.uniform(0, min(WAIT_CAP, 0.1 * 2**state.attempt_number)),
            sleep=clock.block,
            retry=retry_if_result(bool),
            retry_error_callback=lambda _: None,
        )

    def send(self, lines: Iterable[Line], tell: Callable[[Result], None] = lambda _: None) -> Result:
        """Send until the lines, or the queue's patience, are at an end; `tell` is called after each batch."""
        for batch in batches(lines, 1 if self._fifo else BATCH):
            self._send(batch)
            tell(self.result)
            if self._fifo and self.result.failed:
                self.result.stopped = "a FIFO queue's later messages must not overtake it"
            if self.result.stopped:
                break
        return self.result

    def _send(self, batch: list[Line]) -> None:
        waiting = {line.number: line for line in batch}
        try:
            self._post(self._once, waiting)
        except ClientError as error:
            if code(error) == "BatchRequestTooLong" and len(batch) > 1:  # a server whose limit is under 1 MiB
                self._send(batch[: len(batch) // 2])
                self._send(batch[len(batch) // 2 :])
                return
            self._give_up(waiting, error)
        except BotoCoreError as error:
            self._give_up(waiting, error)

    def _once(self, waiting: dict[int, Line]) -> dict[int, Line]:
        """Send what is waiting, note what became of it, and return what is worth another try."""
        answer = self._sqs.send_message_batch(
            QueueUrl=self._url, Entries=[self._entry(line) for line in waiting.values()]
        )
        for one in answer.get("Successful", []):
            number = int(one["Id"])
            self.result.sent[number] = one["MessageId"]
            self.result.failed.pop(number, None)
            del waiting[number]
        for failure in answer.get("Failed", []):
            number = int(failure["Id"])
            self.result.failed[number] = f"{failure['Code']}: {failure.get('Message', '')}".rstrip(": ")
            if failure.get("SenderFault"):  # SQS: the entry itself is wrong, so that sending it again changes nothing
                del waiting[number]
        return waiting

    def _entry(self, line: Line) -> Any:  # noqa: ANN401 - the wire's own shape
        entry = {"Id": str(line.number), "MessageBody": line.body, **self._common}
        if self._fifo:  # the line's number too: a file may hold two orders that are the same, word for word
            digest = hashlib.sha256(f"{line.number}:{line.body}".encode()).hexdigest()
            entry["MessageDeduplicationId"] = digest
        return entry

    def _give_up(self, waiting: dict[int, Line], error: Exception) -> None:
        unsure = " (no answer: it may have been sent)" if trouble(error) is Trouble.AWAY else ""
        self.result.failed |= dict.fromkeys(waiting, f"{error}{unsure}")
        self.result.stopped = f"{code(error)} concerns the queue, not one line"
