"""Two small rules of running: when a transaction is tried again, and when a task may leave.

A transaction that lost a race is tried again as it is. One that a unique key refused may have lost
a race, too, or hold a request whose rows never fit. Nothing tells whose they are where several
share it, so then each half is tried by itself (:func:`halves`); a request that is refused again and
again while it is alone has an error of its own, which nobody else hears of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy
from eventstore.execution.database import Database

__all__ = [
    "ALONE_MAX",
    "RACES_MAX",
    "VIOLATIONS_MAX",
    "finished",
    "halves",
    "struck_while_committing",
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


VIOLATIONS_MAX: Final = 2
"""A request that met a unique key sees what was in its way when it is tried again. Once more, for
the case that it met another one; whatever refuses it then refuses it for ever."""


class _Tries:
    """Counts what befell one transaction, and tells whether it is tried again."""

    def __init__(self, database: Database, *, alone: bool) -> None:
        self._left = {database.retried: RACES_MAX, database.violated: VIOLATIONS_MAX * alone}

    def after(self, error: BaseException) -> bool:
        """Tell whether to go on after an error."""
        for kinds, left in self._left.items():
            if isinstance(error, kinds):
                self._left[kinds] = left - 1
                return left > 0
        return False


def tried_again(database: Database, attempt: Callable[[], T], *, alone: bool) -> T:
    """Return what a transaction gives, tried again where it lost a race and nothing was written.

    ``alone``: it performs a single request.
    """
    tries: _Tries | None = None
    while True:
        try:
            return attempt()
        except (*database.retried, *database.violated) as error:
            tries = tries or _Tries(database, alone=alone)
            if not tries.after(error):
                raise


async def tried_again_async(
    database: Database, attempt: Callable[[], Awaitable[T]], *, alone: bool
) -> T:
    """Do the same for a task."""
    tries: _Tries | None = None
    while True:
        try:
            return await attempt()
        except (*database.retried, *database.violated) as error:
            tries = tries or _Tries(database, alone=alone)
            if not tries.after(error):
                raise


def halves(batch: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return the two halves of a batch that was refused as a whole.

    One request in a thousand that cannot be written costs twenty more transactions this way, and a
    thousand if each were tried alone.
    """
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


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


def struck_while_committing() -> OutcomeUnknown:
    """Return what is told where an exception came between COMMIT and its caller."""
    return OutcomeUnknown(
        "an exception was raised, as by a signal handler, while the database committed"
    )


def too_many_wait() -> StoreBusy:
    """Return what is told to a write that waited in vain for its turn to wait."""
    return StoreBusy("too many writes wait for threads that other transactions have locked")
