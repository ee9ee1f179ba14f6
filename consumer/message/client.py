"""SQS clients: one for the long poll, one for every other verb, one for when there is little time left."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from consumer.version import __version__

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

POLL_MARGIN = 15  # seconds; a read timeout shorter than the poll would abandon it, and swallow the message it brings
COMMON: dict[str, Any] = {
    "user_agent": f"consumer/{__version__} boto3/{boto3.__version__}",  # botocore else builds its own twice per call
    "parameter_validation": False,  # ours are checked by types and tests; SQS checks them again
}


@cache
def session() -> boto3.Session:
    """Give the one session: its models and loaders are a client's largest part, and are shared by all clients."""
    return boto3.Session()


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


def hurried(queue_url: str, connections: int = 4) -> SQSClient:
    """Make the client for leases, and for a process that must leave: connect 2 s, read 5 s, 2 tries."""
    return _client(
        queue_url,
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=connections,
    )


def warm() -> None:
    """Load what every client shares, in the process that others are forked from; make no call, open no connection.

    The credentials are made up: real ones are looked up by each process for itself, since the look-up (on ECS an HTTP
    request) would leave a connection that all processes share.
    """
    session().client("sqs", region_name="us-east-1", aws_access_key_id="warm", aws_secret_access_key="warm").close()  # noqa: S106


def _client(queue_url: str, **options: Any) -> SQSClient:  # noqa: ANN401 - botocore's own
    client: SQSClient = session().client("sqs", region_name=_region(queue_url), config=Config(**options, **COMMON))
    return client


def _region(queue_url: str) -> str | None:
    """Give the configured region, else the one that the queue's URL names; boto3 itself does not read AWS_REGION."""
    found = re.match(r"https?://(?:sqs\.([\w-]+)|([\w-]+)\.queue)\.amazonaws\.com", queue_url)
    return session().region_name or os.environ.get("AWS_REGION") or (found and (found[1] or found[2])) or None
