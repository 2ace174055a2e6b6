"""Run transactions and migrations on PostgreSQL, and check that its settings are safe.

Writes run at READ COMMITTED: every statement sees what was committed when it began. A stream's rows
are read after the stream's head was locked, so they are the latest. Reads run at REPEATABLE READ:
one snapshot for the rows of a thread and the events behind them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy.util import await_only

from eventstore.errors import StoreUnavailable
from eventstore.storage import postgres_failures
from eventstore.storage.constraints import Violated
from eventstore.storage.migrations import Migrate, current_revision, ensure_schema
from eventstore.storage.postgres_connections import (
    AsyncpgConnection,
    Driver,
    check_encoding,
    committing,
    in_transaction,
    is_asyncpg,
    is_lost,
    say,
    socket_of,
)
from eventstore.storage.postgres_listening import listen, watch
from eventstore.storage.postgres_ordering import CHANNEL, raise_epoch
from eventstore.storage.postgres_rows import ON_CITUS, PLAIN, Manner
from eventstore.storage.postgres_settings import UNSAFE, check_settings, names_hold
from eventstore.storage.postgres_transaction import (
    AsyncpgTransaction,
    PostgresTransaction,
    PsycopgTransaction,
)
from eventstore.storage.recognising import RESTORED, recognise
from eventstore.storage.transaction import (
    CoreTransaction,
    Interned,
    Naming,
    Transaction,
    remember,
)

if TYPE_CHECKING:
    import psycopg  # an extra

__all__ = ["PostgresDatabase"]

_log = logging.getLogger("eventstore.postgres")


class PostgresDatabase:
    """Uses PostgreSQL for one store; keeps the protocol ``execution.database.Database``."""

    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    postpones = True
    reads_snapshots = False
    driver_errors: tuple[type[BaseException], ...] = postgres_failures.DRIVER_ERRORS
    retried: tuple[type[BaseException], ...] = (postgres_failures.Raced,)
    violated: tuple[type[BaseException], ...] = (Violated,)

    def __init__(
        self,
        naming: Naming,
        *,
        migrate: Migrate,
        busy_timeout_seconds: float,
        check_settings: bool,
        ours: bool,
    ) -> None:
        """Create it with the settings of one store.

        ``check_settings``: require durable settings of the server. ``ours``: the store makes the
        connections.
        """
        self._naming = naming
        self._migrate = migrate
        self._unsafe = {**UNSAFE, **({} if ours else _DEAF)} if check_settings else {}
        self._interned = Interned()
        self._met: WeakSet[Any] = WeakSet()
        """Connections on which the database was recognised; a new one may lead elsewhere."""
        self._lock_timeout_ms = max(int(busy_timeout_seconds * 1000), 1)
        self._go_by(PLAIN)

    def _go_by(self, manner: Manner) -> None:
        """Execute statements in this manner from now on.

        The statements that begin a write go in one trip. LOCAL, because through PgBouncer the
        session is shared with others. COMMIT may be answered with a warning, which a role's
        client_min_messages could hide.
        """
        self._manner = manner
        self.begin_write: str = (
            f"{_BEGIN};"
            f" SET LOCAL lock_timeout = {self._lock_timeout_ms};"
            " SET LOCAL client_min_messages = warning;"
            f" SET LOCAL plan_cache_mode = {manner.plans}"
        )

    def begin(self, driver: Driver, text: str, *, patient: bool = True) -> None:  # noqa: ARG002
        """Begin a transaction, after ending one that a failed rollback left open.

        It waits for nobody, patient or not: rows are locked later.
        """
        if self.in_transaction(driver):
            self.say(driver, "ROLLBACK")
        self.say(driver, text)

    def commit(self, driver: Driver) -> bool:
        """Commit; if a statement failed, the server answers ROLLBACK without an error.

        Raises:
            OutcomeUnknown: the server warns that the commit is on its own disk alone.
        """
        with self.committing(driver):
            if is_asyncpg(driver):
                told: str | None = await_only(driver.execute("COMMIT"))
            else:
                told = driver.execute("COMMIT").statusmessage
        return told == "COMMIT"

    committing = staticmethod(committing)

    def prepare(self, connection: psycopg.Connection[Any]) -> None:
        """Use explicit BEGIN and COMMIT on a connection of the store."""
        connection.autocommit = True

    check_driver = staticmethod(check_encoding)

    def is_undone(self, _: Transaction) -> bool:
        """Return False: a connection that lost its answer cannot know."""
        return False

    def is_taken(self, driver: Driver) -> bool:
        """Return whether a transaction was begun on a driver's connection."""
        return self.in_transaction(driver)

    def begin_on(self, connection: Connection, *, write: bool | None) -> None:
        """Begin on a SQLAlchemy connection; with ``write`` None the caller sets the mode."""
        if not connection.in_transaction():
            connection.begin()
        if write is not None:
            level = "READ COMMITTED" if write else "REPEATABLE READ, READ ONLY"
            connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")

    def would_open(
        self,
        arguments: Sequence[Any],  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> tuple[int, int] | None:
        """Return None: each connection has its own socket, which does not exist yet."""
        return None

    def suits(self, connection: Connection) -> bool:
        """Accept PostgreSQL connections of the store's driver: parameter marks differ."""
        dialect = connection.dialect
        driver = dialect.driver.removesuffix("_async")
        return dialect.name == "postgresql" and driver == _DRIVERS.get(self._naming.marks)

    def begin_within(self, connection: Connection) -> None:
        """Do nothing: the application's engine begins its transactions."""

    def check(self, connection: Connection) -> None:
        """Check that a connection made by the application is safe.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``.
        """
        if connection.get_isolation_level() == "AUTOCOMMIT":
            raise StoreUnavailable(
                "unsafe_settings",
                "the engine's connections are in AUTOCOMMIT, where writes are not atomic",
                "Give an engine without isolation_level='AUTOCOMMIT'.",
            )

    def is_private(self, connection: Connection) -> bool:  # noqa: ARG002 (never)
        """Return False: everybody can see a server's databases."""
        return False

    def migrate(self, connection: Connection) -> None:
        """Migrate the tables in one transaction, one process at a time.

        Each statement has to see the rows that the one before waited for, whatever default
        isolation the server, the database or the role has.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``, on a server that acknowledges too early, or
                ``"encoding"``.
        """
        driver: Any = connection.connection.driver_connection
        check_encoding(driver)
        check_settings(
            self._unsafe, lambda name: connection.exec_driver_sql(f"SHOW {name}").scalar()
        )
        connection.rollback()
        if getattr(driver, "autocommit", False) is True:
            connection.exec_driver_sql(_BEGIN)  # psycopg, on a connection of the store
        else:
            self.begin_on(connection, write=True)
        if connection.exec_driver_sql(_CITUS).scalar() is not None:
            self._go_by(ON_CITUS)
        if self._migrate == "auto":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        ensure_schema(connection, self._naming, self._migrate)
        if current_revision(connection, self._naming) is not None:
            raise_epoch(self.on_connection(connection))
        connection.commit()

    def on_driver(self, driver: Driver) -> PostgresTransaction[Any]:
        """Return the open transaction of a driver's connection."""
        rest = self._naming, self._interned, self._manner
        if is_asyncpg(driver):
            return AsyncpgTransaction(driver, *rest)
        return PsycopgTransaction(driver, *rest)

    def on_writer(self, driver: Driver) -> PostgresTransaction[Any]:
        """Return the transactions of the writing connection, one after another.

        The connection is new: the same address may now lead to another server, restored from a
        dump. Facts learned of the earlier server must not be used without a check.
        """
        tx = self.on_driver(driver)
        self.say(driver, self.begin_write)
        if tx.one(_THERE, (self._naming.sql("{epochs}"),)) != (None,):
            raise_epoch(tx)
            self.recognise(tx)
        self.say(driver, "COMMIT")
        return tx

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> Transaction:
        """Return the open transaction of a SQLAlchemy connection."""
        known = self._interned if remembers else Interned()
        return CoreTransaction(
            connection, self._naming, known, self._manner.ordering, self._manner.batching
        )

    def recognise(self, tx: Transaction) -> None:
        """Check, on a connection's first transaction, that it leads to the remembered database.

        The same address may now lead to another server, restored from a backup. Then everything is
        forgotten, and the transaction goes on.
        """
        if tx.driver in self._met:
            return
        if not (recognise(tx, tx.interned) and names_hold(tx)):
            if self._interned is tx.interned:  # nobody else noticed before
                _log.warning(RESTORED)
                self.forget()
            tx.interned = self._interned
            recognise(tx, tx.interned)
        self._met.add(tx.driver)

    def wipe(self, ask: Callable[[str], Any]) -> Sequence[tuple[str, bool]]:  # noqa: ARG002 (nothing helps)
        """Return the places that no client of the server can wipe."""
        return (
            ("dead rows of the tables and their indexes: until VACUUM FULL", False),
            ("the server's WAL, replicas and backups: as long as they are kept", False),
        )

    def watch(
        self,
        driver: psycopg.Connection[Any],
        rest: Callable[[float | None, int | None], bool],
    ) -> Iterator[None]:
        """Yield after every committed append, on a connection of psycopg."""
        return watch(self._naming.plain(CHANNEL), driver, rest)

    async def listen(self, driver: AsyncpgConnection, heard: Callable[[], None]) -> None:
        """Call ``heard`` after every committed append, on a connection of asyncpg."""
        await listen(self._naming.plain(CHANNEL), driver, heard)

    def forget(self) -> None:
        """Forget all names: this is a forked child, or the database was restored."""
        self._interned = self._interned.forgotten()

    say = staticmethod(say)
    in_transaction = staticmethod(in_transaction)
    identity = staticmethod(socket_of)
    is_lost = staticmethod(is_lost)
    committed = staticmethod(remember)
    translated = staticmethod(postgres_failures.translated)
    translated_commit = staticmethod(postgres_failures.translated_commit)


_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_DRIVERS: Final = {"%s": "psycopg", "$1": "asyncpg"}
_CITUS: Final = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_THERE: Final = "SELECT to_regclass(?::text)"
_MIGRATION_LOCK: Final = 0x6576656E7473  # "events" in ASCII
_DEAF: Final = {"client_min_messages": "error"}
"""Hides that the server did not wait for a standby; the store's connections set it otherwise."""
