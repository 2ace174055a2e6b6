"""One open transaction, as every function that touches the database sees it.

SQL is text with ``?`` parameters and ``{table}`` names, so that one text runs on every database and
every driver; :class:`Naming` turns it into a driver's own. Writes of many rows are
:mod:`~eventstore.storage.statements`. Nothing here begins, commits or rolls back; the opener of the
transaction does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Sized
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection

from eventstore.core.codec import PLAIN, ContentCodec
from eventstore.core.events import Position
from eventstore.storage.ordering import Ordering
from eventstore.storage.statements import Insert, Statement
from eventstore.storage.tables import POSTGRES_ALONE, TABLES

__all__ = [
    "Batching",
    "CoreTransaction",
    "Interned",
    "Landmark",
    "Marks",
    "Naming",
    "Remade",
    "Transaction",
    "only_row",
    "remember",
]

Marks: TypeAlias = Literal["?", "%s", "$1"]
"""The parameter marks of a driver."""


_BINARY: Final = re.compile(r"\?(::(?:bytea|text)\[\])")
"""Arrays that psycopg must send in binary form: as text, quoting 500 bytes takes it 0.6 ms."""


class _Texts(dict[str, str]):
    """Remembers what a function made of each text; a known one is looked up without a call."""

    def __init__(self, made: Callable[[str], str]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, text: str) -> str:
        made = self[text] = self._made(text)
        return made


class Naming:
    """Turns ``{table}`` and ``?`` in SQL into the names of one store and the marks of a driver."""

    def __init__(
        self,
        prefix: str = "",
        schema: str | None = None,
        marks: Marks = "?",
        codec: ContentCodec = PLAIN,
    ) -> None:
        self.codec = codec
        """Seals what this store writes and opens what it reads."""
        self.prefix: Final = prefix
        self.schema: Final = schema
        self.marks: Final = marks
        dot = f'"{schema}".' if schema else ""
        self._names = {name: f'{dot}"{prefix}{name}"' for name in (*TABLES, *POSTGRES_ALONE)}
        self.sql: Final[Callable[[str], str]] = _Texts(self._named).__getitem__
        """Returns a text with this store's names in place; computed once for each text."""

    def _named(self, text: str) -> str:
        return self._marked(text.format_map(self._names))

    def _marked(self, text: str) -> str:
        if self.marks == "?":
            return text
        if self.marks == "%s":
            return _BINARY.sub(r"%b\1", text.replace("%", "%%")).replace("?", "%s")
        first, *rest = text.split("?")
        return first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))

    def plain(self, table: str) -> str:
        """Return a table's name without quotes or schema."""
        return f"{self.prefix}{table}"


class Remade:
    """Marks that a store has rebuilt rows, on any of its connections."""

    def __init__(self) -> None:
        self.last: object = object()
        """A new object each time: facts kept of rows before it do not hold."""


class Landmark(msgspec.Struct, frozen=True, gc=False):
    """An event by which a store recognises its database."""

    position: Position
    hash: bytes
    tenant: int
    stream: bytes


class Remembered(dict[Any, Any]):
    """A cache of facts that never change; it starts afresh when they exceed its size.

    The ``len`` of a fact is its size.
    """

    def __init__(self, room: int) -> None:
        self._room: Final = room
        self._taken = 0

    def __setitem__(self, key: object, value: Sized) -> None:
        if self._taken > self._room:
            self.clear()
            self._taken = 0
        self._taken += len(value)
        super().__setitem__(key, value)


_LANDMARKS_MAX: Final = 16
"""Landmarks above which all but the newest are dropped: to sort them for each write takes 1 µs."""


class Interned:
    """Permanent facts about one store's database: committed names and their numbers.

    They hold for one database that only moves forwards; :mod:`~eventstore.storage.recognising`
    checks that it is still that one.
    """

    def __init__(self, remade: Remade | None = None) -> None:
        self.tenants: dict[str, int] = {}
        self.categories: dict[str, int] = {}
        self.store_id: bytes | None = None
        """The random id of the database; None until it was read."""
        self._landmarks: dict[Position, Landmark] = {}
        """The newest event that was seen, and some of those before it."""
        self.ancestries: Final = Remembered(20_000)
        """By tenant and place: the sources of its forks; see ``threads.ancestry``. A fork of a
        hundredth fork takes some 20 kB."""
        self.whole = False
        """True once all events were seen to stand in one order, on one node."""
        self.remade: Final = Remade() if remade is None else remade

    @property
    def landmark(self) -> Landmark | None:
        """The newest event that this store has seen committed."""
        newest = max(list(self._landmarks), default=None)
        return None if newest is None else self._landmarks.get(newest) or self.landmark

    def see(self, event: Landmark) -> None:
        """Note a committed event. Threads may do this at once, without a lock.

        Each removes only events older than one it has seen there, so the newest stays.
        """
        self._landmarks[event.position] = event
        if len(self._landmarks) > _LANDMARKS_MAX:
            *older, _ = sorted(self._landmarks)
            for position in older:
                self._landmarks.pop(position, None)

    def forgotten(self) -> Interned:
        """Return an empty object for the same store's database.

        A transaction that began before may still rebuild rows, and the new object notices it.
        """
        return Interned(self.remade)


