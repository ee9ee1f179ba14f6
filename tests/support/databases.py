"""Databases of one test: a SQLite file, or a database of its own on an embedded PostgreSQL."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import create_engine, make_url, text

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


class Effects:
    """The table that handlers write into."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self.engine = create_engine(
            target if target.get_backend_name() == "sqlite" else target.set(drivername="postgresql+psycopg")
        )
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE effects (id VARCHAR(100))"))

    def all(self) -> list[str]:
        with self.engine.begin() as connection:
            return list(connection.scalars(text("SELECT id FROM effects")))
