"""Count the transactions of a store, so that a thread can wait until all of them are over."""

from __future__ import annotations

import threading
import weakref
from time import monotonic
from typing import Any, Final

from eventstore.errors import StoreClosed

__all__ = ["TransactionGate"]


class TransactionGate:
    """Lets every transaction of a store pass, so that a thread can wait until all are over.

    Each thread has its own lock, its way, and holds it while it is inside. A lock is entered and
    left in C, where no signal handler runs, so an interrupt cannot leave a thread counted that has
    left. Shutting the gate takes the ways of all threads. ::

        with gate.way():
            gate.check_open()
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._ways: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
        """One for each thread that has entered and still lives."""
        self._adding: Final = threading.RLock()
        """Held while a way is added, and while the gate is shut."""
        self._shut = self._closed = False

    def way(self) -> threading.RLock:
        """Return the lock that the calling thread holds while it is inside."""
        try:
            return self._mine.way  # type: ignore[no-any-return]
        except AttributeError:
            return self._made()

    def _made(self) -> threading.RLock:
        way = threading.RLock()
        with self._adding:
            self._ways.add(way)  # first: an interrupt leaves no way that nobody knows
            self._mine.way = way
        return way

    def check_open(self) -> None:
        """Check that the gate was not closed while the caller waited for its way.

        Raises:
            StoreClosed: it was.
        """
        if self._closed:
            raise StoreClosed

    def is_inside(self) -> bool:
        """Return whether the calling thread is inside."""
        return _is_mine(self.way())

    def shut(self, until: float) -> bool:
        """Stop admission until :meth:`reopen`; return whether every thread left by ``until``.

        If the calling thread is inside, do not wait and shut nothing.
        """
        if self.is_inside():
            return False
        self._adding.acquire()
        self._shut = True
        return all(way.acquire(timeout=max(0.0, until - monotonic())) for way in list(self._ways))

    def reopen(self) -> None:
        """Admit threads again; the thread that shut the gate calls it."""
        if not self._shut:
            return
        self._shut = False
        for way in list(self._ways):
            if _is_mine(way):
                way.release()
        self._adding.release()

    def close(self) -> None:
        """Wait until every other thread has left; later callers get StoreClosed."""
        self._closed = True
        with self._adding:
            ways = list(self._ways)
        for way in ways:
            with way:
                continue


def _is_mine(way: threading.RLock) -> bool:
    return bool(way._is_owned())  # type: ignore[attr-defined] # noqa: SLF001 (not in typeshed)
