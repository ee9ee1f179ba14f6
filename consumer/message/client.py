"""SQS clients: for the long poll, for every other verb, for when there is little time left, for what is asked once."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from consumer.version import __version__

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

POLL_MARGIN = 15  # seconds; a read timeout shorter than the poll would abandon it, and swallow the message it brings
COMMON: dict[str, Any] = {
    "user_agent": f"consumer/{__version__} boto3/{boto3.__version__}",  # botocore else builds its own twice per call
    "parameter_validation": False,  # ours are checked by types and tests; SQS checks them again
}


class Later(Credentials):
    """Credentials that are looked up when the first request is signed, not when a client is made.

    Clients are made before processes are forked. The look-up, on ECS an HTTP request, would leave a connection there
    that all processes share.
    """

    def __init__(self, resolver: Any) -> None:  # noqa: ANN401 - botocore's own
        super().__init__("", "", method="later")
        self._resolver = resolver
        self._found: Credentials | None = None
        self._lock = threading.Lock()

    def load_credentials(self) -> Later:
        """Take the resolver's place: botocore asks for credentials as soon as a client is made."""
        return self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Look up, once, or refresh. Raises NoCredentialsError where there are none, and looks again the next time."""
        with self._lock:
            self._found = self._found or self._resolver.load_credentials()
        if self._found is None:
            raise NoCredentialsError
        return self._found.get_frozen_credentials()


@cache
def session() -> boto3.Session:
    """Give the one session: its models and loaders are a client's largest part, and are shared by all clients."""
    own = botocore.session.Session()
    own.register_component("credential_provider", Later(own.get_component("credential_provider")))
    return boto3.Session(botocore_session=own)


def receiver(queue_url: str, wait_time_seconds: int) -> SQSClient:
    """Make the client for ReceiveMessage: one attempt, since a retry inside the client swallows messages."""
    return _client(
        queue_url,
        connect_timeout=5,
        read_timeout=wait_time_seconds + POLL_MARGIN,
        retries={"total_max_attempts": 1},
        max_pool_connections=1,
        tcp_keepalive=True,
    )


def control(queue_url: str = "", connections: int = 4) -> SQSClient:
    """Make the client for all other verbs, with botocore's standard retries."""
    return _client(
        queue_url,
        connect_timeout=5,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=connections,
    )


def hurried(queue_url: str, connections: int = 4, tries: int = 2) -> SQSClient:
    """Make the client for leases, and for a process that must leave: connect 2 s, read 5 s."""
    return _client(
        queue_url,
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=connections,
    )


def once(queue_url: str) -> SQSClient:
    """Make the client that asks once: the caller must know whether the queue may have heard it."""
    return hurried(queue_url, tries=1)


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of one process."""

    receiver: SQSClient
    control: SQSClient
    hurried: SQSClient


@cache
def of_process(queue_url: str, wait_time_seconds: int, connections: int) -> Clients:
    """Give a process's clients, once made: in the process that it is forked from, if that has asked for them.

    Making them calls nobody and opens no connection. Raises BotoCoreError without a region or with a wrong profile.
    """
    return Clients(
        receiver(queue_url, wait_time_seconds), control(queue_url, connections), hurried(queue_url, connections)
    )


def _client(queue_url: str, **options: Any) -> SQSClient:  # noqa: ANN401 - botocore's own
    client: SQSClient = session().client("sqs", region_name=_region(queue_url), config=Config(**options, **COMMON))
    return client


def _region(queue_url: str) -> str | None:
    """Give the configured region, else the one that the queue's URL names; boto3 itself does not read AWS_REGION."""
    found = re.match(r"https?://(?:sqs\.([\w-]+)|([\w-]+)\.queue)\.amazonaws\.com", queue_url)
    return session().region_name or os.environ.get("AWS_REGION") or (found and (found[1] or found[2])) or None
