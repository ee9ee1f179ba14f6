"""Handlers for the container tests, mounted into the image. Each body says what is to be done with it."""

from __future__ import annotations

import time
from typing import Any

from consumer import Context, Message  # noqa: TC001 - read at start, to learn what the handler is given


def work(message: Message[dict[str, Any]], context: Context) -> None:
    """Wait until told to stop where asked to, then for some seconds, taking some memory at the first try."""
    body = message.body
    context.log.info("begin", order=body.get("order"))
    while body.get("until_stopping") and not context.stopping:
        time.sleep(0.05)
    time.sleep(body.get("sleep", 0))
    if "mib" in body and message.receive_count == 1:
        taken = [b"x" * 1024 * 1024 for _ in range(body["mib"])]
        context.log.info("taken", mib=len(taken))
    context.log.info("end", order=body.get("order"))
