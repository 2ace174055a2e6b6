"""The table ``projections``: one row for each set of tables that a projection has.

A projection that is rebuilt has two: the **active** one, which is read and kept current, and one
that is **building** beside it. When the new one has caught up, one transaction makes it the active
one; the old one is **retired**, and its tables are dropped.

What must stay true:

* *Exactly once.* The row's position and the rows of the projection's tables change in one
  transaction, and that transaction begins with ``advance`` (``holding.py``). It holds the row from
  then on, so two batches of one generation never run side by side.
* *One at a time, and no late write.* The worker on a generation holds a lease: its name, a
  duration, and a **token** that increases whenever the lease changes hands. ``advance`` names the
  token that the worker was given. A worker that slept past its lease finds another token and has
  written nothing. A lease that ran out and that nobody took is still good: nobody else wrote.
* *Readers never go back in time.* The swap happens only where the new generation has come at least
  as far as the old one.

On SQLite a reader's snapshot holds the old tables, too, so they are dropped in the swap. On
PostgreSQL a dropped table disappears at once, also for a reader that has just looked up the active
generation; there the old tables stay for a minute. By then nobody reads them any more, so dropping
them waits for no lock.

A set of tables that could not be created still has a row, which records the reason: its event has
version 0, and its status is building, since it cannot be read.

Clocks only decide which worker tries (see ``leases``); the token decides which one may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from eventstore.core.events import Position
from eventstore.errors import InvalidInput, Refused
from eventstore.read_models.catch_up.definition import Definition
from eventstore.read_models.catch_up.failing import Failure, passes, said
from eventstore.read_models.catch_up.tables import Tables, WritableTables, follow
from eventstore.storage.transaction import Transaction
from eventstore.storage.whole_store import START

__all__ = [
    "Generation",
    "Status",
    "Unmade",
    "active",
    "begin",
    "cannot_begin",
    "drop_retired",
    "generations",
    "needs_beginning",
    "unbegun",
]

Status: TypeAlias = Literal["active", "building", "retired"]

GRACE_US: Final = 60_000_000
"""Lifetime of a retired generation's tables, in which readers may still look for them."""


class Generation(NamedTuple):
    """One row of the table."""

    name: str
    generation: int
    version: int
    """The version of the projection's rules that fill these tables."""
    status: Status
    tables: tuple[str, ...]
    position: Position
    """The tables contain every event up to this position."""
    holder: str | None
    renewed_at_us: int
    """For display; on SQLite by the clock of the holder."""
    lease_us: int
    token: int
    renewals: int
    failure: Failure | None
    ran_out: bool | None
    """True if the lease has run out by the database's clock; None where each process has its own.
    """

    @property
    def key(self) -> tuple[str, int]:
        """The key of the row."""
        return self.name, self.generation

    @property
    def is_made(self) -> bool:
        """True if its tables exist."""
        return self.failure is None or self.failure.version > 0


class Unmade(Refused):
    """The tables of a projection cannot be created; none of them was."""

    def __init__(self, name: str, error: str) -> None:
        super().__init__(
            "projection_unmade",
            f"projection {name} cannot create its tables: {error.removesuffix('.')}",
            "Correct the projection's create, start the process again and call projections.retry()",
        )
        self.error = error


_COLUMNS: Final = (
    "name, generation, version, status, tables, epoch, xid, position, holder, renewed_at, lease_us,"
    " token, renewals, failed_stream, failed_version, failed_type, error"
)
_ALL: Final = f"SELECT {_COLUMNS}, <ran out> FROM {{projections}} ORDER BY name, generation"
_OF: Final = f"SELECT {_COLUMNS}, <ran out> FROM {{projections}} WHERE name = ? ORDER BY generation"
_RAN_OUT: Final = "renewed_at + lease_us <= <now>"
_ROW: Final = "WHERE name = ? AND generation = ?"
MINE: Final = f"{_ROW} AND token = ?"
_BEGIN: Final = (
    "INSERT INTO {projections} (name, generation, version, status, tables, epoch, xid, position,"
    " renewed_at, lease_us, token, renewals, failed_stream, failed_version, failed_type, error)"
    " VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, ?, ?, ?, ?)"
    " ON CONFLICT (name, generation) DO NOTHING"
)
_FINE: Final = (None, None, None, None)
RENEWED: Final = "renewed_at = <now>, lease_us = ?, renewals = renewals + 1"
AWAIT: Final = f"UPDATE {{projections}} SET holder = holder {_ROW}"
"""It waits for a transaction that is just taking the lease: its token is not visible before."""
_FORGET: Final = f"DELETE FROM {{projections}} {_ROW} AND status = ?"


def generations(tx: Transaction, name: str | None = None) -> list[Generation]:
    """Return every generation of a projection, or of all, the oldest first."""
    sql = told(tx, _ALL if name is None else _OF)
    return [_generation(row) for row in tx.all(sql, () if name is None else (name,))]


