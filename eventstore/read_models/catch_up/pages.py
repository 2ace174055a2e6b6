"""Read the events after a checkpoint, and measure how far behind a projection is.

A projection that wants only some types or categories moves its checkpoint over the others, too. If
a page is not full, every event of the snapshot was examined, and the checkpoint may move to the
last one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from eventstore.core.events import Position
from eventstore.errors import BrokenChain
from eventstore.read_models.catch_up.definition import Definition
from eventstore.storage.interning import find_tenant
from eventstore.storage.read import StoredEvent
from eventstore.storage.transaction import Transaction, only_row
from eventstore.storage.whole_store import START, Filter, check_not_ahead, read_all

__all__ = ["Lag", "Page", "lag", "last_position", "next_page"]


class Page(NamedTuple):
    """Events to apply, and the checkpoint after them."""

    events: list[StoredEvent]
    end: Position
    broken: BrokenChain | None = None
    """The error that ends the page early: an event is missing."""


class Lag(NamedTuple):
    """The events that are not yet in a projection's tables."""

    events: int
    since_us: int | None
    """The time when the first of them was recorded."""


def next_page(tx: Transaction, definition: Definition, after: Position, limit: int) -> Page:
    """Return up to ``limit`` events after a checkpoint, in the order of the store."""
    wanted = Filter(categories=definition.categories, types=definition.types)
    found, more, broken = read_all(tx, wanted, after=after, limit=limit)
    if more or broken is not None:
        return Page(found, found[-1].position if found else after, broken)
    if not found:
        check_not_ahead(tx, after, f"the projection {definition.name}", _REMEDY)
    return Page(found, max(after, last_position(tx)))


_REMEDY: Final = (
    "Rebuild its tables with store.projections.rebuild(projection=…), and catch up: what they"
    " hold may come from events that are gone."
)


def last_position(tx: Transaction) -> Position:
    """Return the position of the last event that is safe to show."""
    where, parameters = tx.ordering.after(tx, START)
    order = ", ".join(f"{column} DESC" for column in tx.ordering.order.split(", "))
    row = tx.one(
        f"SELECT epoch, xid, position FROM {{events}} WHERE {where} ORDER BY {order} LIMIT 1",
        parameters,
    )
    return START if row is None else Position(*row)


def lag(tx: Transaction, after: Position, tenant: str | None) -> Lag:
    """Return the number of events after a checkpoint, of every kind; of one tenant, or of all.

    Raises:
        Refused: the schema is distributed over nodes, so there is no such order.
    """
    where, parameters = tx.ordering.after(tx, after)
    order = tx.ordering.order
    if tenant is not None:
        number = find_tenant(tx, tenant)
        if number is None:
            return Lag(0, None)
        # "+ 0" keeps the index of the order in use, as in whole_store.
        where, parameters = f"{where} AND tenant + 0 = ?", (*parameters, number)
    first = tx.one(
        f"SELECT recorded_at FROM {{events}} WHERE {where} ORDER BY {order} LIMIT 1", parameters
    )
    if first is None:
        return Lag(0, None)
    count = only_row(tx, f"SELECT count(*) FROM {{events}} WHERE {where}", parameters)
    return Lag(int(count[0]), int(first[0]))
