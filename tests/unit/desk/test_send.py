from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from consumer.desk.lines import BODY_MAX, Line, read
from consumer.desk.sender import TRIES, Sender, batches
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL = "https://sqs.eu-west-1.amazonaws.com/1/orders"


def lines(count: int) -> list[Line]:
    return [Line(number, f'"{number}"') for number in range(1, count + 1)]


class Queue:
    """A queue that answers as told: per line number, the failures to give before it takes the entry."""

    def __init__(self, faults: dict[int, int] | None = None, *, sender_fault: bool = False) -> None:
        self.faults = faults or {}
        self.sender_fault = sender_fault
        self.calls: list[list[dict[str, Any]]] = []
        self.errors: list[Exception] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        assert QueueUrl
        self.calls.append(Entries)
        if self.errors:
            raise self.errors.pop(0)
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in Entries:
            left = self.faults.get(int(entry["Id"]), 0)
            if left:
                self.faults[int(entry["Id"])] = left - 1
                answer["Failed"].append(
                    {"Id": entry["Id"], "Code": "InternalError", "Message": "oops", "SenderFault": self.sender_fault}
                )
            else:
                answer["Successful"].append({"Id": entry["Id"], "MessageId": f"m-{entry['Id']}"})
        return answer


def sender(queue: Queue, url: str = URL, **options: Any) -> Sender:
    return Sender(cast("SQSClient", queue), url, FakeClock(), **options)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": f"AWS.SimpleQueueService.{code}", "Message": "no"}}, "SendMessageBatch")


@given(st.lists(st.integers(1, 60), max_size=50), st.integers(1, 10), st.integers(60, 200))
def test_batches_keep_order_count_and_size(sizes: list[int], count: int, size: int) -> None:
    given_lines = [Line(number, "x" * length) for number, length in enumerate(sizes, 1)]
    found = list(batches(given_lines, count, size))
    assert [line for batch in found for line in batch] == given_lines
    assert all(0 < len(batch) <= count and sum(len(line.body) for line in batch) <= size for batch in found)


def test_bytes_are_counted_and_not_characters() -> None:
    assert [len(batch) for batch in batches([Line(1, "é" * 40), Line(2, "é" * 40)], 10, 100)] == [1, 1]


def test_lines_go_by_tens() -> None:
    queue = Queue()
    result = sender(queue).send(lines(23))
    assert [len(call) for call in queue.calls] == [10, 10, 3]
    assert result.sent == {number: f"m-{number}" for number in range(1, 24)}


def test_only_what_failed_is_sent_again() -> None:
    queue = Queue({3: 2, 7: 1})
    result = sender(queue).send(lines(10))
    assert [[int(entry["Id"]) for entry in call] for call in queue.calls] == [list(range(1, 11)), [3, 7], [3]]
    assert (len(result.sent), result.failed, result.stopped) == (10, {}, "")


def test_an_entry_that_is_itself_wrong_is_reported_and_not_repeated() -> None:
    queue = Queue({3: 1}, sender_fault=True)
    result = sender(queue).send(lines(12))
    assert len(queue.calls) == 2
    assert result.failed == {3: "InternalError: oops"}
    assert len(result.sent) == 11


def test_a_failure_that_lasts_is_given_up_and_reported() -> None:
    queue = Queue({3: 99})
    result = sender(queue).send(lines(4))
    assert len(queue.calls) == TRIES
    assert result.failed == {3: "InternalError: oops"}


def test_a_refusal_of_the_queue_stops_at_once() -> None:
    queue = Queue()
    queue.errors = [refusal("NonExistentQueue")]
    result = sender(queue).send(lines(30))
    assert len(queue.calls) == 1
    assert result.sent == {}
    assert len(result.failed) == 10
    assert "NonExistentQueue" in result.stopped


def test_without_an_answer_nobody_says_that_nothing_was_sent() -> None:
    queue = Queue()
    queue.errors = [EndpointConnectionError(endpoint_url="http://nowhere")]
    assert "may have been sent" in sender(queue).send(lines(1)).failed[1]


def test_a_batch_too_large_for_an_older_server_is_halved() -> None:
    queue = Queue()
    queue.errors = [refusal("BatchRequestTooLong"), refusal("BatchRequestTooLong")]
    result = sender(queue).send(lines(8))
    assert [len(call) for call in queue.calls] == [8, 4, 2, 2, 4]
    assert len(result.sent) == 8


def test_a_fifo_queue_gets_lines_one_by_one_and_none_overtakes_a_failed_one() -> None:
    queue = Queue({2: 1}, sender_fault=True)
    result = sender(queue, URL + ".fifo", group_id="g").send(lines(5))
    assert [[int(entry["Id"]) for entry in call] for call in queue.calls] == [[1], [2]]
    assert "overtake" in result.stopped


def test_a_fifo_queue_tells_equal_lines_apart_and_a_second_run_from_neither() -> None:
    twice = [Line(1, "1"), Line(2, "1")]
    first, second = Queue(), Queue()
    sender(first, URL + ".fifo", group_id="g").send(twice)
    sender(second, URL + ".fifo", group_id="g").send(twice)
    ids = [call[0]["MessageDeduplicationId"] for call in first.calls]
    assert len(set(ids)) == 2
    assert ids == [call[0]["MessageDeduplicationId"] for call in second.calls]


def test_delay_and_group_go_with_every_entry() -> None:
    queue = Queue()
    sender(queue, group_id="g", delay=5).send(lines(2))
    assert all(entry["MessageGroupId"] == "g" and entry["DelaySeconds"] == 5 for entry in queue.calls[0])


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'{"a": 1', "not JSON"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'"' + b"x" * BODY_MAX + b'"', "takes at most"),
        ('"a\uffff"'.encode(), "which SQS does not take"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(raw: bytes, problem: str) -> None:
    found = list(read([b"1\n", raw + b"\n", b"2\n"]))
    assert [line.number for line in found] == [1, 2, 3]
    assert problem in found[1].problem
    assert not found[0].problem
    assert not found[2].problem


def test_a_line_is_sent_as_it_stands() -> None:
    found = list(read([b'\xef\xbb\xbf{"a":  1}\r\n', b"\n", b"  \n", '"é"'.encode()]))
    assert [(line.number, line.body) for line in found] == [(1, '{"a":  1}'), (4, '"é"')]


def test_any_text_will_do_when_asked_for() -> None:
    assert [line.problem for line in read([b"hello\n"], text=True)] == [""]
    assert [bool(line.problem) for line in read([b"hello\n"])] == [True]
