"""The iterator that a follower of the log gives the application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from eventstore.execution.signals import Signals
from eventstore.subscriptions.subscription_state import SubscriptionState

__all__ = ["Following"]

T = TypeVar("T")


class Following(Iterator[T]):
    """Yields events that are there, and those that come; any thread may end it with ``close``."""

    def __init__(
        self, items: Iterator[T], course: SubscriptionState[Any], changed: Signals
    ) -> None:
        self._items = items
        self._course = course
        self._changed = changed

    def __next__(self) -> T:
        if self._course.closed:
            raise StopIteration
        return next(self._items)

    def close(self) -> None:
        """End the iteration, also while another thread waits in it. Idempotent."""
        self._course.closed = True
        self._changed.tell()  # it looks up, and sees
