"""Reads the events after a place, and the end of the readable log, in one snapshot."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventstore.core.events import Position
from eventstore.errors import BrokenChain, StoreUnavailable
from eventstore.storage.read import StoredEvent
from eventstore.storage.transaction import Transaction
from eventstore.storage.whole_store import Filter, check_not_ahead, read_all
from eventstore.subscriptions.subscription_state import PageOutcome

__all__ = ["Seen", "StreamPage", "look"]

_END: Final = "SELECT epoch, xid, position, {} FROM {{events}} ORDER BY {} LIMIT 1"
_HASH: Final = "SELECT hash FROM {events} WHERE epoch = ? AND xid = ? AND position = ?"
_REMEDY: Final = (
    "Compare what you made of the events with the store, and subscribe again from a position that"
    " both have, or from the start."
)
_END_SHOWN: Final = "SELECT epoch, xid, position FROM {{events}} WHERE {} ORDER BY {} LIMIT 1"


class StreamPage(NamedTuple):
    """The events found after a place."""

    found: PageOutcome
    events: list[StoredEvent]
    place: Position
    """Place to read from next: no matching event lies between the last event and it."""
    broken: BrokenChain | None = None
    """Set if the page ends because an event is missing."""
    known: object = None
    """The store's cached knowledge of its database at that time."""


class Seen(NamedTuple):
    """A delivered event."""

    event: StoredEvent
    known: object
    """The store's cached knowledge of its database at that time; it changes with a restore."""


def _check_seen(tx: Transaction, seen: Seen) -> None:
    position = seen.event.position
    row = tx.one(_HASH, position)
    if row is None or bytes(row[0]) != seen.event.hash:
        raise StoreUnavailable(
            "restored",
            f"the subscription had reached position {position}, but the log now has a different"
            " event there, or none: an older backup was restored",
            _REMEDY,
        )


def look(tx: Transaction, only: Filter, after: Position, seen: Seen | None = None) -> StreamPage:
    """Return the next page; ``seen`` is the last delivered event.

    After a page that is not full, the place is the end of the readable log, so that a subscription
    to rare events does not scan the others again.

    Raises:
        StoreUnavailable: ``"restored"``; the log no longer holds the last delivered event.
    """
    if seen is not None and seen.known is not tx.interned:  # the store dropped its cache
        _check_seen(tx, seen)
    events, more, broken = read_all(tx, only, after=after)
    if more or broken is not None:
        place = events[-1].position if events else after
        return StreamPage(PageOutcome.FULL, events, place, broken, tx.interned)
    if not events:
        check_not_ahead(tx, after, "the subscription", _REMEDY)
    end, held = _end(tx, after)
    found = PageOutcome.HELD if held else PageOutcome.SHORT
    return StreamPage(found, events, max(end, after), known=tx.interned)


def _end(tx: Transaction, after: Position) -> tuple[Position, bool]:
    """Return the last readable place, and whether events lie beyond it."""
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
