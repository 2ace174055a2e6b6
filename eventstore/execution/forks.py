"""What a store does when its process forks: preloading servers open it before they fork.

Locks and threads do not survive ``fork()``, and connections to SQLite must not even be idle across
it: the child's library remembers the parent's locks as its own, so a connection that the child
opens takes none, and whoever closes the file last elsewhere deletes the log under it, with what was
acknowledged in it. So a store on a URL closes its connections before each fork, once nobody is
inside a transaction, and parent and child open theirs at the next use. A store on an engine that
the application owns says so in the child.
"""

from __future__ import annotations

import os
import threading
import weakref
from time import monotonic
from typing import Any, Final, Protocol

from eventstore.errors import StoreClosed

__all__ = ["Passage", "keep_for_ever", "no_fork", "watch"]


class Passage:
    """Every transaction of a store passes through here, so that one can wait until all are over.

    Each thread has a lock of its own, its way, and holds it while it is inside. A lock is entered
    and left in C, where no signal handler runs, so an interrupt cannot leave a thread counted that
    has left. Shutting the passage takes the ways of all threads. ::

        with passage.way():
            passage.check_open()
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._ways: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
        """One for each thread that ever entered and still lives."""
        self._adding: Final = threading.RLock()
        """Held while a way is added, and while the passage is shut."""
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
        """Hold that the passage was not closed while the caller waited for its way.

        Raises:
            StoreClosed: it was.
        """
        if self._closed:
            raise StoreClosed

    def is_inside(self) -> bool:
        """Tell whether the calling thread is inside."""
        return _is_mine(self.way())

    def shut(self, until: float) -> bool:
        """Let nobody in before :meth:`reopen`; return whether everybody left by ``until``.

        A thread that is inside itself is not waited for, and nothing is shut.
        """
        if self.is_inside():
            return False
        self._adding.acquire()
        self._shut = True
        return all(way.acquire(timeout=max(0.0, until - monotonic())) for way in list(self._ways))

    def reopen(self) -> None:
        """Let everybody in again; called by the thread that shut the passage."""
        if not self._shut:
            return
        self._shut = False
        for way in list(self._ways):
            if _is_mine(way):
                way.release()
        self._adding.release()

    def close(self) -> None:
        """Wait until every other thread has left; whoever comes later gets StoreClosed."""
        self._closed = True
        with self._adding:
            ways = list(self._ways)
        for way in ways:
            with way:
                continue


def _is_mine(way: Any) -> bool:  # noqa: ANN401 (an RLock says it, its type in typeshed does not)
    return bool(way._is_owned())  # noqa: SLF001 (as threading.Condition asks)


class _Forkable(Protocol):
    def before_fork(self) -> None:
        """Called in the parent, before it forks."""

    def after_fork_in_parent(self) -> None:
        """Called in the parent, after it forked."""

    def after_fork(self) -> None:
        """Called in the child, with one thread running."""


_watched: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_kept: Final[list[object]] = []
_turn: Final = threading.Lock()
_watching: Final = threading.Lock()
"""Held across a fork, too: by the end of it nobody may stand in the middle of a change."""
_told: Final[list[_Forkable]] = []


def no_fork() -> threading.Lock:
    """Return what to hold while connections are opened: the process does not fork meanwhile."""
    return _turn


def watch(store: _Forkable) -> None:
    """Have a store told of every fork."""
    with _watching:
        _watched.add(store)


def keep_for_ever(*things: object) -> None:
    """Never let what the parent had open be closed by the child's garbage collector."""
    _kept.extend(things)


def _before() -> None:
    _turn.acquire()
    _watching.acquire()
    _told[:] = list(_watched)
    for store in _told:
        store.before_fork()


def _after_in_parent() -> None:
    for store in _told:
        store.after_fork_in_parent()
    _told.clear()
    _watching.release()
    _turn.release()


def _after_in_child() -> None:
    for store in _told:
        store.after_fork()
    _told.clear()
    _watching.release()
    _turn.release()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
