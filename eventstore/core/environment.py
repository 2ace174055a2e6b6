"""Environment of time and randomness: two functions, passed in.

Pure code takes them as arguments; ``api/connect.py`` supplies the system's, tests supply their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eventstore.core import ids

__all__ = ["Environment", "RandomBuffer"]


class Environment(NamedTuple):
    """The clock and the randomness of one store."""

    clock: Callable[[], int]
    """Microseconds since 1970, UTC."""
    random_bytes: Callable[[int], bytes]
    """Returns the given number of unpredictable bytes."""

    def new_id(self) -> bytes:
        """Return a fresh UUIDv7."""
        return ids.uuid7(self.clock(), self.random_bytes(ids.RANDOM_BYTES))


class RandomBuffer:
    """Unpredictable bytes and fresh ids for one batch of writes, read from their source at once.

    A call into the operating system costs more than the use of its answer. Each batch makes a new
    one and drops it: a forked child that inherited unused bytes would draw the same ones as its
    parent.
    """

    def __init__(
        self, random_bytes: Callable[[int], bytes], now_us: int, expected_bytes: int
    ) -> None:
        self._random_bytes = random_bytes
        self._timed = ids.timed(now_us)
        self._bytes = random_bytes(expected_bytes) if expected_bytes else b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        """Return ``count`` bytes that were not returned before."""
        start, self._used = self._used, self._used + count
        taken = self._bytes[start : self._used]
        return taken if len(taken) == count else self._random_bytes(count)

    def new_id(self) -> bytes:
        """Return a fresh id of the batch's time."""
        start, self._used = self._used, self._used + ids.RANDOM_BYTES
        taken = self._bytes[start : self._used]
        if len(taken) < ids.RANDOM_BYTES:
            taken = self._random_bytes(ids.RANDOM_BYTES)
        # As ids.uuid7(), with the time of the batch.
        return (self._timed | int.from_bytes(taken, "big") & ids.CHANCE).to_bytes(16, "big")
