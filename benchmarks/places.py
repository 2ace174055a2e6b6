"""The places of contenders' data: each has its own SQLite file or PostgreSQL database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Database(StrEnum):
    """The database for a work's measurement."""

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

    def settle(self) -> None:
        """Let a server learn what its tables look like, as it does by itself within a minute."""
        if self.dsn:
            _tell_server(self.dsn, "VACUUM ANALYZE")

    def lose(self, tables: Sequence[str]) -> None:
        """Take every row out of tables, behind the back of whoever keeps them."""
        if self.dsn:
            _tell_server(self.dsn, f"TRUNCATE {', '.join(tables)}", "CHECKPOINT")
            return
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for table in tables:
                connection.execute(f"DELETE FROM {table}")

    def size(self) -> int:
        """Bytes of tables and indexes, after what waits in a write-ahead log has been moved."""
        return _size_on_server(self.dsn) if self.dsn else _size_of_file(self.file)


def _size_of_file(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


_SIZES = "SELECT sum(pg_total_relation_size(relid))::text FROM pg_stat_user_tables"


def _size_on_server(dsn: str) -> int:
    return int(_tell_server(dsn, "VACUUM", "CHECKPOINT", _SIZES))


def _tell_server(dsn: str, *statements: str) -> str:
    """Run statements, each on its own, and return what the last of them says."""
    import psycopg  # noqa: PLC0415 (an extra)

    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            done = connection.execute(statement.encode())
        row = done.fetchone() if done.description else None
    return str(row[0]) if row else ""
