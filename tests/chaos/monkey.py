"""Draws faults, one after another, and notes each of them: what, when, and whom it met."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from chaos import victims
from chaos.history import Fault
from chaos.proxy import Mood

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from chaos.proxy import Proxy
    from chaos.scene import Scene
    from chaos.servers import Database, QueueServer
    from chaos.victims import Victim
    from support.programs import Program

HARM = 2  # deaths that a message may meet by the monkey: after a third one it is a dead letter, as it should be
SHORT, LONG = (0.3, 2.5), (7.0, 9.0)  # seconds for which a process stands still: less, and more, than its lease
WINDOW = (0.3, 2.5)  # seconds for which a proxy misbehaves
OUTAGE = (0.1, 3.0)  # seconds between the queue server's death and its next life
AGENT = (1.0, 7.0)  # seconds for which an agent stands still
LEAVES_WITHIN = 30.0  # seconds, of a container that is told to stop
PROXIED = {
    "reset": (4, Mood.RESET, WINDOW), "stall": (3, Mood.STALL, WINDOW), "slow": (2, Mood.SLOW, WINDOW),
    "swallow requests to": (2, Mood.DEAF, WINDOW), "swallow answers of": (3, Mood.MUTE, WINDOW),
}  # fmt: skip
ONLY_QUEUE = {
    "503 from": (3, Mood.UNAVAILABLE, WINDOW), "throttling by": (3, Mood.THROTTLE, WINDOW),
    "no renewal at": (1, Mood.RESET, LONG),
}  # fmt: skip


class Busy(Exception):  # noqa: N818 - no error
    """This fault cannot be injected just now."""


@dataclass
class Later:
    """What ends a fault, and when."""

    at: float
    act: Callable[[], None]


class Monkey:
    """Call `tick` often, and `calm` at the end. `start` starts a container in place of one that was taken away."""

    def __init__(self, scene: Scene, dice: Random, start: Callable[[], Program], *, every: float) -> None:
        self._scene, self._dice, self._start, self._every = scene, dice, start, every
        self._later: list[Later] = []
        self._next = time.monotonic()
        self._harmed: Counter[str] = Counter()
        self._taken: set[object] = set()
        self._kinds = self._all()

    def tick(self) -> None:
        """End what is over; begin something when it is time."""
        for one in [later for later in self._later if later.at <= time.monotonic()]:
            self._later.remove(one)
            one.act()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._dice.expovariate(1 / self._every)
            self._begin()

    def _begin(self) -> None:
        """Draw until there is a fault that can be injected just now."""
        for _ in range(10):
            kind = self._dice.choices(list(self._kinds), [weight for weight, _ in self._kinds.values()])[0]
            with suppress(Busy):
                self._kinds[kind][1](kind)
                return

    def calm(self) -> None:
        """End all faults now."""
        while self._later:
            self._later.pop(0).act()  # one that waits for a container to leave comes back
            time.sleep(0.02)

    def _all(self) -> dict[str, tuple[int, Callable[[str], None]]]:
        scene = self._scene
        kinds: dict[str, tuple[int, Callable[[str], None]]] = {
            "kill": (10, self._kill),
            "stop": (6, partial(self._stop, SHORT)),
            "stop for long": (2, partial(self._stop, LONG)),
            "kill agent": (3, self._kill_agent),
            "stop agent": (3, self._stop_agent),
            "freeze container": (1, self._freeze_container),
            "kill container": (1, self._kill_container),
            "replace container": (1, self._replace_container),
            "restart queue": (3, partial(self._restart, scene.server, OUTAGE)),
            "restart database": (2, partial(self._restart, scene.database, scene.database.outage)),
        }
        for name, proxy, moods in (
            ("queue", scene.server.proxy, PROXIED | ONLY_QUEUE), ("database", scene.database.proxy, PROXIED),
        ):  # fmt: skip
            if proxy is not None:
                for verb, (weight, mood, span) in moods.items():
                    kinds[f"{verb} {name}"] = weight, partial(self._misbehave, proxy, mood, span)
        return kinds

    def _note(self, kind: str, number: int | None = None, some: tuple[Victim, ...] = ()) -> Fault:
        fault = Fault(kind, time.time(), container=number, lives=tuple(one.life for one in some))
        fault.hit = sum(len(one.messages) for one in some)
        self._scene.faults.append(fault)
        return fault

    def _end_later(self, fault: Fault, span: tuple[float, float], act: Callable[[], None]) -> None:
        def ends() -> None:
            act()
            fault.ended = time.time()

        self._later.append(Later(time.monotonic() + self._dice.uniform(*span), ends))

    def _claim(self, *things: object) -> None:
        if self._taken & set(things):
            raise Busy
        self._taken.update(things)

    # Processes

    def _container(self) -> int:
        """Choose a container that has come up: before that its program does not even hear SIGTERM."""
        some = [number for number in self._scene.alive() if victims.candidates(self._scene.containers[number])]
        if not some:
            raise Busy
        return self._dice.choice(some)

    def _halt_one(self) -> tuple[int, Victim]:
        """Have a process stand still, one with messages in hand if there is any, and none that has met enough."""
        number = self._container()
        container = self._scene.containers[number]
        lives = victims.candidates(container)
        lives = [life for life in lives if life["in_hand"]] or lives
        found = victims.halt(self._dice.choice(lives), container.run_dir) if lives else None
        if found is None:
            raise Busy
        self._spare(found)
        return number, found

    def _spare(self, *some: Victim) -> None:
        messages = [name for one in some for name in one.messages]
        if any(self._harmed[name] >= HARM for name in messages):
            for one in some:
                one.go_on()
            raise Busy
        self._harmed.update(messages)

    def _kill(self, kind: str) -> None:
        number, victim = self._halt_one()
        fault = self._note(kind, number, (victim,))
        victim.die()
        fault.ended = time.time()

    def _stop(self, span: tuple[float, float], kind: str) -> None:
        number, victim = self._halt_one()
        self._end_later(self._note(kind, number, (victim,)), span, victim.go_on)

    def _halt_agent(self) -> tuple[int, Victim]:
        number = self._container()
        pid = victims.agent_of(self._scene.containers[number])
        victim = victims.halt_other(pid) if pid else None
        if victim is None:
            raise Busy
        return number, victim

    def _kill_agent(self, kind: str) -> None:
        number, victim = self._halt_agent()
        fault = self._note(kind, number, (victim,))
        victim.die()
        fault.ended = time.time()

    def _stop_agent(self, kind: str) -> None:
        number, victim = self._halt_agent()
        self._end_later(self._note(kind, number, (victim,)), AGENT, victim.go_on)

    # Containers

    def _freeze_container(self, kind: str) -> None:
        """Have all of it but PID 1 stand still for longer than its leases: what goes on afterwards owns nothing."""
        number, agent = self._halt_agent()
        some = self._halt_processes(number)
        try:
            self._spare(*some)
        except Busy:
            agent.go_on()
            raise

        def go_on() -> None:
            for one in (agent, *some):  # the agent first: it is to see that it has been away
                one.go_on()

        self._end_later(self._note(kind, number, some), LONG, go_on)

    def _halt_processes(self, number: int) -> tuple[Victim, ...]:
        container = self._scene.containers[number]
        found = [victims.halt(life, container.run_dir) for life in container.lives()]
        return tuple(one for one in found if one is not None)

    def _kill_container(self, kind: str) -> None:
        """End all of it at once, as a platform does whose machine has died; another one comes up elsewhere."""
        number = self._container()
        container = self._scene.containers[number]
        victims.halt_other(container.pid)  # first of all: it would start successors
        pid = victims.agent_of(container)
        agent = victims.halt_other(pid) if pid else None
        some = self._halt_processes(number)
        fault = self._note(kind, number, some)
        for one in (*some, *([agent] if agent else [])):
            one.die()
        container.process.kill()
        container.process.wait()
        fault.ended = time.time()
        self._scene.gone.add(number)
        self._start()

    def _replace_container(self, kind: str) -> None:
        """Tell it to stop, as a deployment does, while its successor comes up."""
        number = self._container()
        fault = self._note(kind, number)
        container = self._scene.containers[number]
        container.process.send_signal(signal.SIGTERM)
        self._scene.gone.add(number)
        self._start()
        patience = time.monotonic() + LEAVES_WITHIN

        def look() -> None:
            code = container.process.poll()
            if code is None and time.monotonic() < patience:
                self._later.append(Later(time.monotonic() + 0.2, look))
                return
            self._scene.codes[number] = -1 if code is None else code
            fault.ended = time.time()

        look()

    # Servers

    def _misbehave(self, proxy: Proxy, mood: Mood, span: tuple[float, float], kind: str) -> None:
        self._claim(proxy)
        fault = self._note(kind)
        proxy.begin(mood)

        def end() -> None:
            fault.hit = proxy.end()
            if proxy is self._scene.database.proxy:
                proxy.reset_dead()  # the kernel would, were it not for the proxy, which acknowledges everything
            self._taken.discard(proxy)

        self._end_later(fault, span, end)

    def _restart(self, server: QueueServer | Database, outage: tuple[float, float], kind: str) -> None:
        self._claim(server)
        began = time.time()
        if not server.break_off():
            self._taken.discard(server)
            raise Busy
        fault = self._note(kind)
        fault.began = began

        def again() -> None:
            server.start_again()
            self._taken.discard(server)

        self._end_later(fault, outage, again)
