"""One call of an endpoint that the ECS agent has beside the container: bounded as a whole, however it is answered."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from consumer.errors import described

REACHED = 1.0  # seconds until somebody takes the call: it is on this very host
ANSWERED = 5.5  # seconds until it is answered: the agent gives ECS 4 and its own answer 5 (amazon-ecs-agent #3431)
LONGEST_ANSWER = 65_536  # bytes


class Unanswered(Exception):  # noqa: N818 - it is what has happened, and its text says why
    """There was no answer, or none that can be used."""


def ask(url: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    """Get, or put a JSON object, and read one; the endpoint's own errors, too, are raised as Unanswered.

    Straight to the address: no proxy reaches a link-local one.
    """
    where = urlsplit(url)
    connection = HTTPConnection(where.netloc, timeout=REACHED)
    cut = threading.Event()
    try:
        connection.connect()
        connection.sock.settimeout(ANSWERED)
        timer = threading.Timer(ANSWERED, _cut, (connection.sock, cut))
        timer.daemon = True
        timer.start()
        try:
            found = _exchange(connection, where.path, body)
        finally:
            timer.cancel()
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise Unanswered(f"no whole answer within {ANSWERED:g} s" if cut.is_set() else described(error)) from None
    finally:
        connection.close()
    if not isinstance(found, dict):
        raise Unanswered(f"expected a JSON object, got {found!r}"[:300])
    return found


def _cut(sock: socket.socket, cut: threading.Event) -> None:
    """End a call from beside it: a socket's own timeout begins anew with each byte."""
    cut.set()
    with suppress(OSError):  # it has just ended by itself
        sock.shutdown(socket.SHUT_RDWR)


def _exchange(connection: HTTPConnection, path: str, body: dict[str, object] | None) -> object:
    if body is None:
        connection.request("GET", path)
    else:
        connection.request("PUT", path, json.dumps(body), {"Content-Type": "application/json"})
    with connection.getresponse() as answer:
        if answer.status != HTTPStatus.OK:
            raise Unanswered(f"HTTP {answer.status}: {answer.read(300).decode(errors='replace')}")
        return json.loads(answer.read(LONGEST_ANSWER))
