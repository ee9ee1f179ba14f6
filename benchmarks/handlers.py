"""What the measured processes do."""

from __future__ import annotations

import os
import time
from typing import Any

from consumer import Message

if "STATEMENTS" in os.environ:  # a byte for each one that is sent to the ledger's database
    from sqlalchemy import Engine, event

    counted = os.open(os.environ["STATEMENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    event.listen(
        Engine, "before_cursor_execute", lambda *given: os.write(counted, b"" if given[2].startswith("BEGIN") else b".")
    )  # SQLite's own BEGIN goes nowhere


def handle(message: Message[dict[str, Any]]) -> None:
    """Wait as long as the message says, as on an outside API."""
    if seconds := message.body.get("seconds"):
        time.sleep(seconds)
