"""Order events on PostgreSQL, where transactions commit in another order than they began.

The obvious ways lose or swap events. A reader that pages by a sequence number passes over a
transaction that drew its number early and commits late. One that pages by transaction id below the
oldest running one (``pg_snapshot_xmin``) loses none, but swaps events within a stream: an older
transaction may get a stream's lock after a younger one committed to it.

So every event has an **order key**, kept in the stream's row, too: under that row's lock it is the
greater of the transaction's own id and the stream's last key. Sequence numbers are drawn after all
locks are held and decide between equal keys. Readers page by (key, sequence) below the horizon of
running transactions. Within a stream keys never decrease and numbers increase, so its events come
in order of version; and no transaction can still commit a key below the horizon, so none is passed
over.

Heads are locked in the order of their ids, so two appends never deadlock. Heads that another
transaction has locked are skipped (SKIP LOCKED) and waited for one by one: an application that
keeps one thread locked delays that thread alone.

A database restored from a dump counts transactions from the start again. The key therefore begins
with an **epoch**, raised when stored ids are ahead of the server's; events of earlier epochs are
below any horizon.

Ids of different nodes do not compare. Where Citus has cut the table of events into shards, there is
no order of the whole store, and reading it is refused; a thread's own order is by version. A schema
that Citus places as a whole is on one node with all its tables, and has its order there.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from eventstore.core.events import Position
from eventstore.errors import Refused
from eventstore.storage.ordering import HeadRow, Heads, Holder, Moved, Place
from eventstore.storage.postgres_failures import Raced
from eventstore.storage.statements import Update
from eventstore.storage.transaction import Transaction, only_row

__all__ = ["CHANNEL", "PostgresOrdering", "raise_epoch"]

CHANNEL: Final = "eventstore"
"""The channel on which every append notifies listeners."""

_WANTED: Final = (
    "FROM unnest(?::int4[], ?::int4[], ?::bytea[]) AS wanted (tenant, category, stream)"
    " JOIN {streams} s USING (tenant, category, stream)"
)
_TAKE: Final = (
    "SELECT s.tenant, s.category, s.stream, s.version, s.recorded_at, s.hash, s.epoch, s.xid"
    f" {_WANTED} ORDER BY s.tenant, s.category, s.stream FOR UPDATE OF s"
)
_DRAW: Final = (
    "SELECT (SELECT epoch FROM {epochs}), pg_current_xact_id()::text::int8,"
    " nextval('{events_position_seq}')"
)


def _take_and_draw(take: str, draw: str) -> str:
    """Return a statement that locks heads, and draws once all are locked.

    The second part has to count the first one's rows before it draws: this makes it wait.
    """
    return (
        f"WITH taken AS MATERIALIZED ({take}), locked AS MATERIALIZED (SELECT count(*) FROM taken)"
        " SELECT tenant, category, stream, version, recorded_at, hash, epoch, xid FROM taken"
        " UNION ALL SELECT NULL, NULL, NULL, drawn.position, NULL, NULL, drawn.epoch, drawn.xid"
        f" FROM ({draw} FROM locked, generate_series(1, ?)) AS drawn (epoch, xid, position, told)"
    )


_TAKE_ONE: Final = (
    "SELECT tenant, category, stream, version, recorded_at, hash, epoch, xid FROM {streams}"
    " WHERE tenant = ? AND category = ? AND stream = ? FOR UPDATE"
)
_PRESENT: Final = f"SELECT s.tenant, s.category, s.stream {_WANTED}"
_TAKING: Final = {
    (True, True): _TAKE_ONE,
    (True, False): f"{_TAKE_ONE} SKIP LOCKED",
    (False, True): _TAKE,
    (False, False): f"{_TAKE} SKIP LOCKED",
}
"""One entry for a single head, which costs the server half, and one for more; each with and without
waiting."""
_TELLING: Final = f"{_DRAW}, pg_notify(?, '')::text"
_SILENT: Final = f"{_DRAW}, ?::text"
_MOVE: Final = Update(
    "streams",
    ("version", "recorded_at", "hash", "epoch", "xid", "summary"),
    ("tenant", "category", "stream"),
)
_BELOW_HORIZON: Final = (
    "(epoch, xid, position) > (?, ?, ?) AND (epoch, xid) <"
    " ((SELECT epoch FROM {epochs}), pg_snapshot_xmin(pg_current_snapshot())::text::int8)"
)
_AHEAD: Final = (
    "SELECT 1 FROM {events} WHERE (epoch, xid) >="
    " ((SELECT epoch FROM {epochs}), pg_snapshot_xmax(pg_current_snapshot())::text::int8) LIMIT 1"
)
_CITUS: Final = (
    "SELECT to_regclass('pg_catalog.pg_dist_partition')::text,"
    " to_regclass('pg_catalog.pg_dist_schema')::text"
)
_DISTRIBUTED: Final = (
    "SELECT partmethod::text FROM pg_catalog.pg_dist_partition"
    " WHERE logicalrelid = to_regclass(?::text)"
)
_WHOLE: Final = "n"
"""Citus's mark for a table that is not cut into shards: it stands on one node, or on each."""
_SCHEMA_IS_SHARD: Final = (
    "SELECT 1 FROM pg_catalog.pg_dist_schema JOIN pg_catalog.pg_class ON relnamespace = schemaid"
    " WHERE pg_class.oid = to_regclass(?::text)"
)
_RAISE: Final = "UPDATE {epochs} SET epoch = epoch + 1"
_HOLDER: Final = (
    "SELECT pid, prepared, xid::text, state, application, since, place FROM ("
    "SELECT pid, NULL::text AS prepared, backend_xid AS xid, state,"
    " application_name AS application, extract(epoch FROM xact_start)::float8 AS since,"
    " datname::text AS place FROM pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
    " UNION ALL SELECT NULL::int4, gid, transaction, 'prepared', '',"
    " extract(epoch FROM prepared)::float8, database::text FROM pg_prepared_xacts"
    ") AS open ORDER BY age(xid) DESC LIMIT 1"
)


