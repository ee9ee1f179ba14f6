"""The checker catches what it is there for: real processes, with one bug each planted into the product."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from chaos import servers
from chaos.checker import check
from chaos.history import Fault
from chaos.planted import BUGS
from chaos.scene import Scene
from support.programs import kill, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from chaos.checker import Verdict

SHORT = {"CONSUMER_VISIBILITY_TIMEOUT": "3", "CONSUMER_HEARTBEAT_INTERVAL": "0.5", "CONSUMER_BACKOFF": "1"}
STUCK = 4.0  # seconds after which nothing will change any more
CAUGHT = {
    "delete_before_close": "lost, it has no effect",
    "delete_before_dead_letter": "lost, poison that is not in the dead-letter queue",
    "effect_in_a_transaction_of_its_own": "2 effects, expected 1",
    "no_fence": "2 effects, expected 1",
    "no_claim": "a call to the outside was repeated",
    "no_renewal": "a call to the outside was repeated",
    "renewal_after_settling": "messages were still in the queue",
}


def body(key: str, kind: str = "good", **facts: object) -> tuple[str, str]:
    return kind, json.dumps({"key": key, "kind": kind, "by": "on_done", "seconds": 0.1} | facts)


WORKS = {
    "delete_before_close": [body("a")],
    "delete_before_dead_letter": [body("b", "reject")],
    "effect_in_a_transaction_of_its_own": [body("c")],
    "no_fence": [body("d", freeze=True)],
    "no_claim": [body("e"), body("e")],
    "no_renewal": [body("f", outlast=15)],
    "renewal_after_settling": [body("g", "flaky")],
}


def play(folder: Path, bug: str, works: list[tuple[str, str]]) -> Verdict:
    """Play a bug's scenario with two processes and no agent."""
    with Scene(folder, servers.database("sqlite", folder), **SHORT, PLANTED=bug) as scene:
        for _ in range(2):
            scene.up("work", processes=1, command="work")
        scene.ready()
        scene.send(works)
        if any("freeze" in text for _, text in works):
            thaw(scene)
        if bug == "no_claim":
            wait_until(lambda: len(scene.runs()) == 2, "two runs")
        scene.drain(STUCK if bug in {"renewal_after_settling", "no_claim"} else 30)
        scene.gone.update(one for one in scene.alive() if scene.containers[one].process.poll() is not None)
        scene.stop()
        if bug:  # a machine that has stood still is no excuse here
            scene.faults = [one for one in scene.faults if one.kind != "machine"]
        return check(scene.history())


def thaw(scene: Scene) -> None:
    """Let the run that has frozen go on once another one has brought its message to its end."""
    frozen = wait_until(lambda: [run for run in scene.runs() if run.key == "d"], "a run")[0]
    fault = Fault("stop", frozen.at, lives=(frozen.life,))
    scene.faults.append(fault)
    wait_until(lambda: [effect for effect in scene.effects() if effect.key == "d"], "an effect of another run")
    kill(int(frozen.life.partition(".")[0]), signal.SIGCONT)
    wait_until(lambda: len(delivered(scene, frozen.message_id)) == 2, "both deliveries have ended")
    fault.ended = time.time()


def delivered(scene: Scene, message_id: str) -> list[dict[str, object]]:
    return [line for one in scene.containers for line in one.events("delivered", message_id=message_id)]


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str, tmp_path: Path) -> None:
    found = play(tmp_path, bug, WORKS[bug]).violations
    assert any(CAUGHT[bug] in one for one in found), found


def test_the_same_messages_without_a_bug_are_as_they_should_be(tmp_path: Path) -> None:
    assert play(tmp_path, "", [work for works in WORKS.values() for work in works]).violations == []
