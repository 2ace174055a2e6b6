"""Find events and blobs without their counterparts, which only manual SQL can cause.

Triggers let a blob be deleted only after its event's content, and let content be erased alone: so a
manual erasure that forgets the blob leaves the words. ``threads/log_findings.py`` calls it.
Neither statement reads a content: the database knows its length without looking at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.interning import category_name, find_category, find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["Unpaired", "unpaired_blobs", "unpaired_elsewhere", "unpaired_in"]


class Unpaired(NamedTuple):
    """A blob that no event refers to, or an event whose blob is missing."""

    stream: StreamKey
    version: int
    is_blob: bool


_SAME: Final = " AND ".join(
    f"e.{column} = b.{column}" for column in ("tenant", "category", "stream", "version")
)
_BLOBS: Final = (
    "SELECT b.category, b.stream, b.version, 1"
    f" FROM {{blobs}} b LEFT JOIN {{events}} e ON {_SAME}"
    " WHERE (e.content IS NULL OR length(e.content) > 0) AND b.tenant = ?"
)
_EVENTS: Final = (
    "SELECT e.category, e.stream, e.version, 0"
    f" FROM {{events}} e LEFT JOIN {{blobs}} b ON {_SAME}"
    " WHERE b.version IS NULL AND length(e.content) = 0 AND e.tenant = ?"
)
_ORDER: Final = " ORDER BY 1, 2, 3, 4"
_IN_STREAM: Final = (
    f"{_BLOBS} AND b.category = ? AND b.stream = ?"
    f" UNION ALL {_EVENTS} AND e.category = ? AND e.stream = ?{_ORDER}"
)
_ELSEWHERE: Final = (
    f"{_BLOBS} AND NOT EXISTS (SELECT 1 FROM {{streams}} s WHERE s.tenant = b.tenant"
    " AND s.category = b.category AND s.category = ? AND s.stream = b.stream)"
    f" UNION ALL {_EVENTS} AND e.category <> ?{_ORDER}"
)


def unpaired_in(tx: Transaction, stream: StreamKey) -> list[Unpaired]:
    """Return the events and blobs of one stream without their counterparts, in order."""
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, stream.category)
    place = tenant, category, stream.id
    found = tx.all(_IN_STREAM, (*place, *place))
    return [Unpaired(stream, version, bool(is_blob)) for _, _, version, is_blob in found]


def unpaired_blobs(tx: Transaction, tenant: str) -> list[Unpaired]:
    """Return the blobs of a tenant that no event refers to."""
    return _named(tx, tenant, tx.all(f"{_BLOBS}{_ORDER}", (find_tenant(tx, tenant),)))


def unpaired_elsewhere(tx: Transaction, tenant: str) -> list[Unpaired]:
    """Return those of a tenant in streams that are no threads, or no longer exist."""
    number, threads = find_tenant(tx, tenant), find_category(tx, ids.THREAD) or 0
    found = tx.all(_ELSEWHERE, (number, threads, number, threads))
    return _named(tx, tenant, found)


def _named(tx: Transaction, tenant: str, found: Sequence[Sequence[Any]]) -> list[Unpaired]:
    return [
        Unpaired(StreamKey(tenant, category_name(tx, category), bytes(key)), version, bool(is_blob))
        for category, key, version, is_blob in found
    ]
