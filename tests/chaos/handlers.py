"""The handlers of a chaos run: each notes its call to the outside, writes its effect, and ends as its message says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from chaos import planted
from chaos.history import Run, read_runs
from consumer import Context, Message, Reject, handler
from consumer.process.pulse import started

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CALLS = Path(os.environ.get("CALLS", "/dev/null"))
CONTAINER = int(os.environ.get("CHAOS_CONTAINER", "0"))
FIRST_TIME = {"flaky": "fail", "hangs": "hang", "fails": "fail", "dies": "die", "reject": "reject"}
EACH_TIME = ("fails", "dies", "reject")
WRITING = text("INSERT INTO effects (key, message_id, run) VALUES (:key, :message_id, :run)")


def call(message: Message[dict[str, Any]], context: Context) -> Run:
    """Call the outside: one line, appended in one write, tells that it happened."""
    body, pid = message.body, os.getpid()
    kind = body["kind"]
    meant = FIRST_TIME.get(kind, "done") if context.attempt == 1 or kind in EACH_TIME else "done"
    process = os.environ.get("SUPERVISOR_PROCESS_NAME", "worker")
    name = uuid.uuid4().hex[:12]
    run = Run(name, message.id, body["key"], CONTAINER, process, f"{pid}.{started(pid)}", meant, time.time())
    calls = os.open(CALLS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(calls, json.dumps(asdict(run)).encode() + b"\n")
    os.close(calls)
    return run


def write(run: Run, message: Message[dict[str, Any]], context: Context) -> None:
    """Write the effect, by the session or by a callback."""
    if message.body["by"] == "on_done":
        context.on_done(lambda session: effect(session, run))
    else:
        effect(context.session, run)


def effect(session: Session, run: Run) -> None:
    session.execute(WRITING, {"key": run.key, "message_id": run.message_id, "run": run.run})


def hang(run: Run) -> None:
    """Hang, if that was meant: before anything is written, or nobody else could write on SQLite."""
    if run.planned == "hang":
        time.sleep(3600)


def end(run: Run) -> None:
    """End as was meant: an effect has been written, and must not be there afterwards."""
    match run.planned:
        case "fail":
            raise ConnectionError("meant to fail")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "reject":
            raise Reject("poison")


def outlast(run: Run, seconds: float) -> None:
    """Work on until another run of the same message has begun; so many seconds at most."""
    over = time.monotonic() + seconds
    while time.monotonic() < over and all(one.run == run.run for one in read_runs(CALLS) if one.key == run.key):
        time.sleep(0.1)


@handler(key=lambda message: message.body["key"])
def work(message: Message[dict[str, Any]], context: Context) -> None:
    run = call(message, context)
    if message.body.get("freeze") and message.receive_count == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    if message.receive_count == 1:
        outlast(run, message.body.get("outlast", 0))
    time.sleep(message.body["seconds"])
    hang(run)
    write(run, message, context)
    end(run)


@handler(key=lambda message: message.body["key"])
async def work_async(message: Message[dict[str, Any]], context: Context) -> None:
    run = call(message, context)
    await asyncio.sleep(message.body["seconds"])
    hang(run)
    context.on_done(lambda session: effect(session, run))
    end(run)


planted.plant(os.environ.get("PLANTED", ""))
