"""Handlers that do with a body all that may go wrong: log it, print it, keep it, name it as the key, raise it."""

from __future__ import annotations

import os
import sys
from itertools import count
from typing import Any

from consumer import Context, Message, Reject, handler
from consumer.message import client

runs = count()
garbled = int(os.environ.get("GARBLED", "0"))


def shows(message: Message[Any], context: Context) -> Any:
    context.log.info("shown", body=message.body, attributes=dict(message.attributes))
    sys.stdout.write(message.text[:200] + "\n")
    match next(runs) % 3:
        case 0:
            raise ValueError(f"{message.body}")
        case 1:
            raise Reject(f"{message.body}")
    return message.body


@handler(key=lambda message: f"{message.body}"[:256])
def named_by_its_body(message: Message[Any], context: Context) -> Any:
    return shows(message, context)


def garble(response_dict: dict[str, Any], **_: object) -> None:
    """Put bytes that are no UTF-8 into the place of an answer, as a broken proxy does."""
    global garbled  # noqa: PLW0603 - one count for the process
    if garbled:
        garbled -= 1
        response_dict["body"] = b'{"Messages": [{"Body": "\xff\xfe"}]}'


if garbled:
    events: Any = client.session().events
    events.register("before-parse.sqs.ReceiveMessage", garble)
