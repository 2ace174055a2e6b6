"""Follow the log: everything but the waiting, which the two faces do."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple

from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore.api.operations.operation import Read
from eventstore.core.events import Position
from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.storage.read import StoredEvent
from eventstore.storage.transaction import Transaction
from eventstore.storage.whole_store import Filter
from eventstore.subscriptions.pages import Seen, StreamPage, look
from eventstore.subscriptions.subscription_state import PageOutcome, SubscriptionState

__all__ = ["TROUBLES", "Await", "Follow", "Subscribe"]

T = TypeVar("T")
K = TypeVar("K", bound=SubscriptionState[Any], default=Any)
G = TypeVar("G", default=Any)

TROUBLES: Final = (StoreBusy, StoreUnavailable)
"""Errors of reading that may, for some reasons, pass."""
_PASSING: Final = frozenset({"connection_lost", "disk_full", "io_error", "out_of_memory"})
"""Reasons for being unavailable that may pass; the consumer gets errors of other reasons."""

_log = logging.getLogger("eventstore.subscriptions")


class SharedLook(NamedTuple, Generic[T]):
    """A look that one follower may perform for all that follow something of its kind."""

    key: Any
    """The thing that it follows, or the place that it has come to."""
    look: Callable[[Transaction, Sequence[Any]], Mapping[Any, T]]
    """Returns what is found for each of several keys, without those that are not there."""
    of: Any = None
    """The followed thing whose followers may share it; None if it looks at all things at once."""
    snapshot: bool = False
    """As in ``Read``."""
    brief: bool = False
    """As in ``Read``."""


class Follow(ABC, Generic[T, K, G]):
    """An iterator over what is there and what comes: its items, its course, and its pages."""

    key: Any = None
    """The thing that it follows, if it shares looks with others."""

    def shared(self, course: K) -> SharedLook[G] | None:  # noqa: ARG002
        """Return the next look if it may be shared; ``page`` follows if it finds nothing."""
        return None

    @abstractmethod
    def begin(self) -> K:
        """Return the first place."""

    @abstractmethod
    def page(self, course: K) -> Read[G]:
        """Return the read of the next page. Nothing of it is held afterwards."""

    @abstractmethod
    def heard(self, course: K, page: G) -> Iterator[T]:
        """Yield the items of a page; then move on."""

    def failed(self, course: K, error: StoreBusy | StoreUnavailable) -> None:
        """Handle the error of reading a page.

        Raises:
            StoreUnavailable: ``error`` itself, if waiting will not mend it.
        """
        if isinstance(error, StoreUnavailable) and error.reason not in _PASSING:
            raise error
        if course.move(PageOutcome.TROUBLE):
            _log.warning("a follower waits for the database, and then goes on: %s", error)


class Await(Follow[T, K, G]):
    """A follower that yields one item, once it is there."""


class Subscribe(Follow[T, SubscriptionState[Position], StreamPage]):
    """Everything after a position, and later events: it does not end."""

    def __init__(
        self,
        only: Filter,
        after: Position,
        poll_seconds: float,
        pause_seconds: float,
        shown: Callable[[StoredEvent], T],
    ) -> None:
        """Create it. ``shown`` decodes an event on demand."""
        self._only = only
        self._after = after
        self._poll_seconds = poll_seconds
        self._pause_seconds = pause_seconds
        self._shown = shown

    def begin(self) -> SubscriptionState[Position]:
        return SubscriptionState(self._after, self._poll_seconds, self._pause_seconds)

    def page(self, course: SubscriptionState[Position]) -> Read[StreamPage]:
        place, seen = course.place, course.seen
        return Read(lambda tx: look(tx, self._only, place, seen))

    def heard(self, course: SubscriptionState[Position], page: StreamPage) -> Iterator[T]:
        """Yield the events of a page, decoded on demand; then move on.

        Raises:
            BrokenChain: an event is missing, and those before it were yielded.
        """
        for stored in page.events:
            yield self._shown(stored)
        if page.broken is not None:
            raise page.broken
        if page.events:
            course.seen = Seen(page.events[-1], page.known)
        elif course.seen is not None:
            course.seen = course.seen._replace(known=page.known)
        course.looked(news=bool(page.events))
        course.move(page.found, page.place)
