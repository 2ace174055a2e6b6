"""Our store for the schedules, whose every reader is a subscription.

One that is closed begins again from the last position it had.
"""

import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eventstore.testing.schedules import Delivered
from eventstore.testing.schedules.ours import OurStore, _name

SLOW = 1
"""Events that a slow subscriber takes at a time, before it is let on."""


class Subscribed:
    """A reader that is handed what a subscription delivers, and holds it up meanwhile."""

    def __init__(self, store, room):
        self._store = store
        self._events: queue.Queue[Any] = queue.Queue(room)
        self._ended = threading.Event()
        self._thread = None
        self._after = None

    def _follow(self, after):
        for event in self._store.events.subscribe(after=after, poll_seconds=3600):
            while not self._ended.is_set():
                try:
                    self._events.put(event, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self._ended.is_set():
                return

    def read_after(self, cursor, limit):
        if self._thread is None:
            self._thread = threading.Thread(target=self._quietly, args=(cursor,), daemon=True)
            self._thread.start()
        assert cursor == self._after or self._after is None
        found: list[Any] = []
        while len(found) < limit and not (found and self._events.empty()):
            try:
                found.append(self._events.get(timeout=0.05))
            except queue.Empty:
                break
        if found:
            self._after = found[-1].position
        return [Delivered(one.position, one.stream_id, one.version, _name(one)) for one in found]

    def _quietly(self, cursor):
        try:
            self._follow(cursor)
        except Exception:
            if not self._ended.is_set():
                raise

    def end(self):
        self._ended.set()


@dataclass(frozen=True)
class _Connected:
    connected: Any
    room: int

    def writer(self):
        return self.connected.writer()

    @contextmanager
    def reader(self):
        subscribed = Subscribed(self.connected.store, self.room)
        try:
            yield subscribed
        finally:
            subscribed.end()


@dataclass(frozen=True)
class SubscribedStore(OurStore):
    """Our store, read through subscriptions alone."""

    room: int = 100

    @contextmanager
    def connect(self):
        with super().connect() as connected:
            yield _Connected(connected, self.room)
