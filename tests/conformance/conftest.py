from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.local.server import environment, variables
from support import localstack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def localstack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """LocalStack's URL."""
    with localstack.serving(tmp_path_factory.mktemp("localstack")) as url:
        yield url


@pytest.fixture(params=["embedded", "localstack"])
def server(request: pytest.FixtureRequest) -> str:
    """The name of the server that a test runs on: each in turn."""
    name: str = request.param
    return name


@pytest.fixture
def sqs_server(server: str, sqs_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """One server after the other; AWS's variables lead to it while the test runs."""
    url: str = request.getfixturevalue("localstack_server") if server == "localstack" else sqs_server
    with environment(variables(url)):
        yield url
