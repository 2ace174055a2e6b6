"""Three ways of ordering events in PostgreSQL: two that are wrong, and one that is right.

Most people write a wrong one first. The schedules must find its bug:

* ``"position"``: a sequence. Positions are drawn before commits, so a reader passes over one whose
  transaction is still open, and **loses** it.
* ``"transaction"``: (transaction id, position), below the oldest transaction that is still open.
  Nothing is lost, but an older transaction that gets the stream's lock later **reorders** it.
* ``"key"``: under the stream's lock the key is the greater of the transaction's id and the key of
  the stream's last event. It never falls within a stream, and never below the writer's own id, so
  that the horizon holds back every event that an earlier one may still precede. The position is
  drawn under the lock too, and a transaction locks its streams in one order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NoReturn, TypeAlias

import psycopg
from psycopg import sql

from eventstore.testing.schedules.protocol import (
    Append,
    Delivered,
    Ending,
    LostConnection,
    Transaction,
)

__all__ = ["Order", "PostgresStore"]

Order: TypeAlias = Literal["position", "transaction", "key"]

_TABLES: Final = """
CREATE TABLE streams (
    name text PRIMARY KEY, version int NOT NULL DEFAULT 0, key xid8 NOT NULL DEFAULT '0'
);
CREATE TABLE events (
    position bigserial PRIMARY KEY, key xid8 NOT NULL,
    stream text NOT NULL, version int NOT NULL, event_id text NOT NULL
);
CREATE INDEX ON events (key, position);
CREATE TABLE notes (words text);
"""

_NEXT: Final = {
    "position": "pg_current_xact_id()",
    "transaction": "pg_current_xact_id()",
    "key": "greatest(pg_current_xact_id(), key)",
}
"""The key of the next event of a stream that is locked."""

_LOCK: Final = "SELECT version, {}::text FROM streams WHERE name = %s FOR UPDATE"
_INSERT: Final = """
INSERT INTO events (key, stream, version, event_id)
SELECT %s::xid8, %s, %s + number, name
FROM unnest(%s::text[]) WITH ORDINALITY AS given (name, number) ORDER BY number
"""
_MOVE: Final = "UPDATE streams SET version = %s, key = %s::xid8 WHERE name = %s"

_BY_POSITION: Final = """
SELECT '0', position, stream, version, event_id FROM events
WHERE %s::xid8 IS NOT NULL AND position > %s ORDER BY position LIMIT %s
"""
# `ORDER BY key` alone would mean the text that is selected, in which 1000 comes before 999.
_BY_KEY: Final = """
SELECT key::text, position, stream, version, event_id FROM events
WHERE (key, position) > (%s::xid8, %s) AND key < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.key, events.position LIMIT %s
"""

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class PostgresStore:
    """Streams in an empty database of its own, with one of three orders."""

    dsn: str
    order: Order
    several_streams: ClassVar[bool] = True
    endings: ClassVar[Sequence[Ending]] = tuple(Ending)

    def prepare(self, streams: int) -> Sequence[str]:
        names = [f"stream {number}" for number in range(streams)]
        with _connected(self.dsn) as connection:
            connection.execute(_TABLES)
            for name in names:
                connection.execute("INSERT INTO streams (name) VALUES (%s)", (name,))
            connection.commit()
        return names

    @contextmanager
    def connect(self) -> Iterator[PostgresStore]:
        """The connections of a process share nothing."""
        yield self

    @contextmanager
    def writer(self) -> Iterator[_Writer]:
        with _connected(self.dsn) as connection:
            yield _Writer(connection, self)

    @contextmanager
    def reader(self) -> Iterator[_Reader]:
        with _connected(self.dsn) as connection:
            connection.autocommit = True
            yield _Reader(connection, _BY_POSITION if self.order == "position" else _BY_KEY)

    def subscriber(self) -> AbstractContextManager[_Reader]:
        """This store notifies nobody, so a subscriber has to ask."""
        return self.reader()


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    try:
        connection = psycopg.connect(dsn)
    except psycopg.OperationalError as error:
        raise LostConnection from error
    try:
        yield connection
    finally:
        connection.close()


class _Writer:
    def __init__(self, connection: Connection, store: PostgresStore) -> None:
        self._connection = connection
        self._store = store
        self._lock = sql.SQL(_LOCK).format(sql.SQL(_NEXT[store.order]))

    def write(self, transaction: Transaction) -> None:
        try:
            self._perform(transaction)
            self._end(transaction.ending)
        except psycopg.OperationalError as error:
            if not self._connection.closed:
                raise  # a deadlock, for example: these transactions must have none
            raise LostConnection from error

    def _perform(self, transaction: Transaction) -> None:
        if transaction.writes_first:
            self._connection.execute("INSERT INTO notes VALUES (%s)", (transaction.id,))
        for append in sorted(transaction.appends, key=lambda append: append.stream):
            self._append(append)

    def _append(self, append: Append) -> None:
        row = self._connection.execute(self._lock, (append.stream,)).fetchone()
        assert row is not None
        version, key = row
        names = list(append.event_ids)
        self._connection.execute(_INSERT, (key, append.stream, version, names))
        self._connection.execute(_MOVE, (version + len(names), key, append.stream))

    def _end(self, ending: Ending) -> None:
        if ending is Ending.ROLLBACK:
            self._connection.rollback()
        elif ending is Ending.COMMIT:
            self._connection.commit()
        elif ending is Ending.KILLED:
            self._be_killed()
        else:
            self._leave_unheard()

    def _be_killed(self) -> None:
        """Have the server end this connection, and then try to commit."""
        with _connected(self._store.dsn) as other, suppress(psycopg.OperationalError):
            backend = self._connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s)", (backend,))
        self._connection.commit()

    def _leave_unheard(self) -> NoReturn:
        self._connection.pgconn.send_query(b"COMMIT")
        self._connection.pgconn.flush()
        raise LostConnection


class _Reader:
    def __init__(self, connection: Connection, query: str) -> None:
        self._connection = connection
        self._query = query

    def read_after(self, cursor: object, limit: int) -> Sequence[Delivered]:
        key, position = cursor if isinstance(cursor, tuple) else ("0", 0)
        try:
            rows = self._connection.execute(self._query, (key, position, limit)).fetchall()
        except psycopg.OperationalError as error:
            raise LostConnection from error
        return [
            Delivered((key, position), stream, version, name)
            for key, position, stream, version, name in rows
        ]
