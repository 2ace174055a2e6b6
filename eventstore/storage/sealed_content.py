"""Find what data keys still seal in the log, before they are destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.core.codec import COVERED, SUBJECT
from eventstore.core.events import StreamKey
from eventstore.storage.interning import find_tenant
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction

__all__ = ["beginnings_of", "hides_any"]

BEGINNING: Final = 18
"""Bytes of sealed content up to the end of the key's id."""

_BY: Final = (
    "SELECT DISTINCT substr(coalesce(b.content, e.content), 1, {length}) FROM {{events}} e"
    " LEFT JOIN {{blobs}} b ON b.tenant = e.tenant AND b.category = e.category"
    " AND b.stream = e.stream AND b.version = e.version"
    " WHERE e.tenant = ? AND {whose} AND e.content IS NOT NULL"
)
_OF_SUBJECT: Final = _BY.format(length=BEGINNING, whose="e.subject = ?")
_OF_STREAM: Final = _BY.format(
    length=BEGINNING, whose="e.category = ? AND e.stream = ? AND e.subject IS NULL"
)


_HIDDEN: Final = (
    "SELECT 1 FROM {labels} WHERE tenant = ? AND label LIKE ? LIMIT 1",
    "SELECT 1 FROM {thread_metadata} WHERE tenant = ? AND key LIKE ? LIMIT 1",
    "SELECT 1 FROM {external_ids} WHERE tenant = ? AND external_id LIKE ? LIMIT 1",
)


def beginnings_of(tx: Transaction, owner: StreamKey) -> Iterator[bytes]:
    """Yield the different beginnings, with the id of a key, of the content that an owner has."""
    if owner.category == SUBJECT:
        found = tx.all(_OF_SUBJECT, (find_tenant(tx, owner.tenant), owner.id))
    else:
        place = place_of(tx, owner)
        found = [] if place is None else tx.all(_OF_STREAM, place)
    yield from (bytes(row[0]) for row in found)


def hides_any(tx: Transaction, tenant_name: str) -> bool:
    """Return whether any row of a tenant holds a word that its key hides."""
    tenant = find_tenant(tx, tenant_name)
    return any(tx.one(text, (tenant, f"{COVERED}%")) is not None for text in _HIDDEN)
