"""Follow the log: everything but the waiting, which the two faces do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from eventstore.api.operations.operation import Read
from eventstore.core.events import Position
from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.storage.read import StoredEvent
from eventstore.storage.whole_store import Filter
from eventstore.subscriptions.pages import Seen, StreamPage, look
from eventstore.subscriptions.subscription_state import PageOutcome, SubscriptionState

__all__ = ["TROUBLES", "Subscribe"]

T = TypeVar("T")

TROUBLES: Final = (StoreBusy, StoreUnavailable)
"""Errors of reading that may, for some reasons, pass."""
_PASSING: Final = frozenset({"connection_lost", "disk_full", "io_error", "out_of_memory"})
"""Reasons for being unavailable that may pass; the consumer gets errors of other reasons."""

_log = logging.getLogger("eventstore.subscriptions")


class Subscribe(NamedTuple, Generic[T]):
    """Everything after a place, and later events: an iterator that does not end."""

    only: Filter
    after: Position
    poll_seconds: float
    shown: Callable[[StoredEvent], T]

    def begin(self) -> SubscriptionState:
        """Return the first place of a subscription."""
        return SubscriptionState(self.after, self.poll_seconds)

    def page(self, course: SubscriptionState) -> Read[StreamPage]:
        """Return the read of the next page. Nothing of it is held afterwards."""
        place, seen = course.place, course.seen
        return Read(lambda tx: look(tx, self.only, place, seen))

    def heard(self, course: SubscriptionState, page: StreamPage) -> Iterator[T]:
        """Yield the events of a page, decoded on demand; then move on.

        Raises:
            BrokenChain: an event is missing, and those before it were yielded.
        """
        for stored in page.events:
            yield self.shown(stored)
        if page.broken is not None:
            raise page.broken
        if page.events:
            course.seen = Seen(page.events[-1], page.known)
        elif course.seen is not None:
            course.seen = course.seen._replace(known=page.known)
        course.move(page.found, page.place)

    def failed(self, course: SubscriptionState, error: StoreBusy | StoreUnavailable) -> None:
        """Handle the error of reading a page.

        Raises:
            StoreUnavailable: ``error`` itself, if waiting will not mend it.
        """
        if isinstance(error, StoreUnavailable) and error.reason not in _PASSING:
            raise error
        if course.move(PageOutcome.TROUBLE):
            _log.warning("a subscription waits for the database, and then goes on: %s", error)
