"""Count what each tenant has in the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from eventstore.core import ids
from eventstore.storage.transaction import Transaction, only_row

__all__ = ["TenantSize", "tenant_names", "tenant_sizes"]

_SIZES: Final = (
    "SELECT t.name, count(s.stream), coalesce(sum(s.version), 0),"
    " coalesce(sum(CASE WHEN c.name = ? THEN 1 ELSE 0 END), 0), max(s.recorded_at)"
    " FROM {tenants} t LEFT JOIN {streams} s ON s.tenant = t.id"
    " LEFT JOIN {categories} c ON c.id = s.category"
    " WHERE ? = 0 OR t.name = ? GROUP BY t.name ORDER BY t.name"
)
_BYTES: Final = (
    "SELECT coalesce(sum(length(e.data) + coalesce(length(e.content), 0)), 0)"
    " FROM {events} e WHERE e.tenant = (SELECT id FROM {tenants} WHERE name = ?)"
)
_APART: Final = (
    "SELECT coalesce(sum(length(b.content)), 0) FROM {blobs} b"
    " WHERE b.tenant = (SELECT id FROM {tenants} WHERE name = ?)"
)
_NAMES: Final = "SELECT name FROM {tenants} ORDER BY name"


class TenantSize(NamedTuple):
    """The size of a tenant."""

    name: str
    streams: int
    events: int
    threads: int
    last_event_at_us: int | None
    content_bytes: int | None


def tenant_names(tx: Transaction) -> list[str]:
    """Return the names of all tenants, in order."""
    return [str(row[0]) for row in tx.all(_NAMES)]


def tenant_sizes(tx: Transaction, only: str | None, *, measure: bool) -> Iterator[TenantSize]:
    """Yield the size of each tenant, or of one; ``measure`` also reads how long contents are."""
    given = (ids.THREAD, int(only is not None), only or "")
    for name, streams, events, threads, last in tx.all(_SIZES, given):
        size = None
        if measure:
            size = int(only_row(tx, _BYTES, (name,))[0]) + int(only_row(tx, _APART, (name,))[0])
        yield TenantSize(name, int(streams), int(events), int(threads), last, size)
