from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from consumer.desk import hand as hands
from consumer.desk.letter import Filter
from consumer.errors import SettingsError
from unit.desk.standin_sqs import DLQ, URL, StandinSqs, of_the_message
from unit.doubles import refusal

if TYPE_CHECKING:
    from consumer.desk.deadletters import Result
    from consumer.testing import FakeClock

ALL = Filter()


@pytest.fixture
def sqs(clock: FakeClock) -> StandinSqs:
    made = StandinSqs(clock)
    for number in range(25):
        made.die(f"d{number}")
    return made


def retry(sqs: StandinSqs, chosen: Filter = ALL, rate: float | None = None, **given: Any) -> Result:
    letters = sqs.letters()
    with letters.hand() as hand:
        letters.retry(hand, chosen, rate, **given)
    return letters.result


def bodies(sqs: StandinSqs) -> list[str]:
    return [one["MessageBody"] for one in sqs.alive]


def test_a_look_sees_each_letter_once_and_gives_all_back(sqs: StandinSqs) -> None:
    letters = sqs.letters()
    with letters.hand() as hand:
        seen = [letter.message.id for letter in letters.look(hand, ALL)]
        assert sqs.visible() == set()
    assert sorted(seen) == sorted(sqs.dead)
    assert sqs.visible() == set(sqs.dead)


def test_a_look_that_lasts_longer_than_its_messages_are_hidden_sees_none_twice(
    sqs: StandinSqs, clock: FakeClock
) -> None:
    letters = sqs.letters()
    seen = []
    with letters.hand() as hand:
        for letter in letters.look(hand, ALL):
            seen.append(letter.message.id)
            clock.block(hands.SHORT / 12)
    assert len(seen) == len(set(seen)) == 25
    assert {one.receives for one in sqs.dead.values()} == {1}


def test_a_look_ends_where_its_id_is_found(sqs: StandinSqs) -> None:
    letters = sqs.letters()
    with letters.hand() as hand:
        assert [letter.message.id for letter in letters.look(hand, Filter(ids=frozenset(["d3"])))] == ["d3"]
    assert sqs.calls == ["receive", "change"]
    assert letters.result.went_well


def test_messages_stay_hidden_the_longer_the_more_there_are_but_never_for_long(
    clock: FakeClock,
) -> None:
    few, many = StandinSqs(clock), StandinSqs(clock)
    for number in range(2000):
        many.die(f"d{number}")
    assert few.letters().hand().seconds == hands.SHORT == 60
    assert many.letters().hand().seconds == 160
    assert hands.LONG == 3600


def test_a_queue_that_would_move_on_what_is_looked_at_is_not_looked_at(sqs: StandinSqs) -> None:
    sqs.dlq_attributes["RedrivePolicy"] = "{}"
    with pytest.raises(SettingsError, match="each look counts as a receive"):
        sqs.letters().hand()
    assert sqs.calls == []


