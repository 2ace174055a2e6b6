"""List a tenant's threads: a page by creation or last activity, all or by metadata.

The index of metadata holds each thread's place in that order. So a page of the threads with one
value is a range of the index, however many threads there are and however many have the value. With
several values, the rarest leads, and the others are looked up for each thread that has it.

The last activity stands in the row of the thread's stream and moves with each event, so no index
holds it: every append would move an entry of it. The threads that match are sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.core import ids
from eventstore.storage.interning import find_category
from eventstore.storage.transaction import Transaction, only_row
from eventstore.threads.hidden_words import hidden_name

__all__ = ["Filter", "Listing", "Place", "find_threads"]

Filter: TypeAlias = tuple[str, str]
"""A key of metadata and its value, as the index holds them."""


Place: TypeAlias = tuple[int] | tuple[int, bytes]
"""A thread's place: its position of creation; or the time of its last activity, and its id."""


class Listing(NamedTuple):
    """The page of threads to list."""

    archived: bool | None
    include_deleted: bool
    by_activity: bool
    """In the order of last activity, not of creation."""
    start: Place | None
    """The place of the last thread of the page before."""
    newest_first: bool
    most: int


_COUNTED: Final = (16, 256, 4_096)
"""Limits up to which threads with a value are counted, in turn until a value has fewer."""
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
_ITS_STREAM: Final = (
    " CROSS JOIN {streams} s WHERE s.tenant = m.tenant AND s.category = ?"
    " AND s.stream = m.thread AND "
)
_ACTIVE: Final = (
    "SELECT t.thread FROM {streams} s CROSS JOIN {threads} t"
    " WHERE t.tenant = s.tenant AND t.thread = s.stream AND s.tenant = ? AND s.category = ?"
)


def find_threads(
    tx: Transaction, tenant: int, filters: Sequence[Filter], listing: Listing
) -> list[bytes]:
    """Return the ids of a page of threads that have every value of ``filters``.

    With encryption, threads written before it was switched on have their values in plain, and the
    others hidden. Each kind is found in its own order, and both are merged.
    """
    hidden = [
        (hidden_name(tx, tenant, key), hidden_name(tx, tenant, value)) for key, value in filters
    ]
    found = _found(tx, tenant, filters, listing)
    if hidden != [*filters]:
        both = [*found, *_found(tx, tenant, hidden, listing)]
        found = sorted(both, key=itemgetter(slice(1, None)), reverse=listing.newest_first)
    return [bytes(row[0]) for row in found[: listing.most]]


def _found(
    tx: Transaction, tenant: int, filters: Sequence[Filter], listing: Listing
) -> list[Sequence[Any]]:
    if listing.by_activity:
        return _by_activity(tx, tenant, filters, listing)
    sql, place = _ALL, "t.created_position"
    parameters: list[Any] = [tenant]
    if filters:
        first, *others = _rarest_first(tx, tenant, filters)
        sql, place = _WITH_VALUE + _AND_VALUE * len(others), "m.created_position"
        parameters += [*first, *_texts(others)]
    return _page(tx, sql, parameters, (place,), listing)


def _by_activity(
    tx: Transaction, tenant: int, filters: Sequence[Filter], listing: Listing
) -> list[Sequence[Any]]:
    category = find_category(tx, ids.THREAD)
    if category is None:
        return []
    sql = _ACTIVE
    parameters: list[Any] = [tenant, category]
    if filters:
        first, *others = _rarest_first(tx, tenant, filters)
        sql = _WITH_VALUE.replace(" WHERE ", _ITS_STREAM, 1) + _AND_VALUE * len(others)
        parameters = [category, tenant, *first, *_texts(others)]
    return _page(tx, sql, parameters, ("s.recorded_at", "s.stream"), listing)


def _texts(filters: Sequence[Filter]) -> list[str]:
    return [text for one in filters for text in one]


def _page(
    tx: Transaction, sql: str, parameters: list[Any], place: tuple[str, ...], listing: Listing
) -> list[Sequence[Any]]:
    """Return the threads behind a place, in order, each with its place."""
    sql = sql.replace(".thread FROM", f".thread, {', '.join(place)} FROM", 1)
    if listing.archived is not None:
        sql += f" AND t.archived = {int(listing.archived)}"
    if not listing.include_deleted:
        sql += " AND t.deleted = 0"
    if listing.start is not None:
        beyond = "<" if listing.newest_first else ">"
        marks = ", ".join("?" * len(place))
        sql += f" AND ({', '.join(place)}) {beyond} ({marks})"
        parameters = [*parameters, *listing.start]
    way = "DESC" if listing.newest_first else "ASC"
    sql += f" ORDER BY {', '.join(f'{column} {way}' for column in place)} LIMIT ?"
    return tx.all(sql, (*parameters, listing.most))


def _rarest_first(tx: Transaction, tenant: int, filters: Sequence[Filter]) -> list[Filter]:
    if len(filters) == 1:
        return [*filters]
    asked: list[Any] = [value for one in filters for value in (tenant, *one)]
    counts: dict[Filter, int] = {}
    for most in _COUNTED:
        counted = ", ".join([_COUNT.format(most=most)] * len(filters))
        counts = dict(zip(filters, only_row(tx, f"SELECT {counted}", asked), strict=True))
        if min(counts.values()) < most:
            break
    return sorted(filters, key=counts.__getitem__)
