"""What is PostgreSQL's own: how many rows go in one statement, and how transactions begin.

Writes run at READ COMMITTED: every statement sees what was committed when it began, and what a
stream's rows say is read after the stream's head was locked, so it is the latest. Reads run at
REPEATABLE READ: one snapshot for the rows of a thread and the events behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import BigInteger, Connection, Integer, LargeBinary, Table, Text

from eventstore.errors import StoreUnavailable
from eventstore.storage import postgres_failures
from eventstore.storage.migrations import Migrate, current_revision, ensure_schema
from eventstore.storage.ordering import Ordering
from eventstore.storage.postgres_ordering import PostgresOrdering, raise_epoch
from eventstore.storage.statements import Insert, Statement
from eventstore.storage.tables import metadata_for
from eventstore.storage.transaction import (
    CoreTransaction,
    Interned,
    Naming,
    Transaction,
    remember,
)

__all__ = ["PostgresDatabase"]

Row: TypeAlias = Sequence[Any]

_ORDERING: Final = PostgresOrdering()
_TYPES: Final[dict[type[Any], str]] = {
    Integer: "int4",
    BigInteger: "int8",
    LargeBinary: "bytea",
    Text: "text",
}


@cache
def _tables() -> dict[str, Table]:
    return {table.name: table for table in metadata_for(dialect="postgresql").sorted_tables}


class _ColumnByColumn:
    """Batching that hands over whole columns: one statement, one trip, however many rows."""

    @staticmethod
    @cache
    def text(statement: Statement) -> str:
        table = _tables()[statement.table]
        columns = ", ".join(statement.columns)
        kinds = [_TYPES[type(table.c[name].type)] for name in statement.columns]
        given = f"unnest({', '.join(f'?::{kind}[]' for kind in kinds)})"
        into = f"{{{statement.table}}}"
        if isinstance(statement, Insert):
            return f"INSERT INTO {into} ({columns}) SELECT * FROM {given}{statement.on_conflict}"
        changes = ", ".join(f"{name} = given.{name}" for name in statement.values)
        where = " AND ".join(f"kept.{name} = given.{name}" for name in statement.key)
        return f"UPDATE {into} kept SET {changes} FROM {given} AS given ({columns}) WHERE {where}"

    @staticmethod
    def parameters(rows: Sequence[Row]) -> tuple[list[Any], ...]:
        return tuple([list(column) for column in zip(*rows, strict=True)])


_BATCHING: Final = _ColumnByColumn()


class _DriverTransaction:
    """On a psycopg connection, without SQLAlchemy between."""

    ordering: Ordering = _ORDERING

    def __init__(self, driver: Any, naming: Naming, interned: Interned) -> None:  # noqa: ANN401 (an extra's type)
        self._cursor = driver.cursor()
        self._sql = naming.sql
        self.naming = naming
        self.interned = interned
        self.fresh: list[tuple[dict[str, int], str, int]] = []
        self.kept: dict[str, dict[Any, Any]] = {}

    def one(self, sql: str, parameters: Row = ()) -> Any:  # noqa: ANN401
        return self._cursor.execute(self._sql(sql), parameters).fetchone()

    def all(self, sql: str, parameters: Row = ()) -> list[Any]:
        return list(self._cursor.execute(self._sql(sql), parameters).fetchall())

    def run(self, sql: str, parameters: Row = ()) -> int:
        return int(self._cursor.execute(self._sql(sql), parameters).rowcount)

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        if rows:
            self._cursor.execute(self._sql(_BATCHING.text(statement)), _BATCHING.parameters(rows))


class _WriterTransaction(_DriverTransaction):
    """The transactions of the one connection that writes for a store, one after another.

    What it learned of a stream stays in ``kept``; it holds as long as the head of the stream,
    which every append locks and reads, is where it was.
    """

    def begun(self) -> None:
        """Hear that a transaction has begun."""

    def rolled_back(self) -> None:
        """Hear that nothing of the transaction was kept by the database."""
        self.kept.clear()
        self.fresh.clear()


class PostgresDatabase:
    """One store's way of using PostgreSQL; keeps the protocol ``execution.database.Database``."""

    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    postpones = True
    driver_errors = postgres_failures.DRIVER_ERRORS
    retried: tuple[type[BaseException], ...] = (postgres_failures.Raced,)

    def __init__(
        self,
        naming: Naming,
        *,
        migrate: Migrate,
        busy_timeout_seconds: float,
        check_settings: bool,
    ) -> None:
        """Take the choices of one store; ``check_settings``: hold the server to durability."""
        self._naming = naming
        self._migrate = migrate
        self._check_settings = check_settings
        self._interned = Interned()
        wait = max(int(busy_timeout_seconds * 1000), 1)
        # Two statements in one trip. LOCAL, because through PgBouncer the session is shared.
        self.begin_write = f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {wait}"

    def prepare(self, connection: Any) -> None:  # noqa: ANN401
        """Let BEGIN and COMMIT be said, not implied, on a connection of ours."""
        connection.autocommit = True

    def in_transaction(self, driver: Any) -> bool:  # noqa: ANN401
        """Tell whether a driver's connection has a transaction open."""
        if hasattr(driver, "is_in_transaction"):  # asyncpg
            return bool(driver.is_in_transaction())
        return not driver.closed and driver.info.transaction_status != _IDLE

    def is_lost(self, driver: Any) -> bool:  # noqa: ANN401
        """Tell whether the server is gone for a driver's connection."""
        closed = driver.is_closed() if hasattr(driver, "is_closed") else driver.closed
        return bool(closed)

    def begin_on(self, connection: Connection, *, write: bool | None) -> None:
        """Begin on a SQLAlchemy connection; ``write`` None: as the caller will say."""
        if not connection.in_transaction():
            connection.begin()
        if write is not None:
            level = "READ COMMITTED" if write else "REPEATABLE READ, READ ONLY"
            connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")

    def begin_within(self, connection: Connection) -> None:
        """Let the application's own transaction begin as its engine does it."""

    def check(self, connection: Connection) -> None:
        """Look whether a connection that the application made is safe.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``.
        """
        if connection.get_isolation_level() == "AUTOCOMMIT":
            raise StoreUnavailable(
                "unsafe_settings",
                "the engine's connections are in AUTOCOMMIT, where nothing is written as a whole",
                "Give an engine without isolation_level='AUTOCOMMIT'.",
            )

    def migrate(self, connection: Connection) -> None:
        """Bring the tables up to date in one transaction, one process at a time.

        Raises:
            StoreUnavailable: ``"unsafe_settings"``, on a server that acknowledges too early.
        """
        if self._check_settings:
            _check_durability(lambda name: connection.exec_driver_sql(f"SHOW {name}").scalar())
        connection.rollback()
        if getattr(connection.connection.driver_connection, "autocommit", False) is True:
            connection.exec_driver_sql("BEGIN")
        if self._migrate == "auto":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        ensure_schema(connection, self._naming, self._migrate)
        if current_revision(connection, self._naming) is not None:
            raise_epoch(self.on_connection(connection))
        connection.commit()

    def on_driver(self, driver: Any) -> Transaction:  # noqa: ANN401
        """Return the transaction that is open on a driver's connection."""
        return _DriverTransaction(driver, self._naming, self._interned)

    def on_writer(self, driver: Any) -> _WriterTransaction:  # noqa: ANN401
        """Return the transactions of the one connection that writes, one after another."""
        return _WriterTransaction(driver, self._naming, self._interned)

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> Transaction:
        """Return the transaction that is open on a SQLAlchemy connection."""
        known = self._interned if remembers else Interned()
        return CoreTransaction(connection, self._naming, known, _ORDERING, _BATCHING)

    def committed(self, tx: Transaction) -> None:
        """Keep what a transaction interned, now that it is durable (or only read)."""
        remember(tx)

    def forget(self) -> None:
        """Take no name as known: this is a forked child."""
        self._interned = Interned()

    translated = staticmethod(postgres_failures.translated)
    translated_commit = staticmethod(postgres_failures.translated_commit)


_IDLE: Final = 0
"""libpq's PQTRANS_IDLE."""
_MIGRATION_LOCK: Final = 0x6576656E7473  # "events" in ASCII


def _check_durability(show: Callable[[str], Any]) -> None:
    """Hold the server to what an acknowledged write means.

    Raises:
        StoreUnavailable: ``"unsafe_settings"``, naming what differs.
    """
    wrong = [f"{name} is off" for name in ("fsync", "synchronous_commit") if show(name) == "off"]
    if wrong:
        raise StoreUnavailable(
            "unsafe_settings",
            f"the server would lose acknowledged writes in a crash: {'; '.join(wrong)}",
            "Switch it on, or open the store with durability='as_is' to accept it.",
        )
