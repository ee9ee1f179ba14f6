"""Lives that stand in for `consumer.process.work.run`. Each tells what it sees in the file STANDIN_NOTES."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from consumer.container import supervise
from consumer.container.options import Options
from consumer.process.pulse import Pulse
from consumer.process.stop import BLOCKED


def note(event: str, **facts: object) -> None:
    facts |= {
        "event": event,
        "name": os.environ.get("SUPERVISOR_PROCESS_NAME"),
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    with Path(os.environ["STANDIN_NOTES"]).open("a") as notes:
        notes.write(json.dumps(facts) + "\n")


def options() -> dict[str, Any]:
    return dict(json.loads(os.environ.get("STANDIN_OPTIONS", "{}")))


def pulse(**facts: object) -> Pulse:
    folder, name = Path(os.environ["CONSUMER_RUN_DIR"]), os.environ["SUPERVISOR_PROCESS_NAME"]
    sign = Pulse(folder, name, time.time, processes=1, pulse_timeout=45)
    sign.write(**facts)
    return sign


def wait_until_told() -> None:
    """Wait for SIGTERM as the real process does: handlers first, then unblock what was held back."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    while not told:
        time.sleep(0.01)
    note("told")


def steady(given: object = None) -> int:
    """Live until told to stop, then take a moment over it."""
    mask = sorted(signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    sign = pulse()
    note(
        "started",
        given=given,
        argv=sys.argv,
        blocked=mask,
        execed=Path("/proc/self/cmdline").read_text().endswith("\0work\0"),
    )
    wait_until_told()
    time.sleep(options().get("drain", 0.0))
    note("drained")
    sign.end()
    return 0


def ends(given: object = None) -> int:
    """End as STANDIN_OPTIONS say: by a code or a signal, with or without an answer from the queue or a message."""
    del given
    how = options()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    if how.get("pulse", True):
        in_hand = {"m": {"message_id": "m", "lease_until": time.time() + how["lease"]}} if "lease" in how else {}
        pulse(last_receive=time.time() if how.get("received") else None, in_hand=in_hand)
    note("started")
    time.sleep(how.get("after", 0.0))
    note("ends")
    if "signal" in how:
        os.kill(os.getpid(), how["signal"])
        time.sleep(60)
    return int(how.get("code", 1))


def leaves_programs(given: object = None) -> int:
    """Leave two programs behind, one of which heeds no SIGTERM; then end as STANDIN_OPTIONS say."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)  # or both would inherit the mask
    deaf = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; exec sleep 60"], stdout=subprocess.PIPE)
    os.read(deaf.stdout.fileno(), 1)  # type: ignore[union-attr]
    note("left", plain=subprocess.Popen(["sleep", "60"]).pid, deaf=deaf.pid)
    return ends(given)


def ends_but_one(given: object = None) -> int:
    """Have the first process live on, and drain, while all others end."""
    if os.environ["SUPERVISOR_PROCESS_NAME"] != "worker_00":
        return ends(given)
    wait_until_told()
    time.sleep(options()["drain"])
    note("drained")
    return 0


def recycles_then_crashes(given: object = None) -> int:
    """Leave by design at first, crash the second time, then stay."""
    del given
    pulse(last_receive=time.time())
    note("started")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    lives = sum('"started"' in line for line in Path(os.environ["STANDIN_NOTES"]).read_text().splitlines())
    time.sleep(options()["after"] if lives < 3 else 60)  # past startsecs: what ends sooner is no exit to supervisord
    return 10 if lives == 1 else 1


def before_told_at_birth() -> None:
    """Send SIGTERM to each child at the first moment at which it exists: still inside os.fork."""
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))


def told_at_birth(given: object = None) -> int:
    del given
    time.sleep(0.02)  # time enough to lose a signal
    wait_until_told()
    return 0


def before_told_while_reloading() -> None:
    """Send SIGTERM to PID 1 while a reload reads the configuration again."""
    original, calls = Options.realize, []

    def realize(self: Options, *arguments: Any, **more: Any) -> None:
        calls.append(self)
        if len(calls) > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, *arguments, **more)

    Options.realize = realize


class Loop:
    """Garbage that only the collector can find, with a connection in it."""

    def __init__(self) -> None:
        self.me = self
        self.connections = socket.socketpair()


def before_garbage() -> None:
    """Leave such garbage in PID 1, after it has tidied up and before it forks, as supervisord's own server does."""
    original = supervise.run

    def run(*arguments: Any) -> int:
        gc.disable()
        for _ in range(50):
            Loop()
        return original(*arguments)

    supervise.run = run  # type: ignore[assignment]


told_while_reloading = steady


def garbage(given: object = None) -> int:
    """Open connections, whose numbers PID 1's garbage once had, collect garbage, and use them."""
    del given
    pairs = [socket.socketpair() for _ in range(50)]
    gc.collect()
    broken = 0
    for one, other in pairs:
        try:
            one.send(b"x")
            broken += other.recv(1) != b"x"
        except OSError:
            broken += 1
    note("used", broken=broken)
    wait_until_told()
    return 0


def curious(given: object = None) -> int:
    """Look at what a fork has left in this process."""
    del given
    one, other = socket.socketpair()  # they get numbers that were PID 1's
    logging.getLogger("preloaded").warning("through a handler that was made while preloading")
    other.settimeout(0)
    try:
        strayed = other.recv(4096).decode()
    except BlockingIOError:
        strayed = ""
    container = os.environ["CONSUMER_LOG_FD"]
    one.close()
    note(
        "looked",
        wakeup=signal.set_wakeup_fd(-1),
        sigpipe=signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN,
        sigterm=signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        strayed=strayed,
        stdout=str(Path(f"/proc/self/fd/{container}").readlink()),
        environment={name: value for name, value in os.environ.items() if "CONSUMER_" in name or "SUPERVISOR_" in name},
        descriptors=[str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()],
    )
    os.write(int(container), b"straight to the container's stdout\n")
    print("by way of supervisord", flush=True)  # noqa: T201
    wait_until_told()
    return 0


def chatty(given: object = None) -> int:
    """Print without end, into supervisord's pipe."""
    del given
    note("started")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    while True:
        print("x" * 1000, flush=True)  # noqa: T201
        time.sleep(0.001)
