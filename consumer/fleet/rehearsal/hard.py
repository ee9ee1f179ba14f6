"""Days on which something is against it: the same messages, made harder in one way at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from consumer.fleet.planning.workload import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.fleet.rehearsal.day import Scene
    from consumer.fleet.rehearsal.subject import Setup

    Harder: TypeAlias = Callable[[Setup, Scene], tuple[Setup, Scene]]

QUARTER = 900.0


def more(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Have 3 x the messages."""
    return setup, replace(scene, arrivals=scene.arrivals.scaled(3.0))


def answered(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Have 3 x the messages, and people who do within 15 min what the alarm says."""
    setup, scene = more(setup, scene)
    return setup, _with(scene, raised=QUARTER)


def longer(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Have them take 2 x the seconds."""
    return setup, replace(scene, durations=scene.durations.scaled(2.0))


def interrupted(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Have all on Spot, and one interrupted every 20 min."""
    deployed = replace(setup.deployed, base=0, spot=1.0)
    return replace(setup, deployed=deployed), _with(scene, spot_every=1200.0)


def blind(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Have no metric arrive for 15 min."""
    return setup, _with(scene, gap=QUARTER)


def deployment(setup: Setup, scene: Scene) -> tuple[Setup, Scene]:
    """Deploy after 1 h."""
    return setup, _with(scene, deploy_at=scene.start + HOUR)


def _with(scene: Scene, **faults: float) -> Scene:
    return replace(scene, faults=replace(scene.faults, **faults))


HARD: tuple[tuple[str, Harder], ...] = (
    ("3 x the messages", more),
    ("3 x, answered 15 min after the alarm", answered),
    ("2 x the seconds", longer),
    ("Spot interruption each 20 min", interrupted),
    ("no metric for the first 15 min", blind),
    ("deployment after 1 h", deployment),
)
