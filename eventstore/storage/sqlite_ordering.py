"""Order events on SQLite: one writer at a time, so the order of positions is the order of commits.

That holds because every write begins with BEGIN IMMEDIATE, and because no position is ever used
again: a trigger refuses to delete the last event, so a purge appends the tombstone first.
AUTOINCREMENT would do the same with a counter that is one more page to write for every commit.
``epoch`` and ``xid`` are 0 for every event.

Heads that the writer remembers are not read again, so each is compared when it is moved: the update
names the old version and hash, and has to match them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, count
from typing import Any, Final

from eventstore.core.events import Position
from eventstore.storage.ordering import HeadMoved, HeadRow, Heads, Moved, Place
from eventstore.storage.transaction import Transaction, only_row

__all__ = ["SqliteOrdering"]

_HEAD: Final = (
    "SELECT version, recorded_at, hash, epoch, xid FROM {streams}"
    " WHERE tenant = ? AND category = ? AND stream = ?"
)
_LAST: Final = "SELECT coalesce(max(position), 0) FROM {events}"
_KEPT: Final = "positions"
_MOVE: Final = (
    "UPDATE {streams} SET version = ?, recorded_at = ?, hash = ?, summary = ?"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version = ? AND hash = ?"
)
_AT_ONCE: Final = 32 if sqlite3.sqlite_version_info >= (3, 33) else 1
"""Heads that one statement moves at most; older versions have no UPDATE FROM."""


@cache
def _move_many(heads: int) -> str:
    row = f"({', '.join('?' * 9)})"
    return (
        "UPDATE {streams} SET version = column1, recorded_at = column2, hash = column3,"
        " summary = column4"
        f" FROM (VALUES {', '.join([row] * heads)})"
        " WHERE tenant = column5 AND category = column6 AND stream = column7"
        " AND version = column8 AND hash = column9"
    )


def _values(one: Moved) -> tuple[Any, ...]:
    """Return the parameters that move a head; bytes in a form that needs no adapter."""
    before, row, summary = one.before, one.row, one.summary
    tenant, category, stream = one.place
    return (
        row.version, row.recorded_at_us, bytearray(row.hash),
        None if summary is None else bytearray(summary),
        tenant, category, bytearray(stream),
        before.version, bytearray(before.hash),
    )  # fmt: skip


def _in_few(moved: Sequence[Moved]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield SQL and parameters: 32, 16, 8 … heads at once, so that there are few texts."""
    start, left = 0, len(moved)
    while left:
        heads = 1 << min(left, _AT_ONCE).bit_length() - 1
        some = moved[start : start + heads]
        yield _move_many(heads), [*chain.from_iterable(map(_values, some))]
        start, left = start + heads, left - heads


class _Counting:
    """Counts on from the last position, which no other transaction moves meanwhile."""

    epoch = 0
    xid = 0

    def __init__(self, last: int) -> None:
        self.next: Final[Callable[[], int]] = count(last + 1).__next__


class SqliteOrdering:
    """Keeps the protocol ``Ordering``."""

    single_writer = True
    order = "position"
    last = _LAST
    bytes_as_stored = (
        # Reading text that is not UTF-8 fails, and no event has a content of one question mark.
        "CASE WHEN typeof({column}) IN ('blob', 'null') THEN {column} ELSE x'3f' END"
    )
    text_as_stored = "CAST({column} AS BLOB)"
    version = "SELECT 'SQLite ' || sqlite_version()"
    clock = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    one_clock = False

    def take(
        self, tx: Transaction, places: Sequence[Place], events: int, *, patient: bool
    ) -> Heads:
        """Read the heads: nobody has to be waited for."""
        del events, patient
        rows: dict[Place, HeadRow] = {}
        for place in places:
            if (row := tx.one(_HEAD, place)) is not None:
                rows[place] = HeadRow(*row)
        kept: dict[None, _Counting] = tx.cache.setdefault(_KEPT, {})
        placing = kept.get(None)
        if placing is None:
            placing = kept[None] = _Counting(only_row(tx, _LAST)[0])
        return Heads(rows, placing)

    def move(self, tx: Transaction, moved: Sequence[Moved]) -> None:
        if len(moved) == 1:
            done = tx.run(_MOVE, _values(moved[0]))
        else:
            done = sum([tx.run(sql, values) for sql, values in _in_few(moved)])
        if done != len(moved):
            raise HeadMoved("a stream does not end where this process remembers")

    def confirm_absent(self, tx: Transaction, places: Sequence[Place]) -> None:
        """Do nothing: nobody else writes meanwhile."""

    def confirm_whole(self, tx: Transaction) -> None:
        """Do nothing: a store is one file."""

    def after(self, tx: Transaction, position: Position) -> tuple[str, tuple[Any, ...]]:  # noqa: ARG002
        return "position > ?", (position.sequence,)

    def holder(self, tx: Transaction) -> None:
        """Return None: every committed event is visible."""
