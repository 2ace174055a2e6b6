"""``store.threads.list``: pages of a tenant's threads, by creation or by last activity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from eventstore.api.operations.inputs import (
    checked_flag,
    checked_order,
    checked_sort,
)
from eventstore.api.operations.loaders import thread_row
from eventstore.api.operations.operation import (
    Read,
    Scope,
)
from eventstore.api.operations.place_cursors import cursor_of_place, place_behind, place_cursor
from eventstore.conversation.present import thread_value
from eventstore.conversation.rows import ThreadRow
from eventstore.conversation.values import Thread
from eventstore.core.json_values import check_object
from eventstore.core.pages import (
    EVERYTHING,
    Count,
    Order,
    PageOf,
    check_limit,
    decode_cursor,
    encode_cursor,
    listing_key,
)
from eventstore.errors import InvalidInput
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads.finding import Filter, Listing, Place, find_threads
from eventstore.threads.indexes import metadata_key, metadata_text
from eventstore.threads.stored_thread import StoredThread

__all__ = ["ThreadSort", "checked_filters", "list_"]


ThreadSort: TypeAlias = Literal["created", "activity"]
"""Order of threads: when they were created, or when something last happened in them."""


_FILTERS_MAX: Final = 32


_Threads = PageOf[Thread]  # once: pydantic looks for it each time


def list_(
    scope: Scope,
    *,
    metadata: Mapping[str, object] | None = None,
    archived: bool | None = None,
    include_deleted: bool = False,
    after: str | None = None,
    limit: int | None = 100,
    sort: ThreadSort = "created",
    order: Order = "asc",
) -> Read[PageOf[Thread]]:
    """Return a page of threads, in the order they were created or last active.

    A page continues after the last thread of the one before. A thread that becomes active meanwhile
    moves to the newest end of the order of activity: with ``order="desc"`` later pages leave it
    out, with ``order="asc"`` they show it again. By creation a page costs the same among any number
    of threads; by activity all threads that match are sorted, so filter by ``metadata`` where a
    tenant has very many.

    Args:
        metadata: Top-level values that a thread's metadata must have: texts, numbers, booleans
            or None.
        archived: True for archived threads alone, False for the others alone, None for both.
        include_deleted: List deleted threads, too.
        after: A page's ``next_cursor``, to begin behind it.
        limit: Most threads on the page; None is all of them.
        sort: ``"created"``, or ``"activity"``: by ``updated_at``, when something last happened.
        order: ``"asc"`` is oldest first, ``"desc"`` newest first.

    Raises:
        InvalidInput: a value is malformed, or the cursor belongs to another listing.
    """
    size = check_limit(limit, scope.log.limits.page_size_max)
    newest = checked_order(order)
    wanted = {} if metadata is None else check_object(metadata, "metadata", scope.log.limits)
    if archived is not None:
        checked_flag(archived, "archived")
    checked_flag(include_deleted, "include_deleted")
    filters = _filters(wanted)
    active = checked_sort(sort) == "activity"
    listing = listing_key(
        "threads", scope.tenant, active, newest, wanted, archived, include_deleted
    )
    place = _place_of(listing, after, active=active)

    def look(tx: Transaction) -> PageOf[Thread]:
        asked = Listing(
            archived=archived,
            include_deleted=include_deleted,
            by_activity=active,
            start=None if place is None else place(tx),
            newest_first=newest,
            most=EVERYTHING if size is None else size + 1,
        )
        tenant = find_tenant(tx, scope.tenant)
        found = [] if tenant is None else find_threads(tx, tenant, filters, asked)
        more = size is not None and len(found) > size
        shown = found[:size] if more else found
        threads = []
        for thread_id in shown:
            view = StoredThread(tx, scope.log, scope.tenant, thread_id)
            threads.append((view, thread_row(view)))
        return _Threads(
            data=tuple(thread_value(view, row) for view, row in threads),
            next_cursor=_cursor(tx, listing, threads[-1][1], active=active) if more else None,
        )

    return Read(look)


def _place_of(
    listing: bytes, after: str | None, *, active: bool
) -> Callable[[Transaction], Place] | None:
    """Return a function that reads the place of a cursor, in which a log position is sealed."""
    if after is None:
        return None
    if active:
        place = decode_cursor(listing, after, tuple[Count, bytes])
        return lambda _: place
    sealed = place_cursor(listing, after)
    return lambda tx: (place_behind(tx, listing, sealed),)


def _cursor(tx: Transaction, listing: bytes, last: ThreadRow, *, active: bool) -> str:
    if active:
        return encode_cursor(listing, last.updated_at_us, last.thread_id)
    return cursor_of_place(tx, listing, last.created_position)


def checked_filters(scope: Scope, metadata: Mapping[str, object] | None) -> list[Filter]:
    """Return the filters for values of metadata.

    Raises:
        InvalidInput: naming ``metadata``.
    """
    given = {} if metadata is None else check_object(metadata, "metadata", scope.log.limits)
    return _filters(given)


def _filters(wanted: Mapping[str, Any]) -> list[Filter]:
    if len(wanted) > _FILTERS_MAX:
        raise InvalidInput("metadata", f"{len(wanted)} filters", f"Give at most {_FILTERS_MAX}.")
    filters = []
    for number, (key, value) in enumerate(wanted.items(), 1):
        text = metadata_text(value)
        if text is None:
            raise InvalidInput(
                "metadata",
                f"value {number} is not a text, number, boolean or null",
                "Filter by scalars.",
            )
        filters.append((metadata_key(key), text))
    return filters
