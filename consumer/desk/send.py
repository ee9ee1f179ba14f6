"""`consumer send`: a file of JSON lines to any queue."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from consumer.clock import Clock
from consumer.desk.lines import Line, read
from consumer.desk.sender import Result, Sender
from consumer.desk.terminal import clear, complain, progress, say, some
from consumer.errors import INTERRUPTED, SettingsError, problem
from consumer.message import client
from consumer.message.queue import locate
from consumer.message.trouble import code
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_sqs import SQSClient


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
        return _refuse(str(error))
    except OSError as error:
        got = f"{arguments.file}: {error.strerror}"
        return _refuse(f"expected a file of lines that can be read; got {got}. To do: check the path.")
    except (ClientError, BotoCoreError) as error:
        got = f"{code(error)}: {error}"
        return _refuse(f"expected a queue to send to; got {got}. To do: check --queue, region and credentials.")


def _send(arguments: Namespace, stream: BinaryIO) -> int:
    sqs, url = _queue(arguments)
    sender = Sender(sqs, url, Clock(), group_id=arguments.group_id, delay=arguments.delay)
    result = sender.result
    try:
        sender.send(
            _until_bad(read(stream, text=arguments.text), result), lambda result: progress(f"{len(result.sent)} sent")
        )
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
    return SettingsError([problem(name, expected, got, remedy)])


def _report(arguments: Namespace, result: Result) -> int:
    """Print the result and return the exit code."""
    clear()
    sent, failures = len(result.sent), sorted(result.failed.items())
    if arguments.json:
        listed = [{"line": number, "error": text} for number, text in failures]
        print(json.dumps({"sent": sent, "failed": len(failures), "stopped": result.stopped, "failures": listed}))
        return int(bool(failures or result.stopped))
    some(f"line {number}: {text}" for number, text in failures)
    if result.stopped:
        say(f"stopped: {result.stopped}")
    print(f"sent {sent}, failed {len(failures)}")
    return int(bool(failures or result.stopped))


def _refuse(text: str) -> int:
    return complain("send", text, Leaving.SETTINGS.value)
