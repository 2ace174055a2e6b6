"""What a store does when its process forks: preloading servers open it before they fork.

Locks and threads do not survive ``fork()``, and SQLite's locks are worse: the child's library
remembers those of the parent as its own, so a connection that the child opens to the same file
takes none, and whoever closes the file last elsewhere deletes the log under it, with what was
acknowledged in it. So a store on a URL closes its connections before each fork, once no other
thread is inside a transaction, and parent and child open theirs at the next use. It waits a second
for that, for all stores together, and not at all for a transaction of the thread that forks. What
was open all the same, here or in the application, :mod:`~eventstore.execution.inherited` finds in
the child and refuses.
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
    """Told of every fork, in the thread that forks."""

    def before_fork(self, until: float) -> None:
        """Close what the child must not inherit; waits until then at most. In the parent."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork(self) -> None:
        """Forget what is the parent's. In the child, where no other thread runs."""


class _Hooks:
    """What is held and told across a fork of this process.

    Its locks are reentrant, since a signal handler may fork while its thread opens a store.
    """

    def __init__(self) -> None:
        self.watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self.turn = threading.RLock()
        self.watching = threading.RLock()
        """Held across a fork, too: by the end of it nobody may stand in the middle of a change."""
        self._told: list[Forkable] = []
        self._held: list[threading.RLock] = []

    def before(self) -> None:
        until = monotonic() + _PATIENCE_SECONDS
        self._told, self._held = [], []
        if self.turn.acquire(timeout=_PATIENCE_SECONDS):  # or a store is being opened for long
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
    """Return what to hold while connections are opened: the process does not fork meanwhile."""
    return _hooks.turn


def watch(store: Forkable) -> None:
    """Have a store told of every fork."""
    with _hooks.watching:
        _hooks.watched.add(store)


os.register_at_fork(
    before=_hooks.before,
    after_in_parent=_hooks.after_in_parent,
    after_in_child=_hooks.after_in_child,
)
