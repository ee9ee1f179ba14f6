"""`consumer send`: JSON lines to a queue, by tens; what the queue does not take is named by its line."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_result, stop_after_attempt

from consumer.clock import Clock
from consumer.desk.lines import BODY_MAX, Line, read
from consumer.errors import SettingsError
from consumer.message import client
from consumer.message.queue import BATCH, locate
from consumer.message.trouble import Trouble, code, trouble

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_sqs import SQSClient

TRIES = 6  # for entries that the queue failed by its own fault
WAIT_CAP = 5.0  # seconds
SHOWN = 10  # problems listed for people; all of them with --json
INTERRUPTED = 130  # shells: 128 + SIGINT
WRONG_SETTINGS = 64


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


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="one message a line, each a JSON value; - reads stdin")
    parser.add_argument("--queue", metavar="URL|NAME", default="", help="the queue (default: CONSUMER_QUEUE_URL)")
    parser.add_argument("--text", action="store_true", help="take any text as a body, not only JSON")
    parser.add_argument("--delay", type=_delay, metavar="SECONDS", help="hide the messages at first, 0 to 900 s")
    parser.add_argument("--group-id", default="", metavar="ID", help="the message group; a FIFO queue needs one")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def _delay(word: str) -> int:
    seconds = int(word)
    if not 0 <= seconds <= 900:  # noqa: PLR2004 - SQS: DelaySeconds is at most 15 minutes
        raise ValueError
    return seconds


def main(arguments: Namespace) -> int:
    """Send a file's lines; return 0 when all are sent, 1 when not, 64 when the request makes no sense."""
    try:
        with _open(arguments.file) as stream:
            bad = _bad_lines(stream, text=arguments.text)
            if bad:
                return _report(arguments, Result(failed=bad, stopped="nothing is sent of a file with a bad line"))
            return _send(arguments, stream)
    except SettingsError as error:
        return _complain(str(error))
    except OSError as error:
        got = f"{arguments.file}: {error.strerror}"
        return _complain(f"expected a file of lines that can be read; got {got}. To do: check the path.")
    except (ClientError, BotoCoreError) as error:
        got = f"{code(error)}: {error}"
        return _complain(f"expected a queue to send to; got {got}. To do: check --queue, region and credentials.")


def _send(arguments: Namespace, stream: BinaryIO) -> int:
    sqs, url = _queue(arguments)
    sender = Sender(sqs, url, Clock(), group_id=arguments.group_id, delay=arguments.delay)
    result = sender.result
    try:
        sender.send(_until_bad(read(stream, text=arguments.text), result), _progress)
    except KeyboardInterrupt:
        result.stopped = "interrupted; the ten lines after the last one sent may have been sent too"
        _report(arguments, result)
        return INTERRUPTED
    return _report(arguments, result)


def _open(name: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")


def _bad_lines(stream: BinaryIO, *, text: bool) -> dict[int, str]:
    """Check a whole file before its first line is sent; what cannot be read twice is checked on its way."""
    if not stream.seekable():
        return {}
    start = stream.tell()
    bad = {line.number: line.problem for line in read(stream, text=text) if line.problem}
    stream.seek(start)
    return bad


def _until_bad(lines: Iterator[Line], result: Result) -> Iterator[Line]:
    for line in lines:
        if line.problem:
            result.failed[line.number] = line.problem
            result.stopped = "the lines before it are sent, it and those after it are not"
            return
        yield line


def _queue(arguments: Namespace) -> tuple[SQSClient, str]:
    name = arguments.queue or os.environ.get("CONSUMER_QUEUE_URL", "")
    fifo = name.endswith(".fifo")
    if not name:
        raise _wrong("CONSUMER_QUEUE_URL", "a queue's URL or name", "none", "set it, or say --queue")
    if fifo and not arguments.group_id:
        raise _wrong("--group-id", f"a message group, since {name} is a FIFO queue", "none", "say --group-id ID")
    if fifo and arguments.delay is not None:
        raise _wrong("--delay", "none, since SQS delays a FIFO queue as a whole", "one", "leave it out")
    sqs = client.control(name)
    return sqs, locate(sqs, name)


def _wrong(name: str, expected: str, got: str, remedy: str) -> SettingsError:
    return SettingsError([f"{name}: expected {expected}; got {got}. To do: {remedy}."])


def _progress(result: Result) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{len(result.sent)} sent ")
        sys.stderr.flush()


def _report(arguments: Namespace, result: Result) -> int:
    """Print the result and return the exit code."""
    if sys.stderr.isatty() and result.sent:
        sys.stderr.write("\r\x1b[K")  # the progress
    sent, failures = len(result.sent), sorted(result.failed.items())
    if arguments.json:
        listed = [{"line": number, "error": text} for number, text in failures]
        print(json.dumps({"sent": sent, "failed": len(failures), "stopped": result.stopped, "failures": listed}))
        return int(bool(failures or result.stopped))
    for number, text in failures[:SHOWN]:
        print(f"line {number}: {text}", file=sys.stderr)
    if len(failures) > SHOWN:
        print(f"... and {len(failures) - SHOWN} more; --json lists them all", file=sys.stderr)
    if result.stopped:
        print(f"stopped: {result.stopped}", file=sys.stderr)
    print(f"sent {sent}, failed {len(failures)}")
    return int(bool(failures or result.stopped))


def _complain(text: str) -> int:
    print(f"consumer send: {text}", file=sys.stderr)
    return WRONG_SETTINGS
