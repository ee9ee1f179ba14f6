"""A database that hangs when told to: it accepts connections, and never answers any more."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url


class Hanging(socketserver.ThreadingTCPServer):
    """A port of this machine behind which is the PostgreSQL of a URL that names a unix socket."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        behind = make_url(url)
        self.path = f"{behind.query['host']}/.s.PGSQL.{behind.port or 5432}"
        self.url = f"postgresql://{behind.username}@127.0.0.1:{self.server_address[1]}/{behind.database}"
        self.answers = threading.Event()
        self.answers.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: Hanging

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as database, suppress(OSError):
            database.connect(self.server.path)
            threading.Thread(target=self._pump, args=(database, self.request), daemon=True).start()
            self._pump(self.request, database)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.server.answers.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
