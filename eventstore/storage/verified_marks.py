"""Read the ends of streams as of a position in the log, and the streams that went on since.

A mark of a verification holds a position and a digest of all ends as of it. The digest is a sum, so
it does not depend on the order in which the streams are read.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from eventstore.core.events import Position
from eventstore.storage.interning import category_name
from eventstore.storage.transaction import Transaction

__all__ = ["digest_of_ends", "erased_since", "streams_since"]

_SINCE: Final = (
    "SELECT DISTINCT category, stream FROM {events} WHERE (epoch, xid, position) > (?, ?, ?)"
    " AND tenant = ?"
)
_ERASED: Final = (
    "SELECT 1 FROM {events} WHERE (epoch, xid, position) > (?, ?, ?)"
    " AND type IN ('ContentErased', 'ThreadPurged') LIMIT 1"
)
_ENDS: Final = (
    "SELECT category, stream, version, hash FROM {streams} WHERE tenant = ?"
    " AND (category, stream) > (?, ?) ORDER BY category, stream LIMIT 1000"
)
_END: Final = (
    "SELECT version, hash FROM {events} WHERE tenant = ? AND category = ? AND stream = ?"
    " AND (epoch, xid, position) <= (?, ?, ?) ORDER BY version DESC LIMIT 1"
)
_MODULUS: Final = 2**256


def streams_since(tx: Transaction, tenant: int, position: Position) -> list[tuple[int, bytes]]:
    """Return the streams of a tenant that have an event behind a position, in order."""
    rows = tx.all(_SINCE, (*position, tenant))
    return sorted((category, bytes(stream)) for category, stream in rows)


def erased_since(tx: Transaction, position: Position) -> bool:
    """Return whether anything was erased or purged behind a position, in any tenant."""
    return tx.one(_ERASED, position) is not None


def digest_of_ends(tx: Transaction, tenant: int, position: Position) -> tuple[int, bytes]:
    """Return the number of streams as of a position, and a digest of their ends.

    Streams that were purged since are not among them.
    """
    changed = {*streams_since(tx, tenant, position)}
    names: dict[int, bytes] = {}
    total = count = 0
    after = (-1, b"")
    while rows := tx.all(_ENDS, (tenant, *after)):
        for category, key, version, last in rows:
            stream, end = bytes(key), (version, bytes(last))
            after = category, stream
            if after in changed:
                row = tx.one(_END, (tenant, category, stream, *position))
                if row is None:
                    continue  # it began later
                end = row[0], bytes(row[1])
            name = names.get(category) or category_name(tx, category).encode()
            names[category] = name
            said = b"%d:%b%b%d:%b" % (len(name), name, stream, *end)
            total = (total + int.from_bytes(sha256(said).digest())) % _MODULUS
            count += 1
    return count, total.to_bytes(32)
