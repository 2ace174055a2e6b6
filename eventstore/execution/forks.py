"""What a store does in a forked child: preloading servers open it before they fork.

Connections, locks and threads do not survive ``fork()``. A store that was opened from a URL opens again
at its next use; one on an engine that the application owns says so instead. What the parent had open is
kept alive and untouched in the child: closing it there could disturb the parent's locks.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Final, Protocol

__all__ = ["keep_for_ever", "watch"]


class _Forkable(Protocol):
    def after_fork(self) -> None:
        """Called in the child, with one thread running."""


_watched: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_kept: Final[list[object]] = []


def watch(store: _Forkable) -> None:
    """Have ``store.after_fork()`` called in every forked child."""
    _watched.add(store)


def keep_for_ever(*things: object) -> None:
    """Never let the parent's connections be closed by the child's garbage collector."""
    _kept.extend(things)


def _tell_all() -> None:
    for store in list(_watched):
        store.after_fork()


os.register_at_fork(after_in_child=_tell_all)
