"""CloudWatch's datapoints: read some time after they were sent, or never."""

from __future__ import annotations

from consumer.fleet.rehearsal.cloudwatch import Board
from consumer.fleet.rehearsal.platform import Platform

PLATFORM = Platform(own=20.0, sqs=60.0, ecs=120.0)
MIDNIGHT = 1_000_000


def test_a_datapoint_is_read_once_it_has_arrived() -> None:
    board = Board(PLATFORM, MIDNIGHT, (0, 0))
    board.put("Consumer", "Needed", 60.0, [2, 5, 3])
    board.arrive(79.0)
    assert not board.series("Consumer", "Needed", "Maximum")
    board.arrive(80.0)
    assert board.series("Consumer", "Needed", "Maximum") == {MIDNIGHT + 1: 5}
    assert board.series("Consumer", "Needed", "Sum") == {MIDNIGHT + 1: 10}
    assert board.series("Consumer", "Needed", "SampleCount") == {MIDNIGHT + 1: 3}
    assert board.series("Consumer", "Needed", "Minimum") == {MIDNIGHT + 1: 2}


def test_what_aws_sends_takes_longer() -> None:
    board = Board(PLATFORM, 0, (0, 0))
    board.put("AWS/SQS", "Visible", 0.0, [7])
    board.put("AWS/ECS", "CPUUtilization", 0.0, [20, 40])
    board.arrive(60.0)
    assert board.series("AWS/SQS", "Visible", "Maximum") == {0: 7}
    assert not board.series("AWS/ECS", "CPUUtilization", "Average")
    board.arrive(120.0)
    assert board.series("AWS/ECS", "CPUUtilization", "Average") == {0: 30}


def test_what_is_sent_into_a_gap_is_lost() -> None:
    board = Board(PLATFORM, 0, (60.0, 180.0))
    for minute in range(5):
        board.put("Consumer", "Needed", minute * 60.0, [minute])
    board.arrive(1000.0)
    assert board.series("Consumer", "Needed", "Sum") == {0: 0, 3: 3, 4: 4}


def test_where_nobody_reports_there_is_no_datapoint() -> None:
    board = Board(PLATFORM, 0, (0, 0))
    board.put("Consumer", "Needed", 0.0, [])
    board.arrive(1000.0)
    assert not board.series("Consumer", "Needed", "SampleCount")
