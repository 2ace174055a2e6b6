"""Set up SQLite connections and begin SQLite's transactions.

Settings are per connection and not stored in the file, ``secure_delete`` included, so they are set
on every connection of the store and checked on every one of the application's:

* ``journal_mode=WAL`` with ``synchronous=FULL``: a commit is on disk when it returns. With NORMAL
  it survives ``kill -9`` but not a power cut, which is why a test that only kills cannot tell the
  difference.
* ``secure_delete=ON``: erased text is overwritten, not just unlinked.
* ``busy_timeout``: how long to wait for another process's transaction.

Writes begin with BEGIN IMMEDIATE. A deferred BEGIN that turns into a write fails with SQLITE_BUSY
at once, without waiting, when another connection wrote since its snapshot.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from eventstore.errors import StoreUnavailable
from eventstore.storage import sqlite_failures
from eventstore.storage.migrations import Migrate, ensure_schema
from eventstore.storage.ordering import HeadMoved
from eventstore.storage.recognising import RESTORED, recognise
from eventstore.storage.sqlite_file import OpenedFile, identity_of, to_be_opened, under
from eventstore.storage.sqlite_settings import check_settings
from eventstore.storage.sqlite_transaction import (
    BATCHING,
    DATA_VERSION,
    ORDERING,
    DriverTransaction,
    WriterTransaction,
)
from eventstore.storage.sqlite_wiping import wipe
from eventstore.storage.transaction import (
    CoreTransaction,
    Interned,
    Naming,
    Transaction,
    remember,
)

__all__ = [
    "MEMORY",
    "SqliteDatabase",
]


MEMORY: Final = ":memory:"

_log = logging.getLogger("eventstore.sqlite")

_CHECKPOINT_PAGES: Final = 4_000
"""Pages of log (16 MB) after which they are copied into the database; SQLite's own is 1,000.
Writers of many threads dirty the same pages again and again, and each copying costs two syncs."""


_HASH: Final = "SELECT hash FROM {events} WHERE position = ?"
_WATCH_SECONDS: Final = 0.01
"""Time between two looks for commits of other processes, for followers; 5 µs each time."""


class SqliteDatabase:
    """Uses SQLite for one store; keeps the protocol ``execution.database.Database``."""

    begin_write = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"
    postpones = False
    reads_snapshots = True
    driver_errors: tuple[type[BaseException], ...] = (sqlite3.Error, DBAPIError)
    retried: tuple[type[BaseException], ...] = (HeadMoved,)
    violated: tuple[type[BaseException], ...] = ()

    def __init__(
        self,
        naming: Naming,
        *,
        migrate: Migrate,
        busy_timeout_seconds: float,
        check_connections: bool,
    ) -> None:
        """Set one store's options; ``check_connections``: also check the application's."""
        self._naming = naming
        self._migrate = migrate
        self._be_patient = f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}"
        self._check_connections = check_connections
        self._interned = Interned()
        self.file: OpenedFile = OpenedFile()

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Set up a connection of the store, with explicit BEGIN and COMMIT from here on."""
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(self._be_patient)
        if self._migrate == "auto":  # it stays in the file: not if we only look
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def say(self, driver: sqlite3.Connection, text: str) -> None:
        """Execute a statement that begins or ends a transaction."""
        driver.execute(text)

    def begin(self, driver: sqlite3.Connection, text: str, *, patient: bool = True) -> None:
        """Begin a transaction, after ending one that a failed rollback left open.

        An interrupt may leave the connection impatient; it is closed then in any case.
        """
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        if patient:
            driver.execute(text)
            return
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            driver.execute(text)
        finally:
            driver.execute(self._be_patient)

    def commit(self, driver: sqlite3.Connection) -> bool:
        """Commit the open transaction; it is durable unless this raises."""
        driver.execute("COMMIT")
        return True

    def committing(self, _: object) -> AbstractContextManager[None]:
        """Do nothing: a commit that returns has happened."""
        return nullcontext()

    def check_driver(self, _: object) -> None:
        """Accept every connection: a file keeps every text."""

    def is_undone(self, tx: Transaction) -> bool:
        """Return whether a transaction that ended in an error is known to have left nothing.

        A full disk cuts the record of the commit short, and then the event that the transaction
        appended last is missing.
        """
        last = tx.newest
        if last is None:
            return False
        try:
            row = tx.one(_HASH, (last.position.sequence,))
        except self.driver_errors:
            return False
        return row is None or bytes(row[0]) != last.hash

    def in_transaction(self, driver: sqlite3.Connection) -> bool:
        """Ask the driver: SQLAlchemy only records calls, and not every driver begins then."""
        return bool(driver.in_transaction)

    def is_taken(self, driver: sqlite3.Connection) -> bool:
        """Ask the driver, unless its connections always have a transaction open."""
        return self.in_transaction(driver) and getattr(driver, "autocommit", None) is not False

    def is_lost(self, _: object) -> bool:
        """Return False: a file is not lost, its connection may fail and go on."""
        return False

    def begin_on(self, connection: Connection, *, write: bool | None) -> None:
        """Begin on a SQLAlchemy connection; with ``write`` None the caller sets the mode.

        An application's listener for "begin" may make the driver begin its own way: that
        transaction is ended.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``, where ``commit()`` does nothing.
        """
        driver: Any = connection.connection.driver_connection
        if getattr(driver, "autocommit", None) is True:
            raise StoreUnavailable(
                "unsafe_settings",
                "the engine's connections are made with autocommit=True, where commit() does"
                " nothing",
                "Leave autocommit out of its connect_args.",
            )
        if not connection.in_transaction():
            connection.begin()
        if self.in_transaction(driver):
            connection.exec_driver_sql("ROLLBACK")
        if write is not None:
            connection.exec_driver_sql(self.begin_write if write else self.begin_read)

    def would_open(
        self, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the device and inode of the file that the driver would open, if it exists."""
        return identity_of(to_be_opened(arguments, options))

    def identity(self, pooled: PoolProxiedConnection) -> tuple[int, int] | None:
        """Return the device and inode of the file that a connection has open."""
        return identity_of(under(pooled))

    def suits(self, connection: Connection) -> bool:
        """Accept SQLite connections of every driver: they mark parameters alike."""
        return connection.dialect.name == "sqlite"

    def begin_within(self, connection: Connection) -> None:
        """Begin the application's own transaction as a write, unless its driver has begun."""
        driver: Any = connection.connection.driver_connection
        if not self.in_transaction(driver):
            self.begin_on(connection, write=True)

    def check(self, connection: Connection) -> None:
        """Check that a connection made by the application is safe.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``.
        """
        if self._check_connections:
            check_settings(lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar())

    def is_private(self, connection: Connection) -> bool:
        """Ask the database for its place: an engine's connections may differ from its URL."""
        files = connection.exec_driver_sql("PRAGMA database_list").fetchall()
        return not files[0][2] and connection.engine.url.query.get("cache") != "shared"

    def migrate(self, connection: Connection) -> None:
        """Migrate the tables in one transaction, under the write lock if it may write."""
        auto = self._migrate == "auto"
        connection.exec_driver_sql(self.begin_write if auto else self.begin_read)
        ensure_schema(connection, self._naming, self._migrate)
        connection.commit()
        self.file.note(connection)

    def on_driver(self, driver: sqlite3.Connection) -> Transaction:
        """Return the open transaction of a driver's connection."""
        return DriverTransaction(driver, self._naming, self._interned)

    def on_writer(self, driver: sqlite3.Connection) -> WriterTransaction:
        """Return the transactions of the one writing connection, one after another."""
        return WriterTransaction(driver, self._naming, self._interned, self)

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> Transaction:
        """Return the open transaction of a SQLAlchemy connection.

        ``remembers=False`` where the application may still roll back: then no name is remembered.
        """
        known = self._interned if remembers else Interned()
        return CoreTransaction(connection, self._naming, known, ORDERING, BATCHING)

    def recognise(self, tx: Transaction) -> None:
        """Check that a transaction that begins is on the remembered database.

        If a backup was restored into the file, everything is forgotten, and the transaction goes
        on.

        Raises:
            StoreUnavailable: ``"restored"``; another file is in its place.
        """
        if self.file.path is None:  # no other connection reaches a database in memory
            return
        self.file.check()
        if recognise(tx, tx.interned):
            return
        if self._interned is tx.interned:  # nobody else noticed before
            _log.warning(RESTORED)
            self.forget()
        tx.interned = self._interned
        recognise(tx, tx.interned)

    def watch(
        self, driver: sqlite3.Connection, rest: Callable[[float | None, int | None], bool]
    ) -> Iterator[None]:
        """Yield whenever another connection has committed, also one of this process."""
        seen = None
        while True:
            (version,) = driver.execute(DATA_VERSION).fetchone()
            if version != seen:
                seen = version
                yield
            if not rest(_WATCH_SECONDS, None):
                return

    async def listen(self, driver: object, heard: Callable[[], None]) -> None:
        """Never called: SQLite has no driver that waits without a thread."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget all names: this is a forked child, or the database was restored."""
        self._interned = self._interned.forgotten()

    wipe = staticmethod(wipe)
    committed = staticmethod(remember)
    translated = staticmethod(sqlite_failures.translated)
    translated_commit = staticmethod(sqlite_failures.translated_commit)
