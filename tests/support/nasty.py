"""Bodies and attributes that a producer may send by mistake or on purpose."""

from __future__ import annotations

import json
import random
from typing import Any

MIB = 1024 * 1024
NASTY = [
    "",
    " ",
    "\ufeff{}",
    "\x00",
    '"\\u0000"',
    '"\\ud800"',
    '{"\\ud800": "\\u0000\\udfff"}',
    '{"id": 1, "id": 2}',
    '{"id": NaN}',
    '{"id": 1e999}',
    '{"id": -Infinity}',
    "9" * 4000,
    "9" * 5000,
    '{"id": ' + "9" * 5000 + "}",
    '{"detail": ' + "9" * 4000 + "}",
    "[" * 100_000,
    '{"id":' * 5000 + "1" + "}" * 5000,
    '{"detail":' * 900 + "1" + "}" * 900,
    "[" * 900 + "]" * 900,
    '{"' + "k" * 100_000 + '": 1}',
    '{"detail": null}',
    '{"detail": "{\\"detail\\": \\"{\\""}',
    json.dumps({"Message": json.dumps({"Message": "{"})}),
    json.dumps({"Records": None}),
    json.dumps({"Records": [{"Records": []}]}),
    json.dumps({"Event": ["s3:TestEvent"]}),
    json.dumps({"Event": "s3:TestEvent"}),
    "\x1b[2J\r\n\u2028\u202e\U0010ffff",
    "true",
    "null",
]
"""SQS itself would not take all of them: U+0000 and its like are refused by it, and taken by other servers."""

ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"n": {"DataType": "Number", "StringValue": "1" * 30 + ".5"}},
    {"b": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))}},
    {"empty": {"DataType": "Binary", "BinaryValue": b""}, "-._": {"DataType": "String.x", "StringValue": "\u2028"}},
    {"ConsumerReject": {"DataType": "Binary", "BinaryValue": b"\xff"}},
    {"ConsumerReject": {"DataType": "String", "StringValue": "[" * 5000}},
    {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)},
]


def bodies(seed: int, count: int) -> list[str]:
    """Give all nasty ones, and others made of them by cutting, doubling and overwriting; the same for the same seed."""
    dice = random.Random(seed)
    made = list(NASTY)
    while len(made) < count:
        data = bytearray(dice.choice(NASTY)[:300], "utf-8", "surrogatepass") or bytearray(b"{}")
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(data) + 1)
            match dice.randrange(3):
                case 0:
                    data[place : place + dice.randint(0, 5)] = dice.randbytes(dice.randint(0, 5))
                case 1:
                    data = data[:place]
                case _:
                    data += data[place:]
        made.append(data.decode("utf-8", "replace"))
    return made
