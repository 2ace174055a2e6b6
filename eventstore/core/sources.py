"""Where time and chance come from: two functions, handed in.

The pure rooms take them as arguments; ``connect.py`` supplies the system's own, tests supply
theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eventstore.core import ids

__all__ = ["Dice", "Sources"]


class Sources(NamedTuple):
    """The clock and the dice of one store."""

    clock: Callable[[], int]
    """Microseconds since 1970, UTC."""
    chance: Callable[[int], bytes]
    """That many unpredictable bytes."""

    def new_id(self) -> bytes:
        """Return a fresh UUIDv7."""
        return ids.uuid7(self.clock(), self.chance(ids.RANDOM_BYTES))


class Dice:
    """Unpredictable bytes for one batch of writes, asked of their source once.

    A call into the operating system costs more than what is done with its answer. Made anew for
    each batch and never kept: a forked child that inherited the rest would throw what its parent
    throws.
    """

    def __init__(self, chance: Callable[[int], bytes], expected_bytes: int) -> None:
        self._chance = chance
        self._bytes = chance(expected_bytes) if expected_bytes else b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        """Return that many bytes that were not returned before."""
        start, self._used = self._used, self._used + count
        taken = self._bytes[start : self._used]
        return taken if len(taken) == count else self._chance(count)
