"""Wake-ups for followers of the log: hints that there may be something new, and nothing more.

Every executor has one, ``changed``. A commit calls ``tell``; a follower waits on it::

    since = changed.mark            # before looking, so that a commit meanwhile is not missed
    found = look()
    if not found:
        changed.wait(since, 1.0)    # or: await changed.wait_async(since, 1.0)

``tell`` is called after every commit of this process, so it costs next to nothing while nobody
waits: one new mark, one look at an empty dict. Each mark is a new object, because two threads that
increment a counter at once can bring it back to an earlier number.

No commit between looking and waiting is lost: ``tell`` sets the mark and then looks for waiters; a
waiter registers itself and then looks at the mark. A hint may still not come (a commit by hand, a
connection that died), so every wait has a time limit.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final

from eventstore.errors import StoreClosed
from eventstore.execution import forks

__all__ = ["Signals", "are_news"]

_SOON_SECONDS: Final = 0.25
"""Followers look often for this long after the application's own COMMIT."""
_OFTEN_SECONDS: Final = 0.01


def _nothing() -> None:
    """Do nothing: there is no listener to start."""


class Signals:
    """Wakes threads, and tasks of any event loop, when something may have been committed."""

    def __init__(self, wanted: Callable[[], None] = _nothing) -> None:
        """Create signals. ``wanted`` runs before each wait, in the waiter, to start a listener."""
        self._marks = count()  # drawing the next number is a single step, in any thread
        self.mark: int = next(self._marks)
        """Another number after every ``tell``. What is read once a mark was seen shows everything
        that smaller marks signalled, too."""
        self._wanted = wanted
        # A reentrant lock: a signal handler may write while its thread is about to wait.
        self._lock = threading.RLock()
        self._waiting: dict[object, Callable[[], None]] = {}
        self._soon_until = 0.0
        self._closed = False
        forks.watch(self)

    @property
    def in_demand(self) -> bool:
        """True while anybody waits."""
        return bool(self._waiting)

    def tell(self) -> None:
        """Signal that something may be new. Any thread may call it after a commit."""
        self.mark = next(self._marks)
        if self._waiting:
            self._wake()

    def tell_soon(self, *_: object) -> None:
        """Signal that an application is about to commit: a listener for the event "commit".

        SQLAlchemy calls it before it commits and reports nothing afterwards, so followers look
        often for a moment.
        """
        self._soon_until = time.monotonic() + _SOON_SECONDS
        self.tell()

    def wait(self, since: int, seconds: float) -> bool:
        """Wait in a thread until the mark differs from ``since``, at most that long.

        Return whether it differs.

        Raises:
            StoreClosed: the store was closed, before or meanwhile.
        """
        told = threading.Event()
        with self._waiter(told.set):
            if self.mark == since and not self._closed:
                told.wait(self._patience(seconds))
        return self._outcome(since)

    async def wait_async(self, since: int, seconds: float) -> bool:
        """Do the same in a task."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed, and the task with it
                loop.call_soon_threadsafe(_settle, told)

        with self._waiter(wake):
            if self.mark == since and not self._closed:
                await asyncio.wait([told], timeout=self._patience(seconds))
        return self._outcome(since)

    def close(self) -> None:
        """End every wait, now and later, with StoreClosed. Idempotent."""
        self._closed = True
        self.tell()

    @contextmanager
    def _waiter(self, wake: Callable[[], None]) -> Iterator[None]:
        """Register a waiter while it waits."""
        key = object()
        with self._lock:
            self._waiting[key] = wake
        try:
            if not self._closed:
                self._wanted()
            yield
        finally:
            with self._lock:
                self._waiting.pop(key, None)

    def _patience(self, seconds: float) -> float:
        return min(seconds, _OFTEN_SECONDS) if time.monotonic() < self._soon_until else seconds

    def _outcome(self, since: int) -> bool:
        if self._closed:
            raise StoreClosed
        return self.mark != since

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for wake in waiting.values():
            wake()

    # -- forking -------------------------------------------------------------------------------

    def before_fork(self, until: float) -> None:
        """Do nothing: no lock here hinders a fork."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the fork changed nothing in the parent."""

    def after_fork(self) -> None:
        """Forget the waiters: those threads and loops are the parent's."""
        self._lock = threading.RLock()
        self._waiting = {}


def _settle(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


def are_news(outcomes: Iterable[Any]) -> bool:
    """Return whether events or text were written: refusals, and work on tables, are no news."""
    for outcome in outcomes:
        if getattr(outcome, "positions", ()) or getattr(outcome, "wakes_readers", False):
            return True
    return False
