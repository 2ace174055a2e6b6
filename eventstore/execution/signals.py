"""Wake-ups for whoever follows the log: hints that there may be something new, and nothing more.

Every executor has one, ``changed``. What commits tells it, what follows waits on it::

    since = changed.mark            # before looking, so that a commit meanwhile is not missed
    found = look()
    if not found:
        changed.wait(since, 1.0)    # or: await changed.wait_async(since, 1.0)

``tell`` is called after every commit of this process, so it costs next to nothing while nobody
waits: one new mark, one look at an empty dict. The mark is an object of its own each time, because
two threads that count up at once can bring a counter back to a number that was seen before.

Nothing is lost between looking and waiting: the one who tells sets the mark and then looks for
waiters, the one who waits makes itself known and then looks at the mark. A hint may still not
come (a commit by hand, a connection that died), which is why every wait ends by itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from eventstore.errors import StoreClosed
from eventstore.execution import forks

__all__ = ["Signals", "are_news"]

_SOON_SECONDS: Final = 0.25
"""How long after an application says COMMIT itself it is looked for often."""
_OFTEN_SECONDS: Final = 0.01


def _nothing() -> None:
    """Nobody else has to be told."""


class Signals:
    """Wakes threads, and tasks of any event loop, when something may have been committed."""

    def __init__(self, wanted: Callable[[], None] = _nothing) -> None:
        """``wanted`` is called before each wait, where it waits: it starts to listen elsewhere."""
        self.mark: object = object()
        """Another object after every ``tell``."""
        self._wanted = wanted
        # One that a signal handler may take again: it may write while its thread goes to wait.
        self._lock = threading.RLock()
        self._waiting: dict[object, Callable[[], None]] = {}
        self._soon_until = 0.0
        self._closed = False
        forks.watch(self)

    @property
    def in_demand(self) -> bool:
        """Whether anybody waits now."""
        return bool(self._waiting)

    def tell(self) -> None:
        """Say that something may be new. Called from any thread, by whoever committed."""
        self.mark = object()
        if self._waiting:
            self._wake()

    def tell_soon(self, *_: Any) -> None:  # noqa: ANN401 (SQLAlchemy's Connection)
        """Say that an application is about to commit: a listener for the event "commit".

        SQLAlchemy calls it before it commits and says nothing afterwards, so whoever follows looks
        now and then often for a moment.
        """
        self._soon_until = time.monotonic() + _SOON_SECONDS
        self.tell()

    def wait(self, since: object, seconds: float) -> bool:
        """Wait in a thread until there is another mark than ``since``, for that long at most.

        Returns whether there is.

        Raises:
            StoreClosed: the store was closed, before or meanwhile.
        """
        told = threading.Event()
        with self._waiter(told.set):
            if self.mark is since and not self._closed:
                told.wait(self._patience(seconds))
        return self._outcome(since)

    async def wait_async(self, since: object, seconds: float) -> bool:
        """Do the same in a task."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed, and the task with it
                loop.call_soon_threadsafe(_settle, told)

        with self._waiter(wake):
            if self.mark is since and not self._closed:
                await asyncio.wait([told], timeout=self._patience(seconds))
        return self._outcome(since)

    def close(self) -> None:
        """End every wait, now and later, with StoreClosed. Idempotent."""
        self._closed = True
        self.tell()

    @contextmanager
    def _waiter(self, wake: Callable[[], None]) -> Iterator[None]:
        """Make a waiter known while it waits."""
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

    def _outcome(self, since: object) -> bool:
        if self._closed:
            raise StoreClosed
        return self.mark is not since

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for wake in waiting.values():
            wake()

    # -- forking -------------------------------------------------------------------------------

    def before_fork(self, until: float) -> None:
        """Nothing that is held hinders a fork."""

    def after_fork_in_parent(self) -> None:
        """Nothing was changed."""

    def after_fork(self) -> None:
        """Forget whoever waits: those threads and loops are the parent's."""
        self._lock = threading.RLock()
        self._waiting = {}


def _settle(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


def are_news(outcomes: Iterable[Any]) -> bool:
    """Tell whether events were appended: a refusal, or work on tables, is no news to followers."""
    for outcome in outcomes:  # noqa: SIM110 (any() costs three times as much for one outcome)
        if getattr(outcome, "positions", ()):
            return True
    return False
