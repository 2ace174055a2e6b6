"""Bad days on purpose: the database fails, or the process dies, at the n-th call of a store.

::

    faults = Faults()
    with ConversationStore.open(url, connect_args=faults.connect_args) as store:
        with faults.watched() as calls:          # which calls does one write make?
            store.messages.create(thread.id, role="user", content="one")
        for n in range(1, len(calls) + 1):       # and what if this one fails?
            with faults.at(n, failing("SQLITE_IOERR")):
                ...

Every statement, on every connection made with ``connect_args``, is one call. With ``before`` the
fault strikes instead of it; with ``after`` the database has done it and has not answered. Errors
carry the codes that SQLite's own carry, because those codes decide which error a caller gets.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, NoReturn, Self, TypeAlias, TypeVar

__all__ = ["Fault", "Faults", "die", "failing", "filled", "sqlite_error"]

T = TypeVar("T")

Fault: TypeAlias = Callable[[], object]
"""A function that strikes: it raises, kills, or waits for something."""
When: TypeAlias = Literal["before", "after"]

_MESSAGES: Final = {
    "SQLITE_BUSY": "database is locked",
    "SQLITE_BUSY_SNAPSHOT": "database is locked",
    "SQLITE_CANTOPEN": "unable to open database file",
    "SQLITE_CONSTRAINT": "constraint failed",
    "SQLITE_CORRUPT": "database disk image is malformed",
    "SQLITE_FULL": "database or disk is full",
    "SQLITE_IOERR": "disk I/O error",
    "SQLITE_IOERR_FSYNC": "disk I/O error",
    "SQLITE_IOERR_WRITE": "disk I/O error",
    "SQLITE_LOCKED": "database table is locked",
    "SQLITE_NOTADB": "file is not a database",
    "SQLITE_READONLY": "attempt to write a readonly database",
}
_KINDS: Final[dict[str, type[sqlite3.Error]]] = {
    "SQLITE_CONSTRAINT": sqlite3.IntegrityError,
    "SQLITE_CORRUPT": sqlite3.DatabaseError,
    "SQLITE_NOTADB": sqlite3.DatabaseError,
}


def sqlite_error(name: str) -> sqlite3.Error:
    """Return the error that sqlite3 raises for a result code, ``"SQLITE_BUSY"`` for example."""
    error = _KINDS.get(name, sqlite3.OperationalError)(_MESSAGES[name])
    error.sqlite_errorname = name
    error.sqlite_errorcode = int(getattr(sqlite3, name))
    return error


def failing(name: str) -> Fault:
    """Return a fault that raises what SQLite raises for a result code.

    Args:
        name: the result code: ``"SQLITE_BUSY"``, ``"SQLITE_FULL"``, ``"SQLITE_IOERR"`` and so on.
    """
    sqlite_error(name)  # an unknown name fails here and not in the middle of a test

    def strike() -> NoReturn:
        raise sqlite_error(name)

    return strike


def die() -> NoReturn:
    """End the process at once, as ``kill -9`` does: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError  # not reached


@contextmanager
def filled(connection: sqlite3.Connection) -> Iterator[None]:
    """Leave a database no room for another page, so that SQLite itself finds it full.

    The limit belongs to the connection: give the one that writes.
    """
    (before,) = connection.execute("PRAGMA max_page_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA max_page_count = {before}")


def _never(_: int, __: str) -> bool:
    return False


class Faults:
    """A plan of the database calls that are to fail, for the connections of one SQLite store."""

    def __init__(self) -> None:
        self.connections: Final[list[sqlite3.Connection]] = []
        """Every connection made, in order."""
        self._mutex = threading.Lock()
        self._calls: list[str] | None = None
        self._strikes: Callable[[int, str], bool] = _never
        self._fault: Fault | None = None
        self._when: When = "before"

    @property
    def connect_args(self) -> dict[str, Any]:
        """Give this to ``ConversationStore.open(…, connect_args=…)``, or to an engine."""
        return {"factory": self._connection}

    def _connection(self, database: str, **kwargs: Any) -> sqlite3.Connection:  # noqa: ANN401 (the driver's)
        connection = _Connection(database, **kwargs)
        connection.faults = self
        self.connections.append(connection)
        return connection

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Collect the statements sent from here on."""
        with self._planned(_never, lambda: None, "before") as calls:
            yield calls

    @contextmanager
    def at(self, call: int, fault: Fault, *, when: When = "before") -> Iterator[list[str]]:
        """Have a fault strike once, and collect the statements sent from here on.

        Args:
            call: the number of the call, from here; the first is 1.
            fault: what strikes: :func:`failing`, :func:`die`, or a function of your own.
            when: ``"before"`` strikes instead of the call, ``"after"`` once the database has done
                it and has not answered.
        """
        with self._planned(lambda number, _: number == call, fault, when) as calls:
            yield calls

    @contextmanager
    def each(
        self, chosen: Callable[[str], bool], fault: Fault, *, when: When = "before"
    ) -> Iterator[list[str]]:
        """Have a fault strike again and again, and collect the statements sent from here on.

        Args:
            chosen: takes a statement, and returns whether the fault strikes there.
            fault: what strikes, as for :meth:`at`.
            when: before or after the call, as for :meth:`at`.
        """
        with self._planned(lambda _, statement: chosen(statement), fault, when) as calls:
            yield calls

    @contextmanager
    def _planned(
        self, strikes: Callable[[int, str], bool], fault: Fault, when: When
    ) -> Iterator[list[str]]:
        calls: list[str] = []
        self._strikes, self._fault, self._when = strikes, fault, when
        self._calls = calls
        try:
            yield calls
        finally:
            self._calls = self._fault = None

    def call(self, statement: str, act: Callable[[], T]) -> T:
        """Make one call of the database, with the faults planned for it: connections call this.

        Args:
            statement: the text of it.
            act: makes the call.
        """
        with self._mutex:
            fault = None
            if self._calls is not None:
                self._calls.append(statement)
                fault = self._fault if self._strikes(len(self._calls), statement) else None
        if fault is None:
            return act()
        if self._when == "before":
            fault()
            return act()
        done = act()
        fault()
        return done


class _Cursor(sqlite3.Cursor):
    faults: Faults | None = None

    def execute(self, sql: str, parameters: Any = ()) -> Self:  # noqa: ANN401 (the driver's)
        if self.faults is None:
            return super().execute(sql, parameters)
        return self.faults.call(sql, lambda: super(_Cursor, self).execute(sql, parameters))

    def executemany(self, sql: str, rows: Any) -> Self:  # noqa: ANN401 (the driver's)
        if self.faults is None:
            return super().executemany(sql, rows)
        return self.faults.call(sql, lambda: super(_Cursor, self).executemany(sql, rows))


class _Connection(sqlite3.Connection):
    faults: Faults | None = None

    def cursor(self, factory: object = None) -> _Cursor:  # type: ignore[override] # noqa: ARG002
        made = super().cursor(_Cursor)
        made.faults = self.faults
        return made

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:  # noqa: ANN401 (the same)
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, rows: Any) -> _Cursor:  # noqa: ANN401 (the same)
        return self.cursor().executemany(sql, rows)

    def commit(self) -> None:
        self._end("COMMIT", super().commit)

    def rollback(self) -> None:
        self._end("ROLLBACK", super().rollback)

    def _end(self, statement: str, act: Callable[[], None]) -> None:
        """Count it only if there is something to end: drivers ask for it out of habit, too."""
        if self.faults is None or not self.in_transaction:
            act()
        else:
            self.faults.call(statement, act)