class Transaction(Protocol):
    """The access of storage and projections to a database."""

    interned: Interned
    naming: Naming
    ordering: Ordering
    committed: bool
    """True if the last transaction here is known to have committed. It is False from the moment at
    which one begins, so an interrupt leaves nothing to clean up: the next transaction drops the
    writer's facts unless this is True."""
    fresh: list[tuple[dict[Any, Any], Any, Any]]
    """Names interned by this transaction, remembered once it has committed."""
    newest: Landmark | None
    """The last event that this transaction appended, remembered once it has committed."""
    cache: dict[str, dict[Any, Any]]
    """Facts learned by earlier transactions that still hold; by stream within each name."""

    @property
    def driver(self) -> object:
        """The driver's connection."""

    def begun(self) -> None:
        """Note that a transaction has begun; the writer's facts may not hold any more."""

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any] | None:
        """Return the first row, or None."""

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return every row."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; return how many rows it changed."""

    def write(self, statement: Statement, rows: Sequence[Sequence[Any]]) -> None:
        """Insert or update many rows, at the latest before anything is read."""

    def fill(self, statement: Insert, rows: Sequence[Sequence[Any]]) -> None:
        """Insert very many rows, none of which exists, after the rows that wait to be written."""

    def flush(self) -> None:
        """Write the rows that wait, if any do: the transaction is about to end."""


def only_row(tx: Transaction, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
    """Return the row of a statement that always has exactly one, such as a count."""
    [row] = tx.all(sql, parameters)
    found: Sequence[Any] = row
    return found


class Batching(Protocol):
    """Turns many rows into a statement's text and parameters for one database."""

    def text(self, statement: Statement, rows: Sequence[Sequence[Any]]) -> str:
        """Return the SQL for rows, with ``?`` and ``{table}``."""

    def parameters(self, rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """Return the parameters for that text: a list of rows for ``executemany``, or one tuple."""


class CoreTransaction:
    """Runs on a SQLAlchemy connection, sync or inside ``AsyncConnection.run_sync``: any driver."""

    def __init__(
        self,
        connection: Connection,
        naming: Naming,
        interned: Interned,
        ordering: Ordering,
        batching: Batching,
    ) -> None:
        self._connection = connection
        self._sql = naming.sql
        self._batching = batching
        self.naming = naming
        self.interned = interned
        self.ordering = ordering
        self.committed = False
        self.fresh: list[tuple[dict[Any, Any], Any, Any]] = []
        self.newest: Landmark | None = None
        self.cache: dict[str, dict[Any, Any]] = {}

    def begun(self) -> None:
        """Do nothing: no fact is kept from an earlier transaction."""

    @property
    def driver(self) -> object:
        """The driver's connection."""
        return self._connection.connection.driver_connection

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any] | None:
        return self._connection.exec_driver_sql(self._sql(sql), tuple(parameters)).fetchone()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        result = self._connection.exec_driver_sql(self._sql(sql), tuple(parameters))
        return list(result.fetchall())

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._connection.exec_driver_sql(self._sql(sql), tuple(parameters)).rowcount

    def write(self, statement: Statement, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            sql = self._sql(self._batching.text(statement, rows))
            self._connection.exec_driver_sql(sql, self._batching.parameters(rows))

    def fill(self, statement: Insert, rows: Sequence[Sequence[Any]]) -> None:
        self.write(statement, rows)

    def flush(self) -> None:
        """Do nothing: no rows wait."""


def remember(transaction: Transaction) -> None:
    """Keep the facts that a transaction learned, now that it is known to have committed."""
    if transaction.newest is not None:
        transaction.interned.see(transaction.newest)
        transaction.newest = None
    for known, name, number in transaction.fresh:
        known[name] = number
    transaction.fresh.clear()
    transaction.committed = True
