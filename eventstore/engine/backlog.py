"""The runs that an engine wants, and those that it may begin now. Nothing here waits.

::

    wanted ──▶ ready ──▶ at work ──▶ rested
                 ▲          │ not its turn, or held by another engine
                 └─ later ◀─┘

A run is ready once, however often it is wanted. It comes back from "later" when another run of its
thread ended, when its time has come, or when it is wanted again. Any thread may call these methods.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import NamedTuple

from eventstore import Run

__all__ = ["Backlog", "Key"]


class Key(NamedTuple):
    """A run of a thread."""

    thread_id: str
    run_id: str


class Backlog:
    """The runs of one engine."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._ready: deque[Key] = deque()
        self._at_work: set[Key] = set()
        self._again: set[Key] = set()
        """Wanted while at work: something may have changed since they looked."""
        self._later: dict[Key, float | None] = {}
        """With the time at which to look again, if one is known."""
        self._waiting: dict[Key, Future[Run | None]] = {}
        self._reserved = 0
        """Places of runs that are being created."""
        self._closed = False

    def want(self, key: Key, *, changed: bool = False) -> Future[Run | None]:
        """Want a run; the future is done when it rests, with the run if it is known.

        ``changed``: something happened to it, so a run at work is looked at once more afterwards.
        """
        with self._lock:
            future = self._waiting.setdefault(key, Future())
            self._later.pop(key, None)
            if key in self._at_work:
                if changed:
                    self._again.add(key)
            elif key not in self._ready:
                self._ready.append(key)
            return future

    def take(self) -> Key | None:
        """Return a run to begin, if there is one and few enough are at work."""
        with self._lock:
            if not self._ready or not self._has_room():
                return None
            key = self._ready.popleft()
            self._at_work.add(key)
            return key

    def _has_room(self) -> bool:
        return not self._closed and len(self._at_work) + self._reserved < self._concurrency

    def reserve(self) -> bool:
        """Keep a place for a run that is being created, if there is one and nobody waits for it."""
        with self._lock:
            free = not self._ready and self._has_room()
            self._reserved += free
            return free

    @property
    def reserving(self) -> bool:
        """Whether a run is being created, and claimed with that."""
        return self._reserved > 0

    def filled(self, key: Key | None) -> bool:
        """Give a reserved place to a run, or back; return whether the run may begin."""
        with self._lock:
            self._reserved -= 1
            if key is None or self._closed:
                return False
            self._waiting.setdefault(key, Future())
            self._at_work.add(key)
            return True

    def rested(self, key: Key, run: Run | None = None) -> None:
        """Note that a run rests; other runs of its thread may have their turn."""
        with self._lock:
            self._at_work.discard(key)
            if key in self._again and not self._closed:
                self._again.discard(key)
                self._ready.append(key)
                return
            future = self._waiting.pop(key, None)
            self._turn(key.thread_id)
        if future is not None:
            future.set_result(run)

    def later(self, key: Key, at: float | None = None) -> None:
        """Note that a run cannot begin yet; look again at a time, if one is given."""
        with self._lock:
            self._at_work.discard(key)
            if key in self._again:
                self._again.discard(key)
                self._ready.append(key)
            else:
                self._later[key] = at

    def turn(self, thread_id: str) -> None:
        """Note that a run of a thread ended, wherever."""
        with self._lock:
            self._turn(thread_id)

    def _turn(self, thread_id: str) -> None:
        self._wake([key for key in self._later if key.thread_id == thread_id])

    def due(self, now: float) -> float | None:
        """Make ready whatever is due; return the time of the next."""
        with self._lock:
            self._wake([key for key, at in self._later.items() if at is not None and at <= now])
            return min((at for at in self._later.values() if at is not None), default=None)

    def _wake(self, keys: list[Key]) -> None:
        for key in keys:
            del self._later[key]
            self._ready.append(key)

    def close(self) -> list[Future[Run | None]]:
        """Begin nothing any more; return what is done once the runs at work rest."""
        with self._lock:
            self._closed = True
            return [self._waiting[key] for key in self._at_work if key in self._waiting]

    def give_up(self) -> None:
        """Cancel the futures of all who wait: nothing more happens here."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.cancel()