_DRAWN_MAX: Final = 1_024


class _Drawing:
    """Draws numbers of the sequence, a handful at a time; unused ones are gaps.

    The handful doubles, so that a command of thousands of events makes few trips.
    """

    def __init__(self, tx: Transaction, draw: str, rows: Sequence[tuple[int, int, int]]) -> None:
        self._tx = tx
        self._draw = draw
        self._count = len(rows)
        self._refill(rows)

    def _refill(self, rows: Sequence[tuple[int, int, int]]) -> None:
        self.epoch, self.xid, _ = rows[0]
        self._numbers = sorted((number for _, __, number in rows), reverse=True)

    def next(self) -> int:
        if not self._numbers:
            self._count = min(2 * self._count, _DRAWN_MAX)
            self._refill(_drawn(self._tx, self._draw, self._count))
        return self._numbers.pop()


def _drawn(tx: Transaction, draw: str, count: int) -> list[tuple[int, int, int]]:
    rows = tx.all(draw, (tx.naming.plain(CHANNEL), count))
    return [(row[0], row[1], row[2]) for row in rows]


_end_of: Final = attrgetter("row", "summary", "place")


class PostgresOrdering:
    """Keeps the protocol ``Ordering``."""

    single_writer = False
    order = "epoch, xid, position"
    bytes_as_stored = text_as_stored = "{column}"
    last = (
        "SELECT coalesce((SELECT position FROM {events}"
        " ORDER BY epoch DESC, xid DESC, position DESC LIMIT 1), 0)"
    )
    version = "SELECT 'PostgreSQL ' || current_setting('server_version')"
    clock = "(extract(epoch FROM clock_timestamp()) * 1000000)::int8"
    one_clock = True

    def __init__(self, *, tells: bool = True) -> None:
        """Create it. ``tells``: appends notify listeners; otherwise listeners have to poll."""
        draw = _TELLING if tells else _SILENT
        self._draw = f"{draw} FROM generate_series(1, ?)"
        self._taking = {how: _take_and_draw(take, draw) for how, take in _TAKING.items()}

    def take(
        self, tx: Transaction, places: Sequence[Place], events: int, *, patient: bool
    ) -> Heads:
        if not places:
            return Heads({}, _Drawing(tx, self._draw, _drawn(tx, self._draw, events)))
        one = len(places) == 1
        sql = self._taking[one, patient]
        wanted = places[0] if one else _columns(places)
        found = tx.all(sql, (*wanted, tx.naming.plain(CHANNEL), events))
        rows = {
            (row[0], row[1], bytes(row[2])): HeadRow(*row[3:8])
            for row in found
            if row[0] is not None
        }
        placing = _Drawing(
            tx, self._draw, [(row[6], row[7], row[3]) for row in found if row[0] is None]
        )
        missing = [place for place in places if place not in rows]
        if patient or not missing:
            return Heads(rows, placing)
        present = tx.all(_PRESENT, _columns(missing))
        return Heads(rows, placing, {(row[0], row[1], bytes(row[2])) for row in present})

    def move(self, tx: Transaction, moved: Sequence[Moved]) -> None:
        """Write without comparing: this transaction has read every head and holds its lock."""
        tx.write(
            _MOVE,
            [
                (row.version, row.recorded_at_us, row.hash, row.epoch, row.xid, summary, *place)
                for row, summary, place in map(_end_of, moved)
            ],
        )

    def confirm_absent(self, tx: Transaction, places: Sequence[Place]) -> None:
        if tx.all(_PRESENT, _columns(places)):
            raise Raced("another transaction made the same stream at the same moment")

    def confirm_whole(self, tx: Transaction) -> None:
        if tx.interned.whole:
            return
        if not _is_whole(tx):
            raise Refused(
                "distributed_schema",
                "the events are distributed over nodes, whose transactions have no common order",
                "Read threads one by one with events.read(); or open a store for each shard, in a"
                " schema that Citus places as a whole: there read_all(), subscribe() and"
                " projections work",
            )
        tx.interned.whole = True

    def after(self, tx: Transaction, position: Position) -> tuple[str, tuple[Any, ...]]:
        self.confirm_whole(tx)
        return _BELOW_HORIZON, tuple(position)

    def holder(self, tx: Transaction) -> Holder | None:
        row = tx.one(_HOLDER)
        if row is None:
            return None
        pid, prepared, transaction, state, application, since, place = row
        remedy = _END_SESSION.format(pid) if prepared is None else _ended(prepared, place)
        return Holder(pid, prepared, transaction, state, application, since, remedy)


_END_SESSION: Final = "SELECT pg_terminate_backend({}) ends it"


def _ended(prepared: str, place: str) -> str:
    """Return the statement that ends a transaction prepared for a two-phase commit."""
    name = "'" + prepared.replace("'", "''") + "'"
    return f"COMMIT PREPARED {name} or ROLLBACK PREPARED {name} ends it, in the database {place}"


def _columns(places: Sequence[Place]) -> tuple[list[Any], ...]:
    tenants, categories, streams = zip(*places, strict=True)
    return list(tenants), list(categories), list(streams)


def _is_whole(tx: Transaction) -> bool:
    """Return whether all events stand on one node, beside everything that orders them."""
    events = (tx.naming.sql("{events}"),)
    shards, schemas = only_row(tx, _CITUS)
    if shards is None or (row := tx.one(_DISTRIBUTED, events)) is None:
        return True
    if row[0] != _WHOLE or schemas is None:
        return False
    return tx.one(_SCHEMA_IS_SHARD, events) is not None


def raise_epoch(tx: Transaction) -> bool:
    """Begin a new epoch if stored order keys are ahead of the server's transaction ids."""
    if tx.one(_AHEAD) is None:
        return False
    tx.run(_RAISE)
    return True
