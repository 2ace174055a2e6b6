"""A stranger's event store on SQLite, and what people get wrong in one: a bug in each subclass.

It stands in a module of its own, so that processes of writers can import it.
"""

import sqlite3
import time

from eventstore.testing.schedules import Delivered, EventStoreAdapter

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE events (
    position INTEGER PRIMARY KEY, at INTEGER, stream TEXT, version INTEGER, name TEXT
);
CREATE TABLE counter (position INTEGER);
INSERT INTO counter VALUES (0);
"""


class RightStore(EventStoreAdapter[sqlite3.Connection]):
    """Takes the lock before it reads the version, and numbers events under it."""

    def __init__(self, path):
        self.path = str(path)

    def create(self):
        connection = self.open()
        connection.executescript(TABLES)
        connection.close()

    def open(self):
        return sqlite3.connect(self.path, isolation_level=None, timeout=30)

    def append(self, connection, stream, event_ids):
        connection.execute("BEGIN IMMEDIATE")
        self.insert(connection, stream, event_ids, self.version(connection, stream))
        connection.execute("COMMIT")

    def read(self, connection, after, limit):
        rows = connection.execute(
            "SELECT position, stream, version, name FROM events WHERE position > ?"
            " ORDER BY position LIMIT ?",
            (after or 0, limit),
        )
        return [Delivered(*row) for row in rows]

    def version(self, connection, stream):
        statement = "SELECT coalesce(max(version), 0) FROM events WHERE stream = ?"
        return connection.execute(statement, (stream,)).fetchone()[0]

    def insert(self, connection, stream, event_ids, version, *, position=None, at=None):
        for number, name in enumerate(event_ids):
            place = None if position is None else position + number
            row = (place, at, stream, version + 1 + number, name)
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)


class VersionBeforeTheLock(RightStore):
    """Reads the version first: two writers read the same one."""

    def append(self, connection, stream, event_ids):
        version = self.version(connection, stream)
        connection.execute("BEGIN IMMEDIATE")
        self.insert(connection, stream, event_ids, version)
        connection.execute("COMMIT")


class CursorOfTime(RightStore):
    """Orders events by the time at which their append began."""

    def append(self, connection, stream, event_ids):
        at = time.time_ns()
        connection.execute("BEGIN IMMEDIATE")
        self.insert(connection, stream, event_ids, self.version(connection, stream), at=at)
        connection.execute("COMMIT")

    def read(self, connection, after, limit):
        rows = connection.execute(
            "SELECT at, stream, version, name FROM events WHERE at > ? ORDER BY at LIMIT ?",
            (after or 0, limit),
        )
        return [Delivered(*row) for row in rows]


class PositionDrawnBefore(RightStore):
    """Draws positions from a counter in a transaction of its own, as a sequence does."""

    def append(self, connection, stream, event_ids):
        taken = "UPDATE counter SET position = position + ? RETURNING position"
        (last,) = connection.execute(taken, (len(event_ids),)).fetchone()
        first = last - len(event_ids) + 1
        connection.execute("BEGIN IMMEDIATE")
        self.insert(connection, stream, event_ids, self.version(connection, stream), position=first)
        connection.execute("COMMIT")


class DeferredTransaction(RightStore):
    """Begins to read in a transaction that can no longer write when somebody else has written."""

    def append(self, connection, stream, event_ids):
        connection.execute("BEGIN")
        try:
            self.insert(connection, stream, event_ids, self.version(connection, stream))
            connection.execute("COMMIT")
        except sqlite3.OperationalError:
            connection.execute("ROLLBACK")  # and tells nobody


class HonestlyDeferred(DeferredTransaction):
    """Says when it could not write."""

    refusals = (sqlite3.OperationalError,)

    def append(self, connection, stream, event_ids):
        connection.execute("BEGIN")
        try:
            self.insert(connection, stream, event_ids, self.version(connection, stream))
        except sqlite3.OperationalError:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


class InclusiveCursor(RightStore):
    """Reads from its cursor on, the event at the cursor included."""

    def read(self, connection, after, limit):
        return super().read(connection, None if after is None else after - 1, limit + 1)


class TornBatch(RightStore):
    """Commits each event of a batch alone, so that others come between."""

    def append(self, connection, stream, event_ids):
        version = self.version(connection, stream)
        for number, name in enumerate(event_ids):
            self.insert(connection, stream, [name], version + number)


class Refusing(RightStore):
    """Refuses everything."""

    refusals = (sqlite3.OperationalError,)

    def append(self, connection, stream, event_ids):  # noqa: ARG002
        raise sqlite3.OperationalError("database is locked")
