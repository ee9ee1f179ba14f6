"""Handlers for tests. Each body says what its handler is to do; every run is noted in the file BOOKS."""

from __future__ import annotations

import asyncio
import ctypes
import json
import locale
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from consumer import Context, Message, Reject, Retry, handler, on_reset
from consumer.message import client
from consumer.process import cgroup, memory

BOOKS = Path(os.environ.get("BOOKS", "/dev/null"))
TOKEN: dict[str, str] = {}


def note(message: Message[dict[str, Any]], what: str) -> None:
    facts = {"id": message.id, "pid": os.getpid(), "count": message.receive_count, "group": message.group_id}
    line = json.dumps({"what": what, **facts})
    with BOOKS.open("a") as books:
        books.write(line + "\n")


def notes(path: Path, what: str = "end") -> list[dict[str, Any]]:
    """Read the books; all of them where `what` is empty."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if what in (line["what"], "")]


@handler
def work(message: Message[dict[str, Any]], context: Context) -> None:
    note(message, "begin")
    body = message.body
    if "print" in body:
        print("x" * body["print"])
        print("last line")
    if "spin" in body:
        end = time.monotonic() + body["spin"]
        while time.monotonic() < end:
            pass
    if "hold" in body:
        ctypes.PyDLL(None).usleep(int(body["hold"] * 1e6))  # with the interpreter's lock held
    if "leave" in body and message.receive_count == 1:
        os._exit(body["leave"])
    if "backtrack" in body and message.receive_count == 1:
        re.match(r"(a+)+$", "a" * 64 + "b")  # goes on for years, and holds the interpreter's lock
    if "mib" in body:
        if message.receive_count > 1:
            return
        kept.append(os.urandom(body["mib"] * 1024 * 1024))
    if "fill" in body and message.receive_count == 1:  # the container, up to this share of its memory, and beyond it
        while cgroup.used() < body["fill"] * cgroup.limit():
            kept.append(b"x" * 4 * memory.MIB)
        time.sleep(20)
    if "clutter" in body:  # fill the run directory to the last byte
        with suppress(OSError):
            Path(os.environ["CONSUMER_RUN_DIR"], "clutter").write_bytes(bytes(memory.MIB))
        note(message, "full")
    if "freeze" in body:
        os.kill(os.getpid(), signal.SIGSTOP)
    if "until_stopping" in body:
        end = time.monotonic() + body["until_stopping"]
        while not context.stopping and time.monotonic() < end:
            time.sleep(0.02)
        note(message, "told" if context.stopping else "not told")
    time.sleep(body.get("sleep", 0))
    match body.get("then"):
        case "exit":
            raise SystemExit(3)
        case "die":
            os.kill(os.getpid(), body.get("signal", 9))
        case "fail":
            raise ConnectionError("upstream is down")
        case "reject":
            raise Reject("not an order")
        case "retry":
            raise Retry(after=1)
        case "fail_once" if message.receive_count == 1:
            raise ConnectionError("upstream is down")
        case "fail_until" if time.time() < body["time"]:
            raise ConnectionError("upstream is down")
    note(message, "end")


@handler
async def work_async(message: Message[dict[str, Any]], context: Context) -> None:
    note(message, "begin")
    body = message.body
    time.sleep(body.get("block", 0))
    try:
        await asyncio.sleep(body.get("sleep", 0))
    except asyncio.CancelledError:
        note(message, "cancelled")
        raise
    note(message, "end")


def leaky(message: Message[dict[str, Any]]) -> None:
    """Keep a token the way an SDK does, and tell whether an earlier message's is still there."""
    seen = TOKEN.get("token", "none"), structlog.contextvars.get_contextvars().get("customer", "none")
    note(message, f"saw {seen[0]} {seen[1]}")
    TOKEN["token"] = message.body["customer"]
    structlog.contextvars.bind_contextvars(customer=message.body["customer"])
    note(message, "end")


@on_reset
def forget() -> None:
    TOKEN.clear()


kept: list[bytes] = []


