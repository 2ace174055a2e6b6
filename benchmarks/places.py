"""Where contenders keep their data: SQLite in a file, PostgreSQL in a database, each its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Database(StrEnum):
    """What a work is measured on."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Place:
    """A place that nobody else uses. `dsn` names an empty database, if it is on a server."""

    file: Path
    dsn: str = ""

    def url(self, driver: str) -> str:
        """The place as SQLAlchemy names it; `driver` counts on a server only."""
        if not self.dsn:
            return f"sqlite:///{self.file}"
        return self.dsn.replace("postgresql:", f"postgresql+{driver}:", 1)

    def size(self) -> int:
        """Bytes of tables and indexes, after what waits in a write-ahead log has been moved."""
        return _size_on_server(self.dsn) if self.dsn else _size_of_file(self.file)


def _size_of_file(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def _size_on_server(dsn: str) -> int:
    import psycopg  # noqa: PLC0415 (an extra)

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM")
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        ).fetchone()
    return int(row[0]) if row else 0
