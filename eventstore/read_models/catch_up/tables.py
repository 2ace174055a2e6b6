"""Give a projection access to its own tables, with SQL for every database and driver.

Text has ``?`` for parameters and ``{name}`` for a table of the projection, which becomes the table
of the generation that is written, or read. So the same rule fills a new generation beside the old
one without any change. A literal ``?`` or brace cannot be in the text: pass it as a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeVar

from eventstore.core.causes import explain
from eventstore.errors import InvalidInput
from eventstore.read_models.catch_up.failing import passes
from eventstore.storage.sqlite_ordering import SqliteOrdering
from eventstore.storage.tables import Dialect
from eventstore.storage.transaction import Naming, Transaction

__all__ = ["Tables", "WritableTables", "follow", "physical_name"]

T = TypeVar("T")

_THERE: Final[Mapping[Dialect, str]] = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE AND ? IS NULL",
    "postgresql": "SELECT 1 FROM pg_class WHERE relname = ? AND relnamespace = (SELECT oid"
    " FROM pg_namespace WHERE nspname = coalesce(?::text, current_schema()))",
}
"""Checks whether a name is in use, in a schema or the default place for tables."""
_NAME_MAX: Final = 54
"""PostgreSQL cuts names at 63 bytes, and an index's name is 9 longer than its table's."""


class Tables:
    """The tables of one generation, for reading."""

    def __init__(
        self, tx: Transaction, projection: str, generation: int, names: Sequence[str], tenant: str
    ) -> None:
        self._tx = tx
        self._physical = {
            name: physical_name(tx.naming, projection, generation, name) for name in names
        }
        # SQLite has just one
        self._schema = tx.naming.schema if self.dialect == "postgresql" else None
        dot = f'"{self._schema}".' if self._schema else ""
        self._names: Mapping[str, str] = {
            name: f'{dot}"{physical}"' for name, physical in self._physical.items()
        }
        self._texts: dict[str, str] = {}
        self.tenant = tenant
        """The tenant of the event that is applied; in a reader, the reader's."""

    @property
    def dialect(self) -> Dialect:
        """The kind of database, for the few statements that differ."""
        return "sqlite" if isinstance(self._tx.ordering, SqliteOrdering) else "postgresql"

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        row = self._asked(self._tx.one, self._text(sql), parameters)
        return None if row is None else tuple(row)

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        return [tuple(row) for row in self._asked(self._tx.all, self._text(sql), parameters)]

    def _asked(
        self, execute: Callable[[str, Sequence[Any]], T], sql: str, given: Sequence[Any]
    ) -> T:
        """Execute an application's statement; an error of the database's names its cause."""
        try:
            return execute(sql, given)
        except Exception as error:
            explain(error, sql)
            raise

    def _text(self, sql: str) -> str:
        """Return SQL with the names in place; leftover braces would be misread later."""
        known = self._texts.get(sql)
        if known is None:
            known = self._texts[sql] = self._named(sql)
        return known

    def _named(self, sql: str) -> str:
        try:
            return sql.format_map(self._names)
        except (KeyError, ValueError, IndexError) as error:
            raise InvalidInput(
                "sql",
                f"has a {{placeholder}} that names no table of the projection ({error})",
                f"Its tables are {', '.join(self._names) or 'none'}.",
            ) from None


class WritableTables(Tables):
    """The tables of one generation, inside the transaction that moves its checkpoint."""

    _failed: Exception | None = None
    """The first database error that a rule was given, and may have caught."""

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        row = self._heard(self._tx.one, self._text(sql), parameters)
        return None if row is None else tuple(row)

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        return [tuple(row) for row in self._heard(self._tx.all, self._text(sql), parameters)]

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; return how many rows it changed."""
        return int(self._heard(self._tx.run, self._text(sql), parameters))

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row of parameters."""
        text = self._text(sql)
        for row in rows:
            self._heard(self._tx.run, text, row)

    def _heard(
        self, execute: Callable[[str, Sequence[Any]], T], sql: str, given: Sequence[Any]
    ) -> T:
        try:
            return self._asked(execute, sql, given)
        except Exception as error:
            self._failed = self._failed or error
            raise

    def ruined_by(self) -> Exception | None:
        """Return the error that a rule caught, if it has made the transaction unusable.

        This happens on PostgreSQL, which otherwise fails at the next statement, or commits nothing.
        After a temporary failure (a full disk) SQLite may have ended the transaction, and would
        keep later statements.
        """
        failed, self._failed = self._failed, None
        if failed is not None and passes(failed):
            return failed
        if failed is not None:
            try:
                self._tx.one("SELECT 1")
            except Exception:  # noqa: BLE001 (that it fails is the answer)
                return failed
        return None

    def index(self, table: str, *columns: str, unique: bool = False) -> None:
        """Create an index; its name is generated, so that each generation has its own."""
        given = ", ".join(columns)
        digest = blake2b(given.encode(), digest_size=4).hexdigest()
        name = f"{self._physical[table]}_{digest}"
        kind = "UNIQUE INDEX" if unique else "INDEX"
        self._tx.run(f'CREATE {kind} "{name}" ON {self._names[table]} ({given})')

    def are_free(self) -> bool:
        """Return whether no other tables have these names.

        A name does not show where the prefix ends: that of projection ``x`` in a store with the
        prefix ``a_`` may be that of ``a_x`` in a store without one, in the same database.
        """
        there = _THERE[self.dialect]
        return all(
            self._tx.one(there, (one, self._schema)) is None for one in self._physical.values()
        )

    def drop(self) -> None:
        """Drop every table, and with it its indexes."""
        for name in self._names.values():
            self._tx.run(f"DROP TABLE IF EXISTS {name}")


def follow(rule: Callable[..., object], tables: WritableTables, *given: object) -> None:
    """Run a rule, and raise the error that it caught if that ended the transaction."""
    try:
        rule(tables, *given)
    except Exception as error:
        caught = tables.ruined_by()
        if caught is None or caught is error:
            raise
        raise caught from error
    if (caught := tables.ruined_by()) is not None:
        raise caught


def physical_name(naming: Naming, projection: str, generation: int, table: str) -> str:
    """Return the name of a table in the database.

    Raises:
        InvalidInput: it is longer than a database takes.
    """
    name = f"{naming.plain(projection)}__{table}_g{generation}"
    if len(name) > _NAME_MAX:
        raise InvalidInput(
            "tables",
            f"{name} has {len(name)} characters, {_NAME_MAX} are allowed",
            "Shorten the projection's name, the table's, or the store's prefix.",
        )
    return name
