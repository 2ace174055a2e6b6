"""Order on PostgreSQL, where transactions commit in another order than they began.

The obvious ways lose or swap events. A reader that pages by a sequence number passes over a
transaction that drew its number early and commits late. One that pages by transaction id below the
oldest running one (``pg_snapshot_xmin``) loses none, but swaps events within a stream: an older
transaction may get a stream's lock after a younger one committed to it.

So every event has an **order key**, kept in the stream's row, too: under that row's lock it is the
greater of the transaction's own id and the stream's last key. Sequence numbers are drawn after all
locks are held and decide between equal keys. Readers page by (key, sequence) below the horizon of
running transactions. Within a stream keys never go down and numbers go up, so its events come in
order of version; and no transaction can still commit a key below the horizon, so none is passed
over.

Heads are locked in the order of their ids, so two appends never wait for each other in a circle.
Those that another transaction has are left out (SKIP LOCKED), to be waited for one by one: an
application that keeps one thread locked holds up that thread alone.

A database restored from a dump counts transactions from the start again. The key therefore begins
with an **epoch**, raised when stored ids are ahead of the server's; events of earlier epochs are
below any horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.core.events import Position
from eventstore.storage.ordering import HeadRow, Heads, Holder, Place

__all__ = ["CHANNEL", "PostgresOrdering", "raise_epoch"]

CHANNEL: Final = "eventstore"
"""Where every append says that there is something new."""

_WANTED: Final = (
    "FROM unnest(?::int4[], ?::int4[], ?::bytea[]) AS wanted (tenant, category, stream)"
    " JOIN {streams} s USING (tenant, category, stream)"
)
_TAKE: Final = (
    "SELECT s.tenant, s.category, s.stream, s.version, s.recorded_at, s.hash, s.epoch, s.xid"
    f" {_WANTED} ORDER BY s.tenant, s.category, s.stream FOR UPDATE OF s"
)
_TAKE_FREE: Final = f"{_TAKE} SKIP LOCKED"
_PRESENT: Final = f"SELECT s.tenant, s.category, s.stream {_WANTED}"
_DRAW: Final = (
    "SELECT (SELECT epoch FROM {epochs}), pg_current_xact_id()::text::int8,"
    " nextval('{positions}'), pg_notify(?, '') FROM generate_series(1, ?)"
)
_BELOW_HORIZON: Final = (
    "(epoch, xid, position) > (?, ?, ?) AND (epoch, xid) <"
    " ((SELECT epoch FROM {epochs}), pg_snapshot_xmin(pg_current_snapshot())::text::int8)"
)
_AHEAD: Final = (
    "SELECT 1 FROM {events} WHERE (epoch, xid) >="
    " ((SELECT epoch FROM {epochs}), pg_snapshot_xmax(pg_current_snapshot())::text::int8) LIMIT 1"
)
_RAISE: Final = "UPDATE {epochs} SET epoch = epoch + 1"
_HOLDER: Final = (
    "SELECT pid, coalesce(backend_xid, backend_xmin)::text, state, application_name,"
    " extract(epoch FROM xact_start)::float8 FROM pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
    " ORDER BY age(backend_xid) DESC LIMIT 1"
)


class _Drawing:
    """Draws from the sequence, a handful at a time; numbers that are not used are gaps."""

    def __init__(self, tx: Any, events: int) -> None:  # noqa: ANN401 (a Transaction)
        self._tx = tx
        self._events = events
        self.epoch, self.xid = self._draw()

    def _draw(self) -> tuple[int, int]:
        channel = self._tx.naming.plain(CHANNEL)
        rows = self._tx.all(_DRAW, (channel, self._events))
        self._numbers = [row[2] for row in reversed(rows)]
        return rows[0][0], rows[0][1]

    def next(self) -> int:
        if not self._numbers:
            self._draw()
        return int(self._numbers.pop())


class PostgresOrdering:
    """Keeps the protocol ``Ordering``."""

    alone = False
    order = "epoch, xid, position"
    version = "SELECT 'PostgreSQL ' || current_setting('server_version')"

    def take(self, tx: Any, places: Sequence[Place], *, patient: bool) -> Heads:  # noqa: ANN401 (a Transaction)
        rows = _heads(tx.all(_TAKE if patient else _TAKE_FREE, _columns(places)))
        missing = [place for place in places if place not in rows]
        if patient or not missing:
            return Heads(rows)
        present = tx.all(_PRESENT, _columns(missing))
        return Heads(rows, {(row[0], row[1], bytes(row[2])) for row in present})

    def placing(self, tx: Any, events: int) -> _Drawing:  # noqa: ANN401
        return _Drawing(tx, events)

    def after(self, position: Position) -> tuple[str, tuple[Any, ...]]:
        return _BELOW_HORIZON, tuple(position)

    def holder(self, tx: Any) -> Holder | None:  # noqa: ANN401
        row = tx.one(_HOLDER)
        return None if row is None else Holder(*row)


def _columns(places: Sequence[Place]) -> tuple[list[Any], ...]:
    tenants, categories, streams = zip(*places, strict=True)
    return list(tenants), list(categories), list(streams)


def _heads(rows: Sequence[Sequence[Any]]) -> dict[Place, HeadRow]:
    return {(row[0], row[1], bytes(row[2])): HeadRow(*row[3:8]) for row in rows}


def raise_epoch(tx: Any) -> bool:  # noqa: ANN401
    """Begin a new epoch if stored order keys are ahead of the server's transaction ids."""
    if tx.one(_AHEAD) is None:
        return False
    tx.run(_RAISE)
    return True