def leaks(message: Message[dict[str, Any]]) -> None:
    kept.append(os.urandom(message.body["mib"] * 1024 * 1024))
    note(message, "end")


def forks(message: Message[dict[str, Any]]) -> None:
    """Start processes as multiprocessing does by default, and end them with SIGTERM."""
    forking = multiprocessing.get_context("fork")
    child = forking.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(10)
    assert child.exitcode == -15, child.exitcode
    with forking.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    note(message, "end")


def waits_for_a_program(message: Message[dict[str, Any]]) -> None:
    """Have a program of its own do the work, as many handlers do; it writes down its pid, and never ends."""
    note(message, "begin")
    program = subprocess.Popen(["sleep", "300"], stdin=subprocess.DEVNULL)
    note(message, str(program.pid))
    if "die" in message.body:
        os.kill(os.getpid(), 9)
    program.wait()


def closes(message: Message[dict[str, Any]]) -> None:
    """Close files that are not its own, as a careless daemon does."""
    note(message, "begin")
    os.closerange(3, 1000)


def configures(message: Message[dict[str, Any]]) -> None:
    """Set up structlog as an application does that does not know where it runs."""
    factory = (
        structlog.stdlib.LoggerFactory() if message.body["factory"] == "stdlib" else structlog.PrintLoggerFactory()
    )
    structlog.configure(logger_factory=factory, processors=[structlog.processors.JSONRenderer()])
    structlog.get_logger().info("from the application")
    logging.getLogger("app").warning("by the standard library")
    print("printed")
    note(message, "end")


left: list[Any] = []


def litters(message: Message[dict[str, Any]]) -> None:
    """Leave behind what the body names, and note where the message found itself."""
    umask = os.umask(0o022)
    os.umask(umask)
    note(message, f"in {Path.cwd()} with {umask:03o}")
    for what in message.body.get("leave", []):
        match what:
            case "folder":
                os.chdir("/")
            case "umask":
                os.umask(0)
            case "deaf":  # as native code does, from any thread: SIG_IGN
                ctypes.CDLL(None).signal(15, ctypes.c_void_p(1))
            case "other signal":
                ctypes.CDLL(None).signal(10, ctypes.c_void_p(1))
            case "environment":
                os.environ["TOKEN"] = "secret-of-a-customer"
            case "locale":
                locale.setlocale(locale.LC_CTYPE, "C" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8")
            case "thread":
                threading.Thread(target=time.sleep, args=(300,), name="metrics").start()
            case "child":
                left.append(subprocess.Popen(["sleep", "300"], stdin=subprocess.DEVNULL))
            case "files":
                left.extend(os.open("/dev/zero", os.O_RDONLY) for _ in range(60))
            case "temporary file":
                os.close(tempfile.mkstemp()[0])
    note(message, "end")


async def leaves_a_task(message: Message[dict[str, Any]]) -> None:
    """Start something on the loop and forget it."""
    left.append(asyncio.create_task(asyncio.sleep(300), name="beacon"))
    note(message, "end")


async def pools(message: Message[dict[str, Any]]) -> None:
    """Use asyncio's own threads, and a pool that is shut down without waiting, as well-behaved handlers do."""
    await asyncio.to_thread(str)
    pool = ThreadPoolExecutor(4)
    pool.submit(str)
    pool.shutdown(wait=False)
    with tempfile.NamedTemporaryFile(), multiprocessing.get_context("fork").Pool(1) as forked:
        assert forked.map(abs, [-1]) == [1]
    await (await asyncio.create_subprocess_exec("true")).wait()
    note(message, "end")


def deny(**_: object) -> tuple[object, dict[str, Any]]:
    """Answer in place of the queue."""
    answer = AWSResponse("", 403, HTTPHeaders(), None)
    return answer, {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sqs:DeleteMessage"}}


if "DENIED" in os.environ:  # a role that may receive, and not do this
    events: Any = client.session().events
    events.register(f"before-call.sqs.{os.environ['DENIED']}", deny)
