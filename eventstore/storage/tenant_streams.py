"""Walk along the streams of a tenant, for work on all of them."""

from __future__ import annotations

from typing import Final

from eventstore.core import codec
from eventstore.core.events import Position, StreamKey
from eventstore.storage.interning import category_name, find_category, find_tenant
from eventstore.storage.ordering import Place
from eventstore.storage.transaction import Transaction

__all__ = ["happened_since", "next_stream_behind", "streams_beside", "versions_with_content"]

_NEXT: Final = (
    "SELECT category, stream FROM {streams} WHERE tenant = ? AND (category, stream) > (?, ?)"
    " ORDER BY category, stream LIMIT 1"
)
_BESIDE: Final = (
    "SELECT category, stream, version FROM {streams} WHERE tenant = ?"
    " AND category <> ? AND category <> ? ORDER BY category, stream LIMIT 100"
)
_IN: Final = "FROM {events} WHERE tenant = ? AND category = ? AND stream = ?"
_CONTENTS: Final = f"SELECT version {_IN} AND content IS NOT NULL AND type <> ? ORDER BY version"
_ERASED: Final = f"SELECT data {_IN} AND type = 'ContentErased'"
_SINCE: Final = (
    "SELECT 1 FROM {events} WHERE (epoch, xid, position) > (?, ?, ?) AND tenant = ? LIMIT 1"
)
_EVENTS_MAX: Final = 2_000


def next_stream_behind(
    tx: Transaction, tenant: str, after: tuple[int, bytes]
) -> tuple[tuple[int, bytes], StreamKey] | None:
    """Return the next stream of a tenant and its key; None at the end."""
    row = tx.one(_NEXT, (find_tenant(tx, tenant), *after))
    if row is None:
        return None
    place = row[0], bytes(row[1])
    return place, StreamKey(tenant, category_name(tx, place[0]), place[1])


def streams_beside(tx: Transaction, tenant: str, *categories: str) -> list[StreamKey]:
    """Return some streams of a tenant that are in neither of two categories.

    Together they have so few events that one transaction may remove them, or it is only one.
    """
    without = [find_category(tx, name) or 0 for name in categories]
    found: list[StreamKey] = []
    events = 0
    for category, stream, version in tx.all(_BESIDE, (find_tenant(tx, tenant), *without)):
        events += version
        if found and events > _EVENTS_MAX:
            break
        found.append(StreamKey(tenant, category_name(tx, category), bytes(stream)))
    return found


def versions_with_content(tx: Transaction, place: Place, without: str) -> list[int]:
    """Return the events of a stream whose content is there and not listed to go.

    Those of the type ``without`` are left out.
    """
    gone = {
        version
        for (data,) in tx.all(_ERASED, place)
        for version in codec.decode_any(data)["versions"]
    }
    found = tx.all(_CONTENTS, (*place, without))
    return [version for (version,) in found if version not in gone]


def happened_since(tx: Transaction, tenant: str, position: Position) -> bool:
    """Return whether a tenant has an event behind a position."""
    return tx.one(_SINCE, (*position, find_tenant(tx, tenant))) is not None
