"""What comes after a place, and how far the log may be read: one snapshot of the database."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventstore.core.events import Position
from eventstore.errors import BrokenChain
from eventstore.storage.read import StoredEvent
from eventstore.storage.transaction import Transaction
from eventstore.storage.whole_store import Filter, read_all
from eventstore.subscriptions.course import Found

__all__ = ["Looked", "look"]

_END: Final = "SELECT epoch, xid, position, {} FROM {{events}} ORDER BY {} LIMIT 1"
_END_SHOWN: Final = "SELECT epoch, xid, position FROM {{events}} WHERE {} ORDER BY {} LIMIT 1"


class Looked(NamedTuple):
    """What was found after a place."""

    found: Found
    events: list[StoredEvent]
    place: Position
    """Where to look next: nothing that is wanted lies between the last event and it."""
    broken: BrokenChain | None = None
    """Why it goes no further: an event is missing."""


def look(tx: Transaction, only: Filter, after: Position) -> Looked:
    """Return the next page.

    Where a page is not full, the place is the end of what may be shown, so that a subscription to
    rare events does not go over all the others each time.
    """
    events, more, broken = read_all(tx, only, after=after)
    if more or broken is not None:
        return Looked(Found.FULL, events, events[-1].position if events else after, broken)
    end, held = _end(tx, after)
    return Looked(Found.HELD if held else Found.SHORT, events, max(end, after))


def _end(tx: Transaction, after: Position) -> tuple[Position, bool]:
    """Return the last place that may be shown, and whether anything lies beyond it."""
    shown, parameters = tx.ordering.after(tx, after)
    backwards = ", ".join(f"{column} DESC" for column in tx.ordering.order.split(", "))
    last = tx.one(_END.format(shown, backwards), parameters)
    if last is None:
        return after, False
    if last[3]:
        return Position(*last[:3]), False
    if Position(*last[:3]) <= after:
        return after, False
    row = tx.one(_END_SHOWN.format(shown, backwards), parameters)
    return (after if row is None else Position(*row)), True
