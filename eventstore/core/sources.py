"""Where time and chance come from: two functions, handed in.

The pure rooms take them as arguments; ``connect.py`` supplies the system's own, tests supply
theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eventstore.core import ids

__all__ = ["Sources"]


class Sources(NamedTuple):
    """The clock and the dice of one store."""

    clock: Callable[[], int]
    """Microseconds since 1970, UTC."""
    chance: Callable[[int], bytes]
    """That many unpredictable bytes."""

    def new_id(self) -> bytes:
        """Return a fresh UUIDv7."""
        return ids.uuid7(self.clock(), self.chance(ids.RANDOM_BYTES))
