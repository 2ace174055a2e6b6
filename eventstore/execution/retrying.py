"""Two small rules of running: when a transaction is tried again, and when a task may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from eventstore.errors import StoreBusy
from eventstore.execution.database import Database

__all__ = [
    "ALONE_MAX",
    "RACES_MAX",
    "finished",
    "too_many_wait",
    "tried_again",
    "tried_again_async",
]

T = TypeVar("T")

ALONE_MAX: Final = 16
"""Writes that wait at once, each on a connection of its own, for threads that others have locked.
More of them wait without one, so that reading does not run out of connections."""

RACES_MAX: Final = 20
"""Each lost race means that somebody else got ahead, so nobody loses many in a row."""


def tried_again(database: Database, attempt: Callable[[], T]) -> T:
    """Return what a transaction gives, tried again where it lost a race and nothing was written."""
    for _ in range(RACES_MAX):
        try:
            return attempt()
        except database.retried:
            continue
    return attempt()


async def tried_again_async(database: Database, attempt: Callable[[], Awaitable[T]]) -> T:
    """Do the same for a task."""
    for _ in range(RACES_MAX):
        try:
            return await attempt()
        except database.retried:
            continue
    return await attempt()


async def finished(work: asyncio.Future[T]) -> T:
    """Await what cannot be stopped once it was begun; a cancellation is raised afterwards."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        if not work.cancelled():
            work.exception()  # heard
        raise


def too_many_wait() -> StoreBusy:
    """Return what is told to a write that waited in vain for its turn to wait."""
    return StoreBusy("too many writes wait for threads that other transactions have locked")
