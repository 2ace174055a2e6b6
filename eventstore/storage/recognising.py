"""Notice that a database was restored or replaced while a store has it open.

A store remembers numbers of tenants and categories, heads and positions. They hold for one database
that only moves forwards. A backup restored under the store takes the database back, and it then
gives the same numbers to other names. So a transaction checks before it uses anything remembered:
it compares the random id that the first migration gave the database, and the hash of the newest
event that the store has seen, the **landmark**. Where either differs, or the event is missing, the
database is not the remembered one.

Another process's commit never looks like that, except for a purge, which deletes events for good.
It leaves a tombstone of their thread, so a landmark that is missing from a purged thread was not
lost.

A database that went back, but not behind the landmark, needs no notice: every remembered fact was
true by then.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from eventstore.core.events import Position
from eventstore.storage.transaction import Interned, Landmark, Transaction, only_row

__all__ = ["RESTORED", "id_of_store", "recognise"]

RESTORED: Final = (
    "the database was restored from a backup while the store had it open: what was written after"
    " the backup is gone, and the store goes on from there"
)

_START: Final = Position(0, 0, 0)
_LOOK: Final = (
    "SELECT s.id, known.hash, e.epoch, e.xid, e.position, e.hash, e.tenant, e.stream"
    " FROM {{store}} s"
    " LEFT JOIN {{events}} known ON known.epoch = ? AND known.xid = ? AND known.position = ?"
    " LEFT JOIN (SELECT epoch, xid, position, hash, tenant, stream FROM {{events}}"
    " ORDER BY {} LIMIT 1) e ON 1 = 1"
)
_ID: Final = "SELECT id FROM {store}"
_PURGED: Final = "SELECT 1 FROM {tombstones} WHERE tenant = ? AND thread = ?"


def recognise(tx: Transaction, known: Interned) -> bool:
    """Return whether this is the database that ``known`` was learned from; learn its end.

    This must be the first statement of the transaction's snapshot. A snapshot that is older than
    the landmark would look like a database that went back.
    """
    landmark = known.landmark
    row = tx.one(_look(tx.ordering.order), _START if landmark is None else landmark.position)
    store_id = None if row is None else bytes(row[0])
    if known.store_id is not None and store_id != known.store_id:
        return False
    found = None if row is None or row[1] is None else bytes(row[1])
    if landmark is not None and found != landmark.hash and not _purged(tx, found, landmark):
        return False
    known.store_id = store_id
    if row is not None and row[2] is not None:
        known.see(Landmark(Position(*row[2:5]), bytes(row[5]), row[6], bytes(row[7])))
    return True


def id_of_store(tx: Transaction) -> bytes:
    """Return the random id of the database, which is never shown to a tenant."""
    known = tx.interned.store_id
    return known if known is not None else bytes(only_row(tx, _ID)[0])


def _purged(tx: Transaction, found: bytes | None, landmark: Landmark) -> bool:
    """Return whether a landmark is missing because its thread was purged."""
    return found is None and tx.one(_PURGED, (landmark.tenant, landmark.stream)) is not None


@cache
def _look(order: str) -> str:
    backwards = ", ".join(f"{column} DESC" for column in order.split(", "))
    return _LOOK.format(backwards)
