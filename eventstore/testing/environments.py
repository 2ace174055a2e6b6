"""Clocks and random sources for tests: the same every time, and as irregular as real ones.

Hand one to ``ConversationStore.open(..., environment=...)``.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator
from typing import Final

from eventstore.core.environment import Environment

__all__ = ["counting_ids", "fixed_environment", "jumping_environment"]

_START_US: Final = 1_700_000_000_000_000
_HOUR_US: Final = 3_600_000_000


def _dice(seed: int) -> Iterator[bytes]:
    """Yield 32 bytes after another that depend on ``seed`` alone."""
    for count in itertools.count():
        yield hashlib.sha256(f"{seed}/{count}".encode()).digest()


class _Chance:
    """Random bytes from the digest of a stream; many threads may ask for them."""

    def __init__(self, seed: int) -> None:
        self._rolls = _dice(seed)
        self._lock = threading.Lock()

    def __call__(self, count: int) -> bytes:
        with self._lock:
            rolled = b"".join(next(self._rolls) for _ in range(-(-count // 32)))
        return rolled[:count]


def jumping_environment(seed: int = 0) -> Environment:
    """Return a clock that jumps about within an hour, backwards too, and repeatable dice.

    Args:
        seed: another one gives other jumps and other ids.
    """
    lock = threading.Lock()
    jumps = _dice(seed + 1)

    def clock() -> int:
        with lock:
            jump = int.from_bytes(next(jumps)[:8], "big")
        return _START_US + jump % _HOUR_US

    return Environment(clock, _Chance(seed))


def fixed_environment(seed: int = 0) -> Environment:
    """Return a clock that stands still, and repeatable dice.

    Args:
        seed: another one gives other ids.
    """
    return Environment(lambda: _START_US, _Chance(seed))


class counting_ids:  # noqa: N801 (used like a function: ``new_id = counting_ids()``)
    """Ids 1, 2, 3 … for deciders that are called by hand."""

    def __init__(self, first: int = 1) -> None:
        self._count = itertools.count(first)

    def __call__(self) -> bytes:
        return next(self._count).to_bytes(16, "big")
