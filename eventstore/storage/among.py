"""Query several keys in one statement, with few statement texts.

A database and its driver cache prepared statements by text. The number of keys is rounded up to a
power of two by repeating the last key, so any number of keys needs only a handful of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

__all__ = ["among", "in_few"]

T = TypeVar("T")

_AT_ONCE: Final = 256


def in_few(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the keys in parts that fit into one statement."""
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def among(keys: Sequence[object]) -> tuple[str, tuple[Any, ...]]:
    """Return SQL that follows a column, and its parameters, for any of the keys (at least one)."""
    count = 1 << (len(keys) - 1).bit_length()
    return f"IN ({', '.join('?' * count)})", (*keys, *[keys[-1]] * (count - len(keys)))
