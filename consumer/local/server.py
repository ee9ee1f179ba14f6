"""A queue server on this machine, and AWS's ordinary variables that lead to it. Needs the extra `demo`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import ConsumerError
from consumer.message import client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from consumer.clock import Clock

ENDPOINT = "AWS_ENDPOINT_URL_SQS"
HOST = "127.0.0.1"
ANSWER_WITHIN = 10.0  # seconds; it takes a quarter of one, but a first start may read a cold disk
STOP_WITHIN = 5.0
STARTS = 3  # between finding a free port and listening on it, somebody else may take it


@contextmanager
def serving(folder: Path, clock: Clock, *, port: int = 0, data_dir: Path | None = None) -> Iterator[str]:
    """Run the embedded server while the block runs, with the environment pointing at it; give its URL.

    folder: where its output goes. port: 0 is any free one. data_dir: where queues are kept; None keeps them in memory.
    A server of the user's own, named by AWS_ENDPOINT_URL_SQS, is used as it is and none is started.
    Raises ConsumerError when the server cannot be started.
    """
    if own := os.environ.get(ENDPOINT):
        with environment(direct()):
            yield own
        return
    process, url = _start(folder / "server.log", clock, port, data_dir)
    try:
        with environment(variables(url) | direct()):
            yield url
    finally:
        _stop(process, clock)


def variables(url: str) -> dict[str, str]:
    """Give the variables that lead boto3 to a local server; credentials are asked for, and looked at by nobody."""
    return {
        ENDPOINT: url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PROFILE": "",  # a profile of the user's would win over the keys above
        "AWS_SESSION_TOKEN": "",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
    }


def direct() -> dict[str, str]:
    """Give the variables that keep calls to this machine away from a company's proxy."""
    others = [name for name in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if name]
    value = ",".join([*others, HOST, "localhost"])
    return {"NO_PROXY": value, "no_proxy": value}


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Change environment variables while the block runs; an empty value removes one."""
    before = {name: os.environ.get(name, "") for name in changes}
    _put(changes)
    try:
        yield
    finally:
        _put(before)


def _put(changes: Mapping[str, str]) -> None:
    for name, value in changes.items():
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


def program() -> str:
    """Find the server's program, beside this Python first. Raises ConsumerError when it is not installed."""
    found = shutil.which("roto-server", path=sysconfig.get_path("scripts")) or shutil.which("roto-server")
    if found is None:
        raise ConsumerError(
            "expected the embedded queue server (roto-server), got no such program. "
            "To do: pip install 'consumer[demo]', or set AWS_ENDPOINT_URL_SQS to a server of your own."
        )
    return found


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _start(log: Path, clock: Clock, port: int, data_dir: Path | None) -> tuple[subprocess.Popen[bytes], str]:
    where = ["--data-dir", str(data_dir)] if data_dir else ["--ephemeral"]
    command = [program(), *where]
    for _ in range(STARTS):
        chosen = port or free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*command, "--port", str(chosen)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a terminal's Ctrl-C must not end the queue under processes that still drain
            )
        url = f"http://{HOST}:{chosen}"
        if _answers(process, url, clock):
            return process, url
        _stop(process, clock)
        if port:
            break
    said = log.read_text(errors="replace").strip() or "nothing"
    raise ConsumerError(
        f"expected the embedded queue server to answer on {url} within {ANSWER_WITHIN:g} s; it said: {said}. "
        "To do: end the program that uses this port, or set AWS_ENDPOINT_URL_SQS to a server of your own."
    )


def _answers(process: subprocess.Popen[bytes], url: str, clock: Clock) -> bool:
    """Wait until a queue call is answered: a port can be open before there is a server behind it."""
    until = clock.monotonic() + ANSWER_WITHIN
    with environment(variables(url) | direct()):
        sqs = client.control()
        while process.poll() is None and clock.monotonic() < until:
            try:
                with socket.create_connection((HOST, int(url.rpartition(":")[2])), timeout=1):
                    pass  # the client's own retries wait for seconds, so it is asked only once somebody listens
                sqs.list_queues(MaxResults=1)
            except (OSError, BotoCoreError, ClientError):
                clock.block(0.02)
            else:
                return process.poll() is None  # dead all the same: it was somebody else's port that answered
    return False


def _stop(process: subprocess.Popen[bytes], clock: Clock) -> None:
    until = clock.monotonic() + STOP_WITHIN
    process.terminate()
    while process.poll() is None:
        if clock.monotonic() > until:
            process.kill()
            process.wait()
        clock.block(0.02)
