"""What the measured processes do."""

from __future__ import annotations

import time
from typing import Any

from consumer import Message


def handle(message: Message[dict[str, Any]]) -> None:
    """Wait as long as the message says, as on an outside API."""
    if seconds := message.body.get("seconds"):
        time.sleep(seconds)
