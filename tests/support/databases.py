"""Databases of one test: a SQLite file, or a database of its own on an embedded PostgreSQL."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pathlib import Path


def on_sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def on_postgresql(server: str) -> str:
    """Make a database on the server with this URL; give the new one's."""
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
