"""Which threads a tenant has: a page of them in the order of creation, all or by metadata.

The index of metadata holds each thread's place in that order, so a page of the threads with one
value is a range of the index, however many threads there are and however many have the value. Of
several values the rarest leads, and the others are looked up for each thread that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.storage.transaction import Transaction

__all__ = ["Filter", "Listing", "find_threads"]

Filter: TypeAlias = tuple[str, str]
"""A key of metadata and its value, as the index holds them."""


class Listing(NamedTuple):
    """Which page of threads is asked for."""

    archived: bool | None
    include_deleted: bool
    start: int | None
    """The place of the last thread of the page before."""
    newest_first: bool
    most: int


_COUNTED: Final = (16, 256, 4_096)
"""Up to how many threads with a value are counted, one after the other until a value has fewer."""
_COUNT: Final = (
    "(SELECT count(*) FROM (SELECT 1 FROM {{thread_metadata}}"
    " WHERE tenant = ? AND key = ? AND value = ? LIMIT {most}) AS few)"
)
_ALL: Final = "SELECT t.thread FROM {threads} t WHERE t.tenant = ?"
_WITH_VALUE: Final = (
    # CROSS JOIN: SQLite would rather walk through all threads in their order
    "SELECT m.thread FROM {thread_metadata} m CROSS JOIN {threads} t"
    " WHERE t.tenant = m.tenant AND t.thread = m.thread"
    " AND m.tenant = ? AND m.key = ? AND m.value = ?"
)
_AND_VALUE: Final = (
    " AND EXISTS (SELECT 1 FROM {thread_metadata} o WHERE o.tenant = m.tenant"
    " AND o.thread = m.thread AND o.key = ? AND o.value = ?)"
)


def find_threads(
    tx: Transaction, tenant: int, filters: Sequence[Filter], listing: Listing
) -> list[bytes]:
    """Return the ids of a page of threads that have every value of ``filters``."""
    sql, place = _ALL, "t.created_position"
    parameters: list[Any] = [tenant]
    if filters:
        first, *others = _rarest_first(tx, tenant, filters)
        sql, place = _WITH_VALUE + _AND_VALUE * len(others), "m.created_position"
        parameters += [*first, *(text for other in others for text in other)]
    if listing.archived is not None:
        sql += f" AND t.archived = {int(listing.archived)}"
    if not listing.include_deleted:
        sql += " AND t.deleted = 0"
    if listing.start is not None:
        sql += f" AND {place} {'<' if listing.newest_first else '>'} ?"
        parameters.append(listing.start)
    sql += f" ORDER BY {place} {'DESC' if listing.newest_first else 'ASC'} LIMIT ?"
    return [bytes(row[0]) for row in tx.all(sql, (*parameters, listing.most))]


def _rarest_first(tx: Transaction, tenant: int, filters: Sequence[Filter]) -> list[Filter]:
    if len(filters) == 1:
        return [*filters]
    asked: list[Any] = [value for one in filters for value in (tenant, *one)]
    counts: dict[Filter, int] = {}
    for most in _COUNTED:
        counted = ", ".join([_COUNT.format(most=most)] * len(filters))
        counts = dict(zip(filters, tx.one(f"SELECT {counted}", asked), strict=True))
        if min(counts.values()) < most:
            break
    return sorted(filters, key=counts.__getitem__)
