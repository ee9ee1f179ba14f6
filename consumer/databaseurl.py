"""A database's URL: what the ledger can stand on. Whoever takes one asks here, also where no settings are read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

from consumer.errors import problem

NAME = "CONSUMER_DATABASE_URL"
KINDS = ("postgresql", "sqlite")


def wrong(url: str) -> str:
    """Say what is wrong with a URL, never showing it: it may hold a password. Return "" where nothing is."""
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme not in KINDS:
        return problem(NAME, "a URL that begins with postgresql:// or sqlite:///", f"{scheme}:", "correct it")
    if not _is_whole(url, scheme):
        expected = "postgresql://user:password@host:5432/name, or sqlite:////path/of/a/file"
        return problem(NAME, expected, "one without a file, or with a port that is none", "correct it")
    if scheme == "sqlite" and "FARGATE" in os.environ.get("AWS_EXECUTION_ENV", ""):
        expected = "a database that all tasks share, since Fargate's disk goes with its task"
        return problem(NAME, expected, "sqlite", "take PostgreSQL")
    if scheme == "postgresql" and find_spec("psycopg") is None:
        return problem(NAME, "a driver for PostgreSQL", "none", "install consumer[postgres]")
    return ""


def _is_whole(url: str, scheme: str) -> bool:
    """Say whether a database's URL can be read. One in memory would be each process's own."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return scheme != "sqlite" or parts.path not in ("", "/", "/:memory:")
