"""Compare the table ``assistants`` with the log: everything in it follows from two events each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.core import ids
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["assistants_that_differ"]

_ROWS: Final = (
    "SELECT s.stream, s.version, f.position, f.recorded_at, l.recorded_at,"
    " CASE WHEN EXISTS (SELECT 1 FROM {events} d WHERE d.tenant = s.tenant"
    " AND d.category = s.category AND d.stream = s.stream AND d.type = 'AssistantDeleted')"
    " THEN 1 ELSE 0 END,"
    " a.version, a.created_position, a.created_at, a.updated_at, a.deleted"
    " FROM {streams} s"
    " JOIN {events} f ON f.tenant = s.tenant AND f.category = s.category AND f.stream = s.stream"
    " AND f.version = 1"
    " JOIN {events} l ON l.tenant = s.tenant AND l.category = s.category AND l.stream = s.stream"
    " AND l.version = s.version"
    " LEFT JOIN {assistants} a ON a.tenant = s.tenant AND a.assistant = s.stream"
    " WHERE s.tenant = ? AND s.category = ? AND s.stream > ? ORDER BY s.stream LIMIT 1000"
)
_ALONE: Final = (
    "SELECT a.assistant, a.version FROM {assistants} a LEFT JOIN {streams} s"
    " ON s.tenant = a.tenant AND s.category = ? AND s.stream = a.assistant"
    " WHERE a.tenant = ? AND s.stream IS NULL"
)


def assistants_that_differ(tx: Transaction, tenant_name: str) -> Iterator[tuple[str, int, str]]:
    """Yield id, version and difference of each assistant of a tenant whose row is not right."""
    tenant, category = find_tenant(tx, tenant_name), find_category(tx, ids.ASSISTANT) or 0
    after = b""
    while rows := tx.all(_ROWS, (tenant, category, after)):
        for stream, version, *columns in rows:
            wanted, found = (version, *columns[:4]), tuple(columns[4:])
            if found != wanted:
                wrong = (
                    "has other values" if any(one is not None for one in found) else "is missing"
                )
                yield ids.show(ids.ASSISTANT, stream), version, f"assistants: the row {wrong}"
        after = bytes(rows[-1][0])
    for stream, version in tx.all(_ALONE, (category, tenant)):
        yield ids.show(ids.ASSISTANT, stream), version, "assistants: a row that no event made"
