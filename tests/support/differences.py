"""What the servers of the conformance tests do otherwise than SQS. Each line is asserted; docs/conformance.md shows it.

SQS's column is its documentation's word: no test of ours asks SQS itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """A feature, what SQS does, what each server does, and what that costs our tests."""

    feature: str
    sqs: str
    embedded: str
    localstack: str
    consequence: str

    def on(self, server: str) -> str:
        """Give what a server does."""
        return self.embedded if server == "embedded" else self.localstack


REFUSED = "refused (InvalidParameterValue)"
DIFFERENCES = (
    Difference(
        "StartMessageMoveTask",
        "moved, its message id new",
        "refused (NotImplemented)",
        "moved, its message id kept",
        "`failed retry` sends one by one on the embedded server; its moves by the server are tested on LocalStack",
    ),
    Difference(
        "ListDeadLetterSourceQueues",
        "named",
        "refused (NotImplemented)",
        "named",
        "as above: whose dead-letter queue it is, is asked before a move",
    ),
    Difference(
        "DeadLetterQueueSourceArn on a message that SQS itself has moved",
        "named",
        "not named",
        "named",
        "on the embedded server such a message is listed without the reason that SQS has moved it",
    ),
    Difference(
        "FIFO: a delete by a handle that has expired",
        REFUSED,
        "deleted",
        REFUSED,
        "what a lost lease means on a FIFO queue is tested on LocalStack",
    ),
    Difference(
        "FIFO: a renewal by a handle that has expired",
        REFUSED,
        "taken",
        "taken",
        "none: a lease that was not renewed in time counts as lost by our own clock, without asking",
    ),
    Difference(
        "FIFO: a deduplication id whose message is deleted",
        "swallowed",
        "delivered again",
        "swallowed",
        "that messages sent back to a FIFO queue come through is proved by LocalStack alone",
    ),
    Difference(
        "renewal of a deleted message",
        REFUSED,
        "refused (ReceiptHandleIsInvalid)",
        REFUSED,
        "none: both codes mean that the message is not ours any more",
    ),
    Difference(
        "a visibility timeout of over 12 h",
        REFUSED,
        REFUSED,
        "taken",
        "none: no more than what is left of 12 h is ever asked for",
    ),
    Difference(
        "a body of 257 KiB, MaximumMessageSize being 1 MiB",
        "taken",
        "refused (InvalidAttributeValue)",
        "taken",
        "bodies of 1 MiB are tested on LocalStack",
    ),
    Difference(
        "MessageGroupId on a standard queue",
        "taken",
        REFUSED,
        REFUSED,
        "fair queues are tested on neither: that a group id goes back with its message is a unit test",
    ),
    Difference(
        "U+0000 in a body",
        "refused (InvalidMessageContents)",
        "taken",
        "refused (InvalidMessageContents)",
        "bodies that SQS would refuse are sent to the embedded server, as a test of the consumer",
    ),
    Difference(
        "boto3's class for an unknown queue",
        "QueueDoesNotExist",
        "ClientError",
        "QueueDoesNotExist",
        "errors are told apart by their code",
    ),
)
HEAD = """# Conformance

The tests in `tests/conformance` run on two servers: the embedded one (roto-aws), which is part of `consumer[demo]`, and
LocalStack's SQS, in an environment of its own: `scripts/localstack` makes it in `.localstack`, about 150 MB, without an
account or a container. Where it is absent its tests are skipped; `.ci/run` installs it, and there a skip is a failure.

Where a server differs from SQS, what it does is asserted (`tests/conformance/test_differences.py`): a difference that
disappears is noticed. SQS's column is its documentation's word; no test asks SQS itself.

| feature | SQS | embedded | LocalStack | what follows |
|---|---|---|---|---|
"""
TAIL = """
Neither server checks credentials or permissions, throttles, loses order or hands a message out twice of its own
accord, as SQS may; their counts are exact at once, where SQS's lag by a minute. LocalStack ends visibility timeouts at
a tick of about a second, so tests wait until something holds, never for a time. It is 4.4.0 of May 2025, the last one
that runs on Python 3.11.

This page is generated from `tests/support/differences.py` by `scripts/conformance-page`.
"""


def page() -> str:
    """Write docs/conformance.md."""
    rows = [(one.feature, one.sqs, one.embedded, one.localstack, one.consequence) for one in DIFFERENCES]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows) + TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