def told(tx: Transaction, sql: str) -> str:
    """Return SQL with the columns for the time, the expiry of the lease and the end of the log."""
    ran_out = _RAN_OUT if tx.ordering.one_clock else "NULL"
    backwards = ", ".join(f"{column} DESC" for column in tx.ordering.order.split(", "))
    sql = sql.replace("<backwards>", backwards)
    return sql.replace("<ran out>", ran_out).replace("<now>", tx.ordering.clock)


def _generation(row: Sequence[Any]) -> Generation:
    name, number, version, status, tables, epoch, xid, position = row[:8]
    holder, renewed_at_us, lease_us, token, renewals = row[8:13]
    *failure, ran_out = row[13:]
    return Generation(
        name,
        number,
        version,
        status,
        tuple(tables.split()),
        Position(epoch, xid, position),
        holder,
        renewed_at_us,
        lease_us,
        token,
        renewals,
        None if failure[3] is None else Failure(*failure),
        ran_out,
    )


def active(tx: Transaction, name: str, tenant: str) -> Tables:
    """Return the tables to read.

    Raises:
        InvalidInput: the projection was never run on this store.
    """
    for one in generations(tx, name):
        if one.status == "active":
            return Tables(tx, name, one.generation, one.tables, tenant)
    raise InvalidInput(
        "projection",
        f"{name!r} has no tables yet",
        "Register it, and run store.projections.catch_up() or run().",
    )


def unbegun(definition: Definition) -> Generation:
    """Return a placeholder for a projection that has no tables yet."""
    nobody = (None, 0, 0, 0, 0, None, None)
    return Generation(
        definition.name, 0, definition.version, "active", definition.tables, START, *nobody
    )


def needs_beginning(known: Sequence[Generation], definition: Definition) -> bool:
    """Return whether a projection has no tables yet, or none of its present version."""
    return definition.version > max((one.version for one in known), default=0)


def begin(tx: Transaction, definition: Definition, *, anew: bool) -> bool:
    """Create a new set of tables: the active one if there was none, else one to build beside it.

    A set that is being built already is dropped for it. Return False, and do nothing, if there are
    tables of this version and not ``anew``, or if another worker began at the same moment.

    A number is skipped if its tables would have the names of existing ones, which another store
    made.

    Raises:
        Unmade: they cannot be made.
        Refused: the schema is distributed over nodes, so there is no log to follow.
    """
    tx.ordering.confirm_whole(tx)
    known = generations(tx, definition.name)
    if not anew and not needs_beginning(known, definition):
        return False
    number = _next_number(known)
    while not WritableTables(tx, definition.name, number, definition.tables, "").are_free():
        number += 1
        if _keys(generations(tx, definition.name)) != _keys(
            known
        ):  # they belong to this very projection
            return False
    status: Status = "building" if any(one.is_made for one in known) else "active"
    if tx.run(_BEGIN, (*_place_of(definition, number, status), *_FINE)) == 0:
        return False
    for one in known:
        if one.status == "building":
            _drop(tx, one)
    tables = WritableTables(tx, definition.name, number, definition.tables, "")
    try:
        follow(definition.create, tables)
    except Exception as error:
        if passes(error):
            raise
        raise Unmade(definition.name, said(error)) from error
    return True


def cannot_begin(tx: Transaction, definition: Definition, error: str) -> None:
    """Record that the tables cannot be created, unless mended rules created them meanwhile."""
    known = generations(tx, definition.name)
    if needs_beginning(known, definition):
        place = _place_of(definition, _next_number(known), "building")
        tx.run(_BEGIN, (*place, *Failure("", 0, "", error)))


def _keys(known: Sequence[Generation]) -> list[tuple[str, int]]:
    return [one.key for one in known]


def _next_number(known: Sequence[Generation]) -> int:
    return max((one.generation for one in known), default=0) + 1


def _place_of(definition: Definition, number: int, status: Status) -> tuple[Any, ...]:
    tables = " ".join(definition.tables)
    return definition.name, number, definition.version, status, tables


def _drop(tx: Transaction, one: Generation) -> bool:
    """Drop a generation, unless it has changed since it was read."""
    if tx.run(_FORGET, (*one.key, one.status)) == 0:
        return False
    if one.is_made:
        WritableTables(tx, one.name, one.generation, one.tables, "").drop()
    return True


# -- the lease ---------------------------------------------------------------------------------


# -- failing, and being replaced ---------------------------------------------------------------


def drop_retired(tx: Transaction, name: str) -> bool:
    """Drop the tables that no reader looks for any more; return whether there were any."""
    gone = [
        _drop(tx, one)
        for one in generations(tx, name)
        if one.status == "retired" and one.ran_out is not False
    ]
    return any(gone)
