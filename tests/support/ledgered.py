"""Handlers that write into the ledger's database; a message may have its process killed at one step of its delivery."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, text

from consumer import Context, Message, Reject, Retry, handler
from consumer.process import claims
from consumer.process.claims import Claims
from consumer.process.settle import Settler
from support.handlers import BOOKS, note
from support.programs import wait_until

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

BEFORE_CLAIM, AFTER_CLAIM, IN_HANDLER, AFTER_WRITES = (
    "before claim",
    "after claim",
    "in the handler",
    "after its writes",
)
BEFORE_COMMIT, AFTER_COMMIT, BEFORE_SETTLE, AFTER_SETTLE = (
    "before commit", "after commit", "before settle", "after settle",
)  # fmt: skip
STEPS = [
    BEFORE_CLAIM, AFTER_CLAIM, IN_HANDLER, AFTER_WRITES, BEFORE_COMMIT, AFTER_COMMIT, BEFORE_SETTLE, AFTER_SETTLE,
]  # fmt: skip
WAYS = ["fail", "retry", "callback fails", "release"]  # how a first run may end; the second one is done
KILLED = Path(os.environ.get("KILLED", "/nowhere"))


def reach(step: str, message: Message[Any]) -> None:
    """Die here, if this is the message's step and it has not been here before."""
    if json.loads(message.text).get("step") == step and first(message, step):
        os.kill(os.getpid(), signal.SIGKILL)


def first(message: Message[Any], what: str) -> bool:
    """Whether this has not happened to the message before, whoever ran it."""
    try:
        (KILLED / f"{message.id}.{what}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def be_told(context: Context) -> None:
    """Have the own process told to stop, and wait until the handler hears of it."""
    os.kill(os.getpid(), signal.SIGTERM)
    while not context.stopping:
        time.sleep(0.01)


def effect(session: Session, message: Message[Any]) -> None:
    session.execute(text("INSERT INTO effects (id) VALUES (:id)"), {"id": message.id})


def write(message: Message[dict[str, Any]], context: Context) -> None:
    """Write one row, in the way that the body says."""
    match message.body.get("by"):
        case "on_done":
            context.on_done(lambda session: effect(session, message))
        case "nothing":
            pass
        case _:
            effect(context.session, message)


@handler
def writes(message: Message[dict[str, Any]], context: Context) -> dict[str, str]:
    """Write one row, by the session or by a callback, and end as the body says."""
    note(message, "begin")
    then = message.body.get("then")
    now = then in WAYS and first(message, then)
    if now and then == "release":
        be_told(context)
    reach(IN_HANDLER, message)
    write(message, context)
    reach(AFTER_WRITES, message)
    if "until" in message.body:
        note(message, "waits")
        wait_until((KILLED / message.body["until"]).exists, "the word to go on")
    match then:
        case "fail" if now:
            raise ConnectionError("upstream is down")
        case "retry" if now:
            raise Retry(after=1)
        case "callback fails" if now:
            context.on_done(lambda _: 1 / 0)
        case "release" if now:
            time.sleep(600)  # the drain ends before
        case "reject":
            raise Reject("not an order")
        case "commit":
            context.session.commit()
    note(message, "end")
    return {"report": message.id}


def hangs(message: Message[dict[str, Any]], context: Context) -> None:
    """Write, and never end."""
    note(message, "begin")
    effect(context.session, message)
    time.sleep(600)


own = create_engine(os.environ.get("OWN_DATABASE_URL", "sqlite://"))
kept: list[Connection] = []


def keeps_open(message: Message[dict[str, Any]]) -> None:
    """Write into a database of its own, and leave the transaction open."""
    kept.append(own.connect())
    kept[-1].execute(text("INSERT INTO effects (id) VALUES (:id)"), {"id": message.id})
    note(message, "end")


@handler(key=lambda message: message.body["order"])
def by_order(message: Message[dict[str, Any]]) -> None:
    """Reject what cannot be handled before a fix."""
    if message.body.get("then") == "reject" and not (KILLED / "fixed").exists():
        raise Reject("not an order")
    note(message, "end")


def until_mended(message: Message[dict[str, Any]]) -> None:
    """Refuse every message for as long as the bug is there."""
    note(message, "begin")
    if not BOOKS.with_name("mended").exists():
        raise Reject("no such order")
    note(message, "end")


@handler(key=lambda message: message.body["order"])
def until_mended_by_order(message: Message[dict[str, Any]]) -> None:
    until_mended(message)


def watched(owner: Any, name: str, before: str, after: str, *, awaited: bool) -> None:
    """Put a step before and one after a method whose first argument is a message in hand, or its lease."""
    original = getattr(owner, name)

    async def asynchronous(self: Any, first: Any, *rest: Any, **more: Any) -> Any:
        reach(before, first.message)
        answer = await original(self, first, *rest, **more)
        reach(after, first.message)
        return answer

    def plain(self: Any, first: Any, *rest: Any) -> Any:
        reach(before, first.message)
        answer = original(self, first, *rest)
        reach(after, first.message)
        return answer

    setattr(owner, name, asynchronous if awaited else plain)


if "PATIENCE" in os.environ:
    claims.PATIENCE = float(os.environ["PATIENCE"])
if "KILLED" in os.environ:
    watched(Claims, "claim", BEFORE_CLAIM, AFTER_CLAIM, awaited=True)
    watched(Claims, "_close", BEFORE_COMMIT, AFTER_COMMIT, awaited=False)
    watched(Settler, "settle", BEFORE_SETTLE, AFTER_SETTLE, awaited=True)