def test_a_queue_that_gives_the_same_again_and_again_is_left(
    sqs: StandinSqs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs.dead = {"d1": sqs.dead["d1"]}
    letters = sqs.letters()
    with letters.hand() as hand:
        for letter in letters.look(hand, ALL):
            assert letter.message.id == "d1"
            monkeypatch.setattr(hand, "keep", lambda: clock.block(hands.SHORT))  # renewals that do not help
    assert sqs.calls.count("receive") == 1 + hands.STALE


def test_a_retry_sends_then_deletes_one_after_another(sqs: StandinSqs) -> None:
    result = retry(sqs)
    assert (len(result.done), result.went_well, sqs.dead) == (25, True, {})
    assert sqs.calls[:6] == ["receive", "send", "delete", "send", "delete", "send"]
    assert bodies(sqs) == [f"body of d{number}" for number in range(25)]
    assert result.done["d3"] == "new-4"


def test_the_rate_is_kept_and_so_is_what_is_held_meanwhile(sqs: StandinSqs, clock: FakeClock) -> None:
    begun = clock.monotonic()
    result = retry(sqs, rate=0.02)
    assert clock.monotonic() - begun == pytest.approx(24 * 50)
    assert len(bodies(sqs)) == len(set(bodies(sqs))) == 25
    assert (result.went_well, sqs.dead) == (True, {})


def test_what_the_filter_keeps_back_is_given_back(sqs: StandinSqs) -> None:
    result = retry(sqs, Filter(ids=frozenset(["d3", "d21", "d99"])))
    assert bodies(sqs) == ["body of d3", "body of d21"]
    assert (result.missing, result.went_well) == ({"d99"}, False)
    assert len(sqs.visible()) == 23


def test_whoever_must_know_is_told_of_each_message_before_it_is_sent(sqs: StandinSqs) -> None:
    told: list[tuple[str, int]] = []
    retry(sqs, before=lambda letter: told.append((letter.message.id, len(sqs.alive))))
    assert told == [(f"d{number}", number) for number in range(25)]


def test_a_message_that_nobody_could_be_told_of_stays(sqs: StandinSqs) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("the ledger is away")

    with pytest.raises(RuntimeError):
        retry(sqs, before=refuse)
    assert sqs.alive == []
    assert len(sqs.visible()) == 25


def test_a_message_that_fails_again_at_once_is_not_sent_for_ever(sqs: StandinSqs, clock: FakeClock) -> None:
    def die_again() -> None:
        clock.block(2)
        sqs.die(f"again-{len(sqs.alive)}")

    sqs.when_sent = die_again
    result = retry(sqs)
    assert (len(result.done), result.arrived, result.went_well) == (25, 25, True)
    assert len(sqs.visible()) == 25


def test_not_even_one_that_fails_within_the_same_second(sqs: StandinSqs) -> None:
    def die_again() -> None:
        again = {"DataType": "String", "StringValue": json.dumps({"message_id": f"new-{len(sqs.alive)}"})}
        sqs.die(f"again-{len(sqs.alive)}", {"ConsumerReject": again})

    sqs.when_sent = die_again
    result = retry(sqs)
    assert (len(result.done), result.arrived, len(sqs.visible())) == (25, 25, 25)


def test_one_ctrl_c_does_not_come_between_a_send_and_its_delete(sqs: StandinSqs) -> None:
    sqs.when_sent = lambda: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        retry(sqs)
    assert (len(sqs.alive), len(sqs.dead), len(sqs.visible())) == (1, 24, 24)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does(sqs: StandinSqs) -> None:
    def press_twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    sqs.when_sent = press_twice
    with pytest.raises(KeyboardInterrupt):
        retry(sqs)
    assert (len(sqs.alive), len(sqs.visible())) == (1, 25)


def test_messages_of_another_queue_are_left(sqs: StandinSqs) -> None:
    sqs.die("other", DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:other")
    sqs.die("own", DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:orders")
    sqs.die("rejected", {"ConsumerReject": {"DataType": "String", "StringValue": '{"queue": "mails"}'}})
    assert retry(sqs).of_others == 2
    assert set(sqs.dead) == sqs.visible() == {"other", "rejected"}
    letters = sqs.letters()
    with letters.hand() as hand:
        letters.remove(hand, ALL)
    assert set(sqs.dead) == {"other", "rejected"}
    assert retry(sqs, Filter(ids=frozenset(["other"]))).missing == {"other"}


def test_a_message_that_the_queue_does_not_take_stays_and_the_others_go(sqs: StandinSqs) -> None:
    sqs.refusals["send"] = [None, of_the_message("InvalidMessageContents")]
    result = retry(sqs)
    assert list(result.failed) == ["d1"]
    assert (len(result.done), sqs.visible(), result.stopped) == (24, {"d1"}, "")


def test_a_group_waits_behind_its_message_that_could_not_be_sent(clock: FakeClock) -> None:
    sqs = StandinSqs(clock, URL + ".fifo", DLQ + ".fifo")
    for name, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        sqs.die(name, MessageGroupId=group)
    sqs.refusals["send"] = [of_the_message("InvalidMessageContents")]
    result = retry(sqs)
    assert (set(result.done), set(result.failed)) == ({"b1"}, {"a1", "a2", "a3"})
    assert sqs.visible() == {"a1", "a2", "a3"}


def test_a_queue_that_takes_nothing_is_left_at_once(sqs: StandinSqs) -> None:
    sqs.refusals["send"] = [None, refusal("AccessDenied")]
    result = retry(sqs)
    assert sqs.calls.count("send") == 2
    assert "AccessDenied" in result.stopped
    assert (len(result.done), len(sqs.visible()), result.twice) == (1, 24, {})


@pytest.mark.parametrize(
    "error",
    [ReadTimeoutError(endpoint_url="u"), ConnectionClosedError(endpoint_url="u"), refusal("ServiceUnavailable")],
)
def test_a_send_without_an_answer_is_said_to_have_been_one_perhaps(sqs: StandinSqs, error: Exception) -> None:
    sqs.refusals["send"] = [error]
    result = retry(sqs)
    assert "perhaps in both" in result.twice["d0"]
    assert (result.failed, len(sqs.visible()), sqs.calls.count("send")) == ({}, 25, 1)


NOWHERE = EndpointConnectionError(endpoint_url="u")


@pytest.mark.parametrize("error", [NOWHERE, refusal("RequestThrottled")])
def test_a_send_that_was_surely_not_heard_is_tried_again(sqs: StandinSqs, error: Exception) -> None:
    sqs.refusals["send"] = [error, error]
    assert retry(sqs).went_well
    assert (len(bodies(sqs)), sqs.dead) == (25, {})


def test_a_queue_that_cannot_be_reached_is_left_and_nothing_is_said_to_be_in_both(sqs: StandinSqs) -> None:
    sqs.refusals["send"] = [NOWHERE] * 3
    result = retry(sqs)
    assert (result.failed, result.twice, len(sqs.visible())) == ({"d0": "not sent"}, {}, 25)
    assert "the queue takes nothing" in result.stopped


def test_a_message_that_cannot_be_deleted_is_said_to_be_in_both(sqs: StandinSqs) -> None:
    sqs.refusals["delete"] = [refusal("AccessDenied")]
    result = retry(sqs)
    assert "in both queues" in result.twice["d0"]
    assert (bodies(sqs), len(sqs.visible())) == (["body of d0"], 25)


def test_a_message_that_somebody_else_has_by_now_is_not_sent(sqs: StandinSqs, clock: FakeClock) -> None:
    def stall() -> None:
        if len(sqs.alive) == 1:  # this program is stopped for an hour, and somebody else looks meanwhile
            clock.block(3600)
            sqs.receive_message(DLQ, 7200)

    sqs.when_sent = stall
    result = retry(sqs)
    assert len(set(bodies(sqs))) == len(bodies(sqs))
    assert all(text == "somebody else has taken it" for text in result.failed.values())
    assert set(result.failed) >= {f"d{number}" for number in range(1, 10)}


def test_a_deleted_message_that_is_handed_out_once_more_is_deleted_once_more(sqs: StandinSqs) -> None:
    ghost = sqs.dead["d0"]

    def haunt() -> None:
        if len(sqs.alive) == 15:
            ghost.visible_at, sqs.dead["d0"] = 0.0, ghost

    sqs.when_sent = haunt
    assert len(retry(sqs).done) == 25
    assert (len(bodies(sqs)), sqs.dead) == (25, {})


def test_letters_are_removed(sqs: StandinSqs) -> None:
    letters = sqs.letters()
    with letters.hand() as hand:
        result = letters.remove(hand, Filter(ids=frozenset(["d2", "d20"])))
    assert (set(result.done), result.went_well) == ({"d2", "d20"}, True)
    assert len(sqs.visible()) == len(sqs.dead) == 23


@pytest.fixture
def mover(sqs: StandinSqs) -> StandinSqs:
    sqs.sources = ["https://eu-west-1.queue.amazonaws.com/1/orders"]
    return sqs


def task(status: str, moved: int = 0, **more: str) -> dict[str, Any]:
    return {"Status": status, "ApproximateNumberOfMessagesMoved": moved, **more}


def test_a_server_that_can_moves_all_of_them_itself(mover: StandinSqs) -> None:
    mover.tasks = [task("RUNNING", 10), task("RUNNING", 20), task("COMPLETED", 25)]
    letters, told = mover.letters(), list[int]()
    assert letters.move(2.5, told.append)
    assert (letters.result.moved, told, mover.rate) == (25, [10, 20, 25], 2)
    assert letters.result.went_well
    assert mover.described == [DLQ, URL], "once, and not with each look"


@pytest.mark.parametrize("problem", ["NotImplemented", "AccessDenied", "UnsupportedOperation"])
def test_where_the_server_refuses_they_are_sent_one_by_one(mover: StandinSqs, problem: str) -> None:
    mover.refusals["move"] = [refusal(problem)]
    letters = mover.letters()
    assert not letters.move(None, print)
    assert problem in letters.result.notes[0]


TARGET = "arn:aws:sqs:eu-west-1:1:orders"


def test_a_move_that_is_under_way_is_watched_and_no_second_one_begun(mover: StandinSqs) -> None:
    mover.refusals["move"] = [refusal("InvalidParameterValue")]
    running = task("RUNNING", 1, TaskHandle="t1", DestinationArn=TARGET)
    mover.tasks = [running, task("RUNNING", 10), task("COMPLETED", 25)]
    letters = mover.letters()
    assert letters.move(None, print)
    assert (letters.result.moved, letters.result.went_well) == (25, True)
    assert "was moving them already" in letters.result.notes[0]


@pytest.mark.parametrize(
    "running",
    [task("COMPLETED"), task("RUNNING", TaskHandle="t1", DestinationArn=TARGET + "-2"), task("RUNNING")],
)
def test_a_move_of_another_kind_is_none_of_ours(mover: StandinSqs, running: dict[str, Any]) -> None:
    mover.refusals["move"] = [refusal("InvalidParameterValue")]
    mover.tasks = [running]
    letters = mover.letters()
    assert not letters.move(None, print)
    assert "InvalidParameterValue" in letters.result.notes[0]


def test_where_the_server_gives_up_the_rest_is_sent_one_by_one(mover: StandinSqs) -> None:
    mover.tasks = [task("FAILED", 5, FailureReason="AccessDenied")]
    letters = mover.letters()
    assert not letters.move(None, print)
    assert (letters.result.moved, letters.result.stopped) == (5, "")


@pytest.mark.parametrize("sources", [None, [], [URL, URL + "-2"]])
def test_the_server_does_not_move_where_others_may_have_their_letters(
    mover: StandinSqs, sources: list[str] | None
) -> None:
    mover.sources = sources
    assert not mover.letters().move(None, print)
    assert "move" not in mover.calls


def test_the_server_moves_neither_slower_than_it_can_nor_a_fifo_queue(mover: StandinSqs) -> None:
    assert not mover.letters().move(0.5, print)
    mover.url += ".fifo"
    assert not mover.letters().move(None, print)
    assert "move" not in mover.calls


def test_a_move_whose_progress_cannot_be_read_is_said_to_go_on(mover: StandinSqs) -> None:
    mover.refusals["look"] = [refusal("AccessDenied")]
    letters = mover.letters()
    assert letters.move(None, print)
    assert "the server moves the messages" in letters.result.stopped


def test_an_interrupted_move_is_cancelled(mover: StandinSqs) -> None:
    mover.tasks = [task("RUNNING", 10)]
    mover.refusals["look"] = [None, KeyboardInterrupt()]
    letters = mover.letters()
    with pytest.raises(KeyboardInterrupt):
        letters.move(None, lambda _: None)
    letters.cancel()
    assert mover.calls[-1] == "cancel"
    assert (letters.result.moved, "told to stop" in letters.result.stopped) == (12, True)
