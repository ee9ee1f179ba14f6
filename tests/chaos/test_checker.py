"""The checker on histories that are made up: what it finds, and what it lets pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaos.checker import check
from chaos.history import Dead, Effect, Fault, History, Line, Row, Run, Sent

LIFE, PID = "100.7", 100
WORKER = "worker_00"


def run(name: str = "r1", *, key: str = "a", at: float = 100.0, planned: str = "done", life: str = LIFE) -> Run:
    return Run(name, f"m-{key}", key, 0, WORKER, life, planned, at)


def delivered(at: float, outcome: str, cause: str = "", **facts: Any) -> Line:
    facts = {"outcome": outcome, "cause": cause, "message_id": "m-a", "seconds": at - 90.0, **facts}
    return Line(0, WORKER, "delivered", at, facts)


def pid_1(text: str) -> Line:
    return Line(0, "supervisord", text, 101.0)


SOUND = History(
    sent=[
        Sent("m-a", "a", "good"), Sent("m-a2", "a", "good"), Sent("m-p", "p", "reject"), Sent("m-u", "", "undecodable"),
    ],
    runs=[run(), run("r2", key="p", planned="reject")],
    effects=[Effect("a", "m-a", "r1")],
    rows={"a": Row("done", 1), "p": Row("dead", 1)},
    dead=[Dead("m-p", "poison", 101.0), Dead("m-u", "body", 101.0)],
)  # fmt: skip
TWICE = replace(SOUND, runs=[*SOUND.runs, run("r0", at=90.0)], rows={**SOUND.rows, "a": Row("done", 2)})


def found(history: History, **changes: Any) -> list[str]:
    return check(replace(history, **changes)).violations


def test_a_history_in_which_everything_was_done_once_has_no_violation() -> None:
    verdict = check(SOUND)
    assert (verdict.violations, verdict.lost, verdict.duplicated) == ([], 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"effects": []}, "a (good): lost, it has no effect"),
        ({"effects": SOUND.effects * 2}, "a (good): 2 effects, expected 1"),
        ({"effects": [*SOUND.effects, Effect("p", "m-p", "r2")]}, "p (reject): 1 effects, expected 0"),
        ({"effects": [*SOUND.effects, Effect("x", "m-x", "r9")]}, "x (never sent): 1 effects, expected 0"),
        ({"dead": SOUND.dead[:1]}, "m-u (undecodable): lost, poison that is not in the dead-letter queue"),
        ({"dead": [*SOUND.dead, Dead("m-a", "crash", 102.0)]}, "m-a: in the dead-letter queue, and no poison"),
        ({"dead": [*SOUND.dead, Dead("m-p", "poison", 150.0)]}, "m-p: twice in the dead-letter queue, and no fault"),
        ({"left": 1}, "1 messages were still in the queue"),
        ({"rows": {"a": Row("open", 1), "p": Row("dead", 1)}}, "a: the ledger says open, expected done"),
        ({"rows": {"a": Row("done", 1), "p": Row("done", 1)}}, "p: the ledger says done, expected dead"),
        ({"codes": {0: 0, 1: 21}}, "container 1 left with 21"),
    ],
)
def test_each_thing_that_may_not_be_is_said(changes: dict[str, Any], says: str) -> None:
    violations = found(SOUND, **changes)
    assert len(violations) == 1
    assert violations[0].startswith(says)


def test_lost_and_duplicated_are_counted() -> None:
    assert check(replace(SOUND, effects=[], dead=[])).lost == 3
    assert check(replace(SOUND, effects=SOUND.effects * 3)).duplicated == 2
    assert check(replace(SOUND, effects=[], left=1)).lost == 0, "it is in the queue, and that is said instead"


def test_a_dead_letter_that_a_fault_has_doubled_is_counted_and_no_violation() -> None:
    dead = [*SOUND.dead, Dead("m-p", "poison", 110.0)]
    verdict = check(replace(SOUND, dead=dead, faults=[Fault("reset queue", 102.0, 103.0)]))
    assert (verdict.violations, verdict.dead_twice) == ([], 1)


def test_a_run_without_a_claim_of_its_own_is_found() -> None:
    assert "a: 2 runs with 1 claims" in found(TWICE, rows=SOUND.rows)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "never came to an end, and nothing has killed its process"),
        ([delivered(91, "done", "returned")], "ended as done (returned), and no fault"),
        ([delivered(91, "left_alone", "fenced")], "ended as left_alone (fenced), and no fault"),
        ([delivered(91, "retry", "raised", error="OSError: x")], "ended as retry (raised: OSError: x), and no fault"),
        ([delivered(91, "retry", "elsewhere")], "never came to an end"),
        ([delivered(89, "left_alone", "fenced")], "never came to an end"),
    ],
)
def test_a_call_that_was_repeated_without_a_fault_is_found(lines: list[Line], why: str) -> None:
    (violation,) = found(TWICE, lines=lines)
    assert f"a (good): a call to the outside was repeated; run r0 {why}" in violation


@pytest.mark.parametrize(
    ("fault", "line", "excused"),
    [
        (Fault("kill", 90.5, 90.6, 0, (LIFE,)), None, True),
        (Fault("kill", 90.5, 90.6, 0, ("200.7",)), None, False),
        (Fault("kill", 89.0, 89.1, 0, (LIFE,)), None, False),
        (Fault("kill", 92.0, 92.1, 0, (LIFE,)), delivered(91, "left_alone", "fenced"), False),
        (Fault("reset queue", 80.0, 81.0), delivered(91, "left_alone", "lost_lease"), True),
        (Fault("reset queue", 60.0, 61.0), delivered(91, "left_alone", "lost_lease"), False),
        (Fault("reset queue", 92.0, 93.0), delivered(91, "left_alone", "lost_lease"), False),
        (Fault("stop", 90.1, 97.0, 0, (LIFE,)), delivered(98, "left_alone", "lost_lease"), True),
        (Fault("stop", 90.1, 97.0, 0, ("200.7",)), delivered(98, "left_alone", "lost_lease"), False),
        (Fault("machine", 90.1, 97.0), delivered(98, "left_alone", "lost_lease"), True),
        (Fault("reset queue", 90.0, 91.0), delivered(91, "retry", "raised"), False),
        (Fault("reset database", 90.0, 91.0), delivered(91, "retry", "raised"), True),
        (Fault("stop", 85.0, 93.0, 0, ("200.7",)), delivered(91, "retry", "raised", error="database is locked"), True),
        (Fault("stop", 85.0, 93.0, 0, ("200.7",)), delivered(91, "retry", "raised", error="KeyError"), False),
        (Fault("reset queue", 90.0, 91.0), delivered(91, "release", "interrupted"), False),
        (Fault("replace container", 90.0, 95.0, 0), delivered(91, "release", "interrupted"), True),
        (Fault("replace container", 90.0, 95.0, 1), delivered(91, "release", "interrupted"), False),
        (Fault("restart database", 90.0, 95.0), delivered(91, "done", "returned"), False),
    ],
)
def test_a_repeated_call_is_excused_by_a_fault_that_leads_to_it_and_by_no_other(
    fault: Fault,
    line: Line | None,
    excused: bool,  # noqa: FBT001 - a case's answer
) -> None:
    violations = found(TWICE, faults=[fault], lines=[line] if line else [])
    assert any("was repeated" in one for one in violations) != excused


def test_each_run_is_held_against_its_own_delivery_though_a_process_has_the_message_twice_at_a_time() -> None:
    lines = [delivered(101, "done", "returned", seconds=1.0), delivered(104, "left_alone", "lost_lease", seconds=14.0)]
    assert found(TWICE, lines=lines, faults=[Fault("reset queue", 92.0, 99.0)]) == []


def test_what_is_meant_to_fail_may_be_repeated_and_what_is_rejected_may_not() -> None:
    flaky = [replace(one, planned="fail") if one.run == "r0" else one for one in TWICE.runs]
    assert found(TWICE, runs=flaky) == []
    rejected = [*SOUND.runs, run("r3", key="p", planned="reject", at=90.0)]
    (violation,) = found(SOUND, runs=rejected, rows={**SOUND.rows, "p": Row("dead", 2)})
    assert "p (reject): a call to the outside was repeated; run r3" in violation


KILLED = pid_1(f"{WORKER} (pid {PID}) ended: killed by SIGKILL, with messages in hand")
EXITED = pid_1(f"exited: {WORKER} (terminated by SIGKILL; not expected)")
LEFT = pid_1(f"{WORKER} (pid {PID}) ended: exit code 20: its handler ran past the time limit, with messages in hand")
OUT_20 = pid_1(f"exited: {WORKER} (exit status 20; not expected)")
BY_AGENT = Line(0, "agent", "process_killed", 100.5, {"pid": PID, "why": "its sign of life has stood still"})


@pytest.mark.parametrize(
    ("lines", "faults", "says"),
    [
        ([KILLED, EXITED], [Fault("kill", 100.5, 100.6, 0, (LIFE,))], ""),
        ([EXITED], [], "container 0: 1 ends of worker_00 have no reason in the log"),
        ([], [Fault("kill", 100.5, 100.6, 0, (LIFE,))], "container 0: pid 100 was killed, and the log does not say so"),
        ([KILLED, EXITED], [], "container 0, pid 100 ended, and nothing had been done to it: killed by SIGKILL"),
        ([BY_AGENT, KILLED, EXITED], [Fault("stop for long", 96.0, 104.0, 0, (LIFE,))], ""),
        ([BY_AGENT, KILLED, EXITED], [], "container 0, pid 100 ended, and nothing had been done to it"),
        ([BY_AGENT, KILLED, EXITED], [Fault("reset queue", 96.0, 104.0)], "container 0, pid 100 ended, and nothing"),
        ([LEFT, OUT_20], [], "container 0, pid 100 ended, and nothing had been done to it: exit code 20: its handler"),
        ([pid_1("exited: agent (terminated by SIGKILL; not expected)")], [], ""),
    ],
)
def test_an_abnormal_end_needs_a_reason_and_somebody_who_brought_it_about(
    lines: list[Line], faults: list[Fault], says: str
) -> None:
    violations = found(SOUND, lines=lines, faults=faults)
    assert len(violations) == bool(says)
    assert all(one.startswith(says) for one in violations)


def test_a_run_beside_one_that_hangs_is_excused_unless_it_says_that_it_is_done() -> None:
    runs = [*TWICE.runs, run("r7", key="h", at=89.0, planned="hang")]
    assert not [one for one in found(TWICE, runs=runs) if "was repeated" in one]
    assert [one for one in found(TWICE, runs=runs, lines=[delivered(91, "done")]) if "was repeated" in one]


def test_a_process_that_its_message_has_made_hang_may_leave_for_it() -> None:
    assert found(TWICE, runs=[*SOUND.runs, run("r0", at=90.0, planned="hang")], lines=[LEFT, OUT_20]) == []


def test_a_code_that_nobody_has_put_into_words_is_no_named_reason() -> None:
    killed = [Fault("kill", 100.5, 100.6, 0, (LIFE,))]
    (violation,) = found(SOUND, faults=killed, lines=[pid_1(f"{WORKER} (pid {PID}) ended: exit code 3, with messages")])
    assert violation.startswith("container 0, pid 100 ended for no named reason")
