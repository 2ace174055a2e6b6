"""Prepare stores for a fork of their process: preloading servers open stores before they fork.

Locks and threads do not survive ``fork()``, and SQLite's locks are worse. The child's library
remembers the parent's locks as its own, so a connection that the child opens to the same file takes
none. A process that closes the file last elsewhere then deletes the log under it, with acknowledged
events in it. So a store on a URL closes its connections before each fork, once no other thread is
inside a transaction, and parent and child open new ones at the next use. It waits one second for
that, for all stores together, and not at all for a transaction of the forking thread.
:mod:`~eventstore.execution.inherited` finds connections that stayed open, here or in the
application, and refuses them in the child.
"""

from __future__ import annotations

import os
import threading
import weakref
from time import monotonic
from typing import Any, Final, Protocol

from eventstore.execution import inherited

__all__ = ["Forkable", "no_fork", "watch"]

_PATIENCE_SECONDS: Final = 1.0


class Forkable(Protocol):
    """Called before and after every fork, in the thread that forks."""

    def before_fork(self, until: float) -> None:
        """Close connections that the child must not inherit; wait until then. In the parent."""

    def after_fork_in_parent(self) -> None:
        """Resume work."""

    def after_fork(self) -> None:
        """Forget the parent's state. In the child, where no other thread runs."""


class _Hooks:
    """The locks held and the stores notified across a fork of this process.

    Its locks are reentrant, since a signal handler may fork while its thread opens a store.
    """

    def __init__(self) -> None:
        self.watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self.turn = threading.RLock()
        self.watching = threading.RLock()
        """Held across a fork, too: no thread may be in the middle of a change when it happens."""
        self._told: list[Forkable] = []
        self._held: list[threading.RLock] = []

    def before(self) -> None:
        until = monotonic() + _PATIENCE_SECONDS
        self._told, self._held = [], []
        if self.turn.acquire(timeout=_PATIENCE_SECONDS):  # fails while a store takes long to open
            self._held.append(self.turn)
        self.watching.acquire()
        self._held.append(self.watching)
        self._told = list(self.watched)
        for store in self._told:
            store.before_fork(until)

    def after_in_parent(self) -> None:
        for store in self._told:
            store.after_fork_in_parent()
        for lock in self._held:
            lock.release()
        self._told, self._held = [], []

    def after_in_child(self) -> None:
        inherited.look()
        self.turn, self.watching = threading.RLock(), threading.RLock()
        for store in self._told:
            store.after_fork()
        self._told, self._held = [], []


_hooks: Final = _Hooks()


def no_fork() -> threading.RLock:
    """Return a lock to hold while connections are opened: the process does not fork meanwhile."""
    return _hooks.turn


def watch(store: Forkable) -> None:
    """Notify a store of every fork."""
    with _hooks.watching:
        _hooks.watched.add(store)


os.register_at_fork(
    before=_hooks.before,
    after_in_parent=_hooks.after_in_parent,
    after_in_child=_hooks.after_in_child,
)
