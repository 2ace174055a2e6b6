"""A PostgreSQL server for the benchmarks, and the proof that it syncs.

It is started by the harness itself, with its data in a private folder, and stopped at the end; each
contender gets a database of its own in it. That commits are durable is shown twice. The settings
are read when the server starts and again before figures are used. And each contender that writes
appends some messages before anything is timed, alone on the server, while the server counts the
syncs of its write-ahead log: one for each message, or the contender is refused. The counters are
those of the server, so a contender that set its session to something less would be found out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import Contender
from benchmarks.drivers import driver
from benchmarks.durability import NotDurableError
from benchmarks.places import Place

if TYPE_CHECKING:
    from eventstore.testing.postgres_server import PostgresServer

CONNECTIONS_MAX = 300
APPENDS = 50
SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")
_FLUSH_SECONDS = 1.2
"""A backend hands in its counters at most once a second, and when it ends."""
_PATIENCE_SECONDS = 10.0
# Whoever writes the log counts, other than for a checkpoint. Version 18 keeps this count elsewhere.
_SYNCS = """
SELECT sum(fsyncs) FROM pg_stat_io
WHERE object = 'wal' AND backend_type IN ('client backend', 'walwriter')
"""
_SYNCS_BEFORE_18 = "SELECT wal_sync FROM pg_stat_wal"
_BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
)


class NoServerError(Exception):
    """There is no PostgreSQL to start."""


@dataclass(slots=True)
class Server:
    """A server that runs."""

    running: PostgresServer
    proofs: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """As the server says it."""
        return self.running.version

    def place(self) -> Place:
        """An empty database."""
        return self._place(self.running.create_database())

    def settings(self) -> str:
        """Say that the server is durable, or refuse."""
        for name in SETTINGS:
            found = self._ask(f"SHOW {name}")
            if found != "on":
                raise NotDurableError(f"the server runs with {name} = {found}")
        return "fsync, synchronous_commit on"

    def prove(self, contender: Contender) -> str:
        """Count the syncs of a contender's appends, once for each; nobody else may be connected."""
        if not contender.writes:
            return "nothing written"
        if contender.name not in self.proofs:
            self.proofs[contender.name] = self._proven(contender)
        return self.proofs[contender.name]

    def _proven(self, contender: Contender) -> str:
        database = self.running.create_database()
        store = driver(contender)
        store.open(self._place(database))
        try:
            thread = store.new_thread(1)
            store.append(thread, seconds=_PATIENCE_SECONDS, count=1)
            time.sleep(_FLUSH_SECONDS)
            store.append(thread, seconds=_PATIENCE_SECONDS, count=1)
            before = self._syncs()
            store.append(thread, seconds=_PATIENCE_SECONDS, count=APPENDS)
        finally:
            store.close()
        self._wait_until_left(database)
        counted = self._syncs() - before
        self.running.drop_database(database)
        if counted < APPENDS:
            raise NotDurableError(f"the server synced {counted} times for {APPENDS} appends")
        return f"{counted} syncs for {APPENDS} appends"

    def _place(self, database: str) -> Place:
        return Place(Path(database), self.running.dsn(database=database))

    def _wait_until_left(self, database: str) -> None:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while self._ask(_BUSY, database) != 0 and time.monotonic() < patience:
            time.sleep(0.05)

    def _syncs(self) -> int:
        return int(str(self._ask(_SYNCS if self.running.major >= 18 else _SYNCS_BEFORE_18)))

    def _ask(self, statement: str, *values: object) -> object:
        import psycopg  # noqa: PLC0415 (an extra)

        with psycopg.connect(self.running.dsn(), autocommit=True) as connection:
            row = connection.execute(statement.encode(), values or None).fetchone()
        return row[0] if row else None


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, look whether it is durable, and stop it at the end."""
    try:
        from eventstore.testing.postgres_server import NoPostgres, PostgresServer  # noqa: PLC0415
    except ImportError as error:
        raise NoServerError(f"the extra `postgres` is not installed: {error}") from error
    try:
        running = PostgresServer(durable=True, max_connections=CONNECTIONS_MAX).start()
    except NoPostgres as error:
        raise NoServerError(str(error)) from error
    try:
        begun = Server(running)
        begun.settings()
        yield begun
    finally:
        running.stop()
