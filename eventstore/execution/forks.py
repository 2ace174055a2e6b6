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
from types import TracebackType
from typing import Any, Final, Protocol

from eventstore.errors import StoreClosed

__all__ = ["Passage", "keep_for_ever", "no_fork", "watch"]


class Passage:
    """Where every transaction goes through, so that one can wait until nobody is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._shut = False
        self._closed = False

    def __enter__(self) -> None:
        with self._lock:
            while self._shut:
                self._changed.wait()
            if self._closed:
                raise StoreClosed
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._shut or self._closed:  # somebody waits for that
                self._changed.notify_all()

    def shut(self, seconds: float) -> bool:
        """Let nobody in until :meth:`reopen`; return whether everybody left in time."""
        with self._changed:
            self._shut = True
            return self._changed.wait_for(lambda: not self._inside, seconds)

    def reopen(self) -> None:
        """Let everybody in again."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until everybody left; who comes later gets StoreClosed."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._inside and not self._shut)


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
