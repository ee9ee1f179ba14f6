"""Lines of a file or of stdin as message bodies; a bad line is named, never sent and never skipped in silence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BODY_MAX = 1024 * 1024  # SQS: bytes in a message, and bytes in a batch
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # SQS: SendMessage, "MessageBody"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number, counted from 1, its text, and what is wrong with it, if anything."""

    number: int
    body: str
    problem: str = ""


def read(stream: Iterable[bytes], *, text: bool = False) -> Iterator[Line]:
    """Read lines; blank ones are passed over. Each must be JSON, unless any text will do."""
    for number, raw in enumerate(stream, 1):
        try:
            body = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")  # Windows writes a mark first
        except UnicodeDecodeError as error:
            yield Line(number, "", f"not UTF-8: {error.reason} at byte {error.start + 1}")
            continue
        if body.strip():
            yield Line(number, body, _problem(body, text=text))


def _problem(body: str, *, text: bool) -> str:
    if (size := len(body.encode())) > BODY_MAX:
        return f"{size} bytes, and SQS takes at most {BODY_MAX}"
    if found := FORBIDDEN.search(body):
        return f"the character {found[0]!r} in column {found.start() + 1}, which SQS does not take"
    if text:
        return ""
    try:
        json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return ""


def _no_number(name: str) -> float:
    """NaN and the infinities, which Python reads and other languages' JSON does not."""
    raise ValueError(f"{name} is not a JSON number")
