"""Decide whether transactions are quick enough at present to be run on an event loop.

Handing a request to a thread and its outcome back takes about as long as a durable commit on a fast
disk. A loop that does it itself stands still meanwhile, and its tasks with it. So it may only where
the latest transactions waited less than :data:`QUICK_SECONDS` for the disk. A slow one, such as one
that moves the write-ahead log into the database, sends the next :data:`DISTRUST` to the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = ["DISTRUST", "QUICK_SECONDS", "AtOnce", "MustWait", "Pace"]

Q = TypeVar("Q")
R = TypeVar("R")

QUICK_SECONDS: Final = 0.001
"""Computing is not counted: no other thread could run Python meanwhile."""
DISTRUST: Final = 16


class AtOnce(NamedTuple, Generic[Q, R]):
    """The way to perform requests in the thread of an event loop."""

    perform: Callable[[Sequence[Q]], Sequence[R]]
    """Runs one transaction; raises StoreBusy where it would wait for another process."""
    is_brief: Callable[[Q], bool]
    """Returns whether a request is short enough."""


class MustWait(Exception):
    """A request that may not wait found the database locked; nothing was written."""


class Pace:
    """The pace of the latest transactions."""

    def __init__(self) -> None:
        self._slow = 1
        """Quick transactions still to be seen; one at the beginning."""
        self.quick = False
        """True if a loop may run the next transaction."""

    def note(self, seconds: float) -> None:
        """Take the time that one transaction waited."""
        if seconds > QUICK_SECONDS:
            self._slow = DISTRUST
        elif self._slow:
            self._slow -= 1
        self.quick = not self._slow
