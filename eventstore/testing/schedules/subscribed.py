"""A subscription of ``ConversationStore`` as a reader: it receives events and never polls."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from eventstore import ConversationStore, Position, RecordedEvent, StoreClosed
from eventstore.testing.schedules.protocol import Delivered

__all__ = ["Subscribed"]

_SEEN_BY_CHANCE_SECONDS: Final = 3600.0
"""The interval of polling; so long that a subscription without signals stalls."""
_WAIT_SECONDS: Final = 0.05
_END_SECONDS: Final = 0.1


class Subscribed:
    """Buffers the events of a subscription, and blocks it while ``room`` events wait."""

    def __init__(
        self, store: ConversationStore, delivered: Callable[[RecordedEvent], Delivered], room: int
    ) -> None:
        self._store = store
        self._delivered = delivered
        self._events: queue.Queue[RecordedEvent] = queue.Queue(room)
        self._ended = threading.Event()
        self._follower: threading.Thread | None = None
        self._error: Exception | None = None
        self._after: Position | None = None

    def read_after(self, cursor: object, limit: int) -> Sequence[Delivered]:
        """Return the events delivered meanwhile; the first cursor says where to begin."""
        if self._follower is None:
            assert cursor is None or isinstance(cursor, Position)
            self._after = cursor
            self._follower = threading.Thread(target=self._follow, daemon=True)
            self._follower.start()
        if cursor != self._after:
            raise ValueError(f"a subscription goes on after {self._after}, not after {cursor}")
        found = self._taken(limit)
        if found:
            self._after = found[-1].position
        elif self._error is not None:
            raise self._error
        return [self._delivered(one) for one in found]

    def end(self) -> None:
        """Accept nothing more; the follower ends with the next event, or with its store."""
        self._ended.set()

    def _taken(self, limit: int) -> list[RecordedEvent]:
        found: list[RecordedEvent] = []
        try:
            found.append(self._events.get(timeout=_WAIT_SECONDS))
            while len(found) < limit:
                found.append(self._events.get_nowait())
        except queue.Empty:
            pass
        return found

    def _follow(self) -> None:
        try:
            for event in self._store.events.subscribe(
                after=self._after, poll_seconds=_SEEN_BY_CHANCE_SECONDS
            ):
                if not self._handed_over(event):
                    return
        except StoreClosed:
            self._ended.set()
        except Exception as error:  # noqa: BLE001 (raised in the reader)
            self._error = error

    def _handed_over(self, event: RecordedEvent) -> bool:
        while not self._ended.is_set():
            try:
                self._events.put(event, timeout=_END_SECONDS)
            except queue.Full:
                continue
            return True
        return False
